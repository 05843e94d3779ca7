"""Estimates of a run's size, time and memory, and whether the machine offers that much."""

from heterode.forecast.estimate.cost import Cost, expected_cost
from heterode.forecast.estimate.limits import Limits, forecast, present_limits, warnings
from heterode.forecast.estimate.unknowns import (
    count_unknowns,
    expected_unknowns,
    refuse_endless,
    summarise,
)

__all__ = [
    "Cost",
    "Limits",
    "count_unknowns",
    "expected_cost",
    "expected_unknowns",
    "forecast",
    "present_limits",
    "refuse_endless",
    "summarise",
    "warnings",
]
