"""How large a run will be, what it will take, and whether that is there: before it is run."""

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
