"""The input file: TOML with units in the values, validated, frozen, in SI."""

from heterode.parameters.loading import load_parameters
from heterode.parameters.model import Parameters

__all__ = ["Parameters", "load_parameters"]
