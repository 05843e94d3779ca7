"""Particle diameters: seeded draws from a distribution.

Lognormal: ln d is normal about ln(median) with standard deviation sigma; what falls outside
[minimum, maximum] is drawn again (truncation, not clipping: no heap of particles at the bounds).
Table: a measured distribution, CSV with columns diameter_um and weight. `weighting` says whether
weights count particles or their volume, as laser diffraction does; volume weights are divided by
d^3, the volume of a sphere, in 2D as well: the sample that was measured consists of spheres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from simulator.csv_table import read_csv_table
from simulator.csv_text import TableError
from simulator.errors import InputError

Floats = npt.NDArray[np.float64]
Sampler = Callable[[int], Floats]
"""Number of particles -> that many diameters in um, continuing the same random stream."""

LEAST_SHARE = 1e-3
"""Least share of a lognormal that must fall inside its bounds to be drawn from."""


def diameter_sampler(particle_size: Any, random: np.random.Generator) -> Sampler:
    """A function that draws diameters in micrometres.

    Args:
        particle_size: section geometry.particle_size of the parameters (lengths in m).
        random: the generator drawn from.

    Raises:
        InputError: a distribution that leaves nothing inside its bounds, or a bad table.
    """
    kind = particle_size.distribution
    if kind == "monodisperse":
        diameter = 1e6 * particle_size.diameter
        return lambda count: np.full(count, diameter)
    if kind == "lognormal":
        return _lognormal(
            1e6 * particle_size.median,
            particle_size.sigma,
            1e6 * particle_size.minimum,
            1e6 * particle_size.maximum,
            random,
        )
    if kind == "table":
        diameters, probability = read_size_table(particle_size.file, particle_size.weighting)
        return lambda count: random.choice(diameters, size=count, p=probability)
    raise InputError(
        f'geometry.particle_size.distribution = "{kind}" is unknown'
        " (allowed: lognormal, monodisperse, table)."
    )


def size_bounds(particle_size: Any) -> tuple[float, float]:
    """Least and greatest diameter the distribution can give, um."""
    kind = particle_size.distribution
    if kind == "monodisperse":
        return 1e6 * particle_size.diameter, 1e6 * particle_size.diameter
    if kind == "lognormal":
        return 1e6 * particle_size.minimum, 1e6 * particle_size.maximum
    diameters, probability = read_size_table(particle_size.file, particle_size.weighting)
    drawn = diameters[probability > 0.0]
    return float(drawn.min()), float(drawn.max())


def _lognormal(
    median: float, sigma: float, low: float, high: float, random: np.random.Generator
) -> Sampler:
    bounds = np.log(np.array([low, high]) / median) / sigma
    share = float(np.diff(ndtr(bounds))[0])
    if share < LEAST_SHARE:
        raise InputError(
            f"geometry.particle_size: only {share:.2g} of the lognormal distribution with median"
            f" {median:g} um and sigma {sigma:g} lies within {low:g} to {high:g} um (allowed: at"
            f" least {LEAST_SHARE:g}). Move the median or widen minimum and maximum."
        )

    def draw(count: int) -> Floats:
        kept: Floats = np.zeros(0)
        while kept.size < count:
            wanted = math.ceil(1.2 * (count - kept.size) / share) + 8
            trial = median * np.exp(sigma * random.standard_normal(wanted))
            kept = np.concatenate([kept, trial[(trial >= low) & (trial <= high)]])
        return kept[:count]

    return draw


def read_size_table(path: Path | str, weighting: str) -> tuple[Floats, Floats]:
    """Read a measured size distribution.

    Args:
        path: CSV with columns diameter_um (> 0) and weight (>= 0).
        weighting: "number" or "volume".

    Returns:
        diameters (B,) in um and probabilities by number (B,) that sum to 1.

    Raises:
        InputError: no such file, columns missing, or values out of range.
    """
    try:
        table = read_csv_table(path, ("diameter_um", "weight"))
        diameter, weight = table.numbers("diameter_um"), table.numbers("weight")
    except TableError as error:
        raise InputError(f"geometry.particle_size.file = {error}") from None
    good = (diameter > 0.0) & (weight >= 0.0)
    if not good.all() or weight.sum() <= 0.0:
        raise InputError(
            f"geometry.particle_size.file = {path} has diameters or weights out of range"
            " (allowed: diameter_um > 0, weight >= 0 and not all 0). Mend the file."
        )
    number = weight / diameter**3 if weighting == "volume" else weight
    return diameter, number / number.sum()
