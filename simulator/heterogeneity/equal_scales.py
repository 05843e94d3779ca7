r"""Whether two electrodes have the same L*.

With L_1 < L_2, the logarithm of L_2 / L_1 is compared with the parts of both intervals that face
each other and with what the ranges, which set both bands, may vary over samples:

    z = log(L_2 / L_1) / (e_1^2 + e_2^2 + r_1^2 + r_2^2)^(1/2)

    e_1 = log(high_1 / L_1) / 1.96,   e_2 = log(L_2 / low_2) / 1.96

r is the relative error of the range times 2/d, as L* goes with the range to the power -2/d. An
interval of L* alone holds the L* in the band of the particles that are there; two samples of one
electrode differ by r as well. z is compared with the normal distribution. Both L* must be
converged: otherwise only intervals that are apart say something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from heterode.heterogeneity.scale import Scale

# Half a 95 % interval in standard errors.
_ARM = float(norm.ppf(0.975))


@dataclass(frozen=True)
class EqualScales:
    """Comparison of two L*.

    Attributes:
        z: logarithm of the second over the first in its standard errors; NaN unless both are
            converged.
        p_value: probability of so large a difference of two samples with equal L*.
        apart: whether the intervals do not overlap, also where one has no upper end.
    """

    z: float
    p_value: float
    apart: bool


def equal_scales(first: Scale, second: Scale, range_errors: tuple[float, float]) -> EqualScales:
    """Compare L* of two electrodes.

    Args:
        first, second: both L*, by values or both by ranks.
        range_errors: relative standard errors of both ranges (0 for a given range).
    """
    shorter, longer = sorted((first, second), key=lambda scale: scale.scale_um)
    apart = bool(_low(longer) > shorter.high_um)
    if first.flag != "ok" or second.flag != "ok":
        return EqualScales(float("nan"), float("nan"), apart)
    arms = (
        np.log(shorter.high_um / shorter.scale_um) / _ARM,
        np.log(longer.scale_um / longer.low_um) / _ARM,
    )
    of_ranges = 2 / first.dimension * np.hypot(*range_errors)
    error = float(np.sqrt(np.sum(np.square(arms)) + of_ranges**2))
    z = float(np.log(second.scale_um / first.scale_um)) / error
    return EqualScales(z, float(2 * norm.sf(abs(z))), apart)


def _low(scale: Scale) -> float:
    """Return the lower end of an interval; there is none below the smallest size."""
    return scale.low_um if np.isfinite(scale.low_um) else 0.0
