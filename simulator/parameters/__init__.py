"""The input file: TOML with units in the values, which becomes validated, frozen records in SI."""

from heterode.parameters.loading import load_parameters
from heterode.parameters.model import Parameters

__all__ = ["Parameters", "load_parameters"]
