"""Set points at which a run's voltage is reported: lithium fractions, or capacities per area."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from heterode.base.units import UnitError, quantity
from heterode.parameters.fields import MistakeError

_FRACTION = re.compile(r"\s*x\s*=\s*(\S+)\s*\Z")


@dataclass(frozen=True)
class SetPoint:
    """A set point at which the voltage is reported.

    Attributes:
        column: the column of history.csv that has to reach `value` (A h m^-2 or a lithium
            fraction).
        name: the name of the table's column.
    """

    column: str
    value: float
    name: str


def read_set_point(text: Any) -> SetPoint:
    """Read a set point such as "x = 0.6" or "10 A h/m^2".

    Raises:
        MistakeError: the text has neither form.
    """
    remedy = 'Write "x = 0.6", or a capacity such as "10 A h/m^2".'
    if not isinstance(text, str):
        raise MistakeError("holds something that is no text", remedy=remedy)
    match = _FRACTION.match(text)
    try:
        if match is not None:
            fraction = float(match[1])
            if not 0.0 < fraction < 1.0:
                raise UnitError("is no lithium fraction between 0 and 1")
            name = f"voltage_at_x_{fraction:g}_V"
            return SetPoint("lithium_fraction_mean", fraction, name)
        capacity = quantity(text, "A*s/m^2") / 3600.0
        return SetPoint("capacity_Ah_m2", capacity, f"voltage_at_{capacity:g}_Ah_m2_V")
    except (ValueError, UnitError) as error:
        raise MistakeError(
            f"holds '{text}', which is no set point",
            allowed="mean lithium fractions and capacities per area",
            remedy=remedy,
        ) from error
