"""The input file: TOML with units in the values, validated, frozen, in SI."""

from simulator.parameters.loading import load_parameters
from simulator.parameters.model import Parameters

__all__ = ["Parameters", "load_parameters"]
