"""Finds the radius below which particles are dust, by the histogram of their sizes.

Specks of dust, debris and noise are much smaller than particles and hold little of the area, but
may be most of what is found. Sizes are compared with the radius R that halves the particles' area
(half of it lies in larger ones). Dust is what lies

    below a valley of the histogram of ln r, if the hump left of it is of particles smaller than
    R / 3 and holds less than 20 % of the area; or else
    below R / 3, if that is more than half of the particles and less than 5 % of the area.

The second rule holds for no lognormal law: where more than half lies below a third of R, more than
6 % of the area does. Blends of large and small particles hold more than a fifth in either.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

Floats = npt.NDArray[np.float64]

RATIO = 3.0
"""Least ratio between the radius that halves the area and dust."""

LEAST = 5
"""Least number of specks that are dust."""

VALLEY_AREA, TAIL_AREA = 0.2, 0.05
_BIN, _SMOOTH, _DEPTH = 0.05, 0.12, 0.5


def dust_radius(radius: Floats) -> float:
    """Return the radius below which particles are dust; 0 where there is none.

    Args:
        radius: (N,) radii above 0, in any unit.
    """
    if radius.size < 2 * LEAST:
        return 0.0
    ordered = np.sort(radius)
    area = np.cumsum(ordered**2) / np.sum(ordered**2)
    middle = float(ordered[np.searchsorted(area, 0.5)])
    limit = _valley(ordered, middle)
    if limit and _share(ordered, area, limit) < VALLEY_AREA:
        return limit
    limit = middle / RATIO
    below = int(np.searchsorted(ordered, limit))
    many = below > max(0.5 * radius.size, LEAST)
    return limit if many and _share(ordered, area, limit) < TAIL_AREA else 0.0


def _share(ordered: Floats, area: Floats, limit: float) -> float:
    """Return the share of the area below a radius."""
    below = int(np.searchsorted(ordered, limit))
    return float(area[below - 1]) if below else 0.0


def _valley(ordered: Floats, middle: float) -> float:
    """Return the deepest place between a hump of dust and that of the particles, or 0."""
    log = np.log(ordered)
    edges = np.arange(log[0] - 6.0 * _SMOOTH, log[-1] + 6.0 * _SMOOTH + _BIN, _BIN)
    counts = gaussian_filter1d(np.histogram(log, edges)[0].astype(np.float64), _SMOOTH / _BIN)
    centre = 0.5 * (edges[1:] + edges[:-1])
    small = np.flatnonzero(centre < np.log(middle / RATIO))
    large = np.flatnonzero(centre > np.log(middle) - 0.7)
    if not small.size or not large.size:
        return 0.0
    left = int(small[np.argmax(counts[small])])
    right = int(large[np.argmax(counts[large])])
    place = left + int(np.argmin(counts[left : right + 1]))
    deep = counts[place] < _DEPTH * min(counts[left], counts[right])
    limit = float(np.exp(centre[place]))
    enough = int(np.searchsorted(ordered, limit)) >= LEAST
    return limit if deep and enough else 0.0
