"""The range of lithium fractions in which a function of the material was measured, and by whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasuredRange:
    """The measured range of a function, outside which it is extrapolated or held constant.

    Attributes:
        low, high: lithium fractions on the theoretical scale (LiMO2 = 1).
        source: source of the measurement.
    """

    low: float
    high: float
    source: str
