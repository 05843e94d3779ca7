"""[geometry.particle_size]: the law of particle diameters. Lengths are in metres."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from heterode.distributions.size_law import LEAST_SHARE, Discrete, Lognormal, SizeLaw
from heterode.parameters.fields import MistakeError, ParticleLength, Physical, Section
from heterode.parameters.notes import Example, Source
from heterode.parameters.tables import read_size_table


class LognormalSize(Section):
    """Diameters with ln d normal about ln(median), deviation sigma, truncated at both ends."""

    distribution: Literal["lognormal"]
    """The law of diameters: lognormal, counted by number."""
    median: ParticleLength
    """Median diameter of the whole distribution, before it is cut off at both ends, m."""
    sigma: Annotated[float, Physical(above=0, up_to=2, example="0.4")]
    """Standard deviation of ln d."""
    minimum: Annotated[ParticleLength, Example("1 um")]
    """Least diameter that is drawn, m."""
    maximum: Annotated[ParticleLength, Example("10 um")]
    """Largest diameter that is drawn, m."""

    @model_validator(mode="after")
    def _ordered(self) -> LognormalSize:
        if not self.minimum < self.maximum:
            raise MistakeError(
                f"is not below the maximum of {self.maximum * 1e6:g} um",
                allowed=f"above 0, below {self.maximum * 1e6:g} um",
                remedy="Lower the minimum or raise geometry.particle_size.maximum.",
                key=("minimum",),
            )
        if not self.minimum <= self.median <= self.maximum:
            raise MistakeError(
                "lies outside the limits of the distribution",
                allowed=f"from {self.minimum * 1e6:g} to {self.maximum * 1e6:g} um",
                remedy="Move the median, or the minimum or maximum.",
                key=("median",),
            )
        share = _lognormal(self).share_inside
        if share < LEAST_SHARE:
            raise MistakeError(
                f"leaves only {share:.2g} of the distribution between {self.minimum * 1e6:g} and "
                f"{self.maximum * 1e6:g} um",
                allowed=f"a sigma that leaves at least {LEAST_SHARE:g} of it",
                remedy="Lower sigma, or widen minimum and maximum.",
                key=("sigma",),
            )
        return self


class MonodisperseSize(Section):
    """The same diameter for all particles."""

    distribution: Literal["monodisperse"]
    """The law of diameters: one for all."""
    diameter: ParticleLength
    """Diameter of all particles, m."""


class TableSize(Section):
    """A measured distribution in a CSV file with the columns diameter_um, weight."""

    distribution: Literal["table"]
    """The law of diameters: a measured one."""
    file: Annotated[Path, Example("sizes.csv")]
    """CSV file of the distribution, with the columns diameter_um, weight; relative to the parameter
    file."""
    weighting: Annotated[
        Literal["number", "volume"], Source("the other laws count by number as well", "G")
    ] = "number"
    """Whether a weight counts particles or their volume as spheres."""

    @field_validator("file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if isinstance(value, str):
            read_size_table(Path(value))
            return Path(value)
        return value


ParticleSize = Annotated[
    LognormalSize | MonodisperseSize | TableSize, Field(discriminator="distribution")
]

SIZE_TABLES: dict[str, type[Section]] = {
    "lognormal": LognormalSize,
    "monodisperse": MonodisperseSize,
    "table": TableSize,
}
"""The section for each distribution."""


def size_law_of(particle_size: Any, scale: float = 1.0) -> SizeLaw:
    """Return the law of diameters that a section describes.

    Args:
        particle_size: the section, or an object with its attributes.
        scale: factor on all lengths; 1 leaves them in m, 1e6 gives um.

    Raises:
        MistakeError: almost nothing of a lognormal law is inside its bounds, or a table cannot be
            read.
    """
    kind = particle_size.distribution
    if kind == "monodisperse":
        return Discrete(np.array([scale * particle_size.diameter]), np.ones(1))
    if kind == "table":
        diameter, weight = read_size_table(particle_size.file)
        by_volume = particle_size.weighting == "volume"
        return Discrete.measured(1e-6 * scale * diameter, weight, by_volume=by_volume)
    return _lognormal(particle_size, scale)


def _lognormal(size: Any, scale: float = 1.0) -> Lognormal:
    lengths = (scale * length for length in (size.median, size.minimum, size.maximum))
    median, minimum, maximum = lengths
    return Lognormal(median, size.sigma, minimum, maximum)
