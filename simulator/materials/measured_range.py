"""Between which lithium fractions a function of the material was measured, and by whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasuredRange:
    """What a function rests on; beyond it the function is extrapolated or held.

    Attributes:
        low, high: lithium fractions on the theoretical scale (LiMO2 = 1).
        source: of the measurement.
    """

    low: float
    high: float
    source: str
