"""[geometry]: the slab, its particles and the mesh. Lengths in metres."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from simulator.parameters.fields import (
    MistakeError,
    Order,
    ParticleLength,
    Physical,
    Section,
    SlabLength,
)
from simulator.parameters.tables import read_size_table

Gap = Annotated[float, Physical("m", shown="um", at_least=0, up_to=100, example="0.1 um")]
ElementSize = Annotated[
    float, Physical("m", shown="um", at_least=0.001, up_to=1000, example="1 um")
]
Factor = Annotated[float, Physical(at_least=0.05, up_to=1.5, example="0.35")]

PACKING_LIMIT = 0.65
"""Largest area fraction that the packing promises to reach with a gap."""


class LognormalSize(Section):
    """Diameters: ln d normal about ln(median) with standard deviation sigma, cut at both ends."""

    distribution: Literal["lognormal"]
    median: ParticleLength
    sigma: Annotated[float, Physical(above=0, up_to=2, example="0.4")]
    minimum: ParticleLength
    maximum: ParticleLength

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
        return self


class MonodisperseSize(Section):
    """One diameter for all particles."""

    distribution: Literal["monodisperse"]
    diameter: ParticleLength


class TableSize(Section):
    """A measured distribution: CSV with the columns diameter_um, weight."""

    distribution: Literal["table"]
    file: Path
    weighting: Literal["number", "volume"] = "number"

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


class MeshSettings(Section):
    """[geometry.mesh]: element sizes. h at a particle's surface = surface_size_factor * radius."""

    surface_size_factor: Factor = 0.35
    minimum_size: ElementSize = 0.15e-6
    maximum_size: ElementSize = 3e-6
    separator_size: ElementSize = 4e-6
    gap_elements: Annotated[float, Physical(at_least=0, up_to=10, example="1")] = 1.0
    """Refinement at gaps: 4 times this many edges along sqrt(2 R g), over which a gap of width g
    between particles of radius R doubles; 0 leaves only what curved cells need to stay valid."""
    order: Order = 2

    @model_validator(mode="after")
    def _ordered(self) -> MeshSettings:
        if not self.minimum_size <= self.maximum_size:
            raise MistakeError(
                "is larger than maximum_size",
                allowed=f"above 0, up to {self.maximum_size * 1e6:g} um",
                remedy="Lower it, or raise geometry.mesh.maximum_size.",
                key=("minimum_size",),
            )
        return self


class Geometry(Section):
    """The slab: cathode of `coating_thickness`, then the separator; `width` is lateral.

    Exactly one of `width` and `particles` is given: with `particles`, the packing chooses the
    width that holds that many at the wanted active fraction.
    """

    dimension: int = 2
    coating_thickness: SlabLength
    separator_thickness: SlabLength
    width: SlabLength | None = None
    particles: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    active_fraction: Annotated[float, Physical(above=0, up_to=PACKING_LIMIT, example="0.465")]
    minimum_gap: Gap = 0.1e-6
    walls: Literal["inside", "cut"] = "inside"
    particle_size: ParticleSize
    mesh_file: Path | None = None
    mesh: MeshSettings = MeshSettings()

    @field_validator("mesh_file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if isinstance(value, str) and not os.path.isfile(value):
            raise MistakeError(
                "does not exist",
                allowed="a .msh file made by 'heterode mesh'",
                remedy="Correct the path, or remove the key to pack and mesh anew.",
            )
        return Path(value) if isinstance(value, str) else value

    @field_validator("dimension")
    @classmethod
    def _dimension(cls, value: int) -> int:
        if value == 3:
            raise MistakeError(
                "cannot be solved by this version: 3 is not available yet",
                allowed="2",
                remedy="Set it to 2.",
            )
        if value != 2:
            raise MistakeError("is no dimension of an electrode", allowed="2")
        return value

    @property
    def largest_diameter(self) -> float:
        """Largest particle diameter the distribution allows, m."""
        size = self.particle_size
        if isinstance(size, LognormalSize):
            return size.maximum
        if isinstance(size, MonodisperseSize):
            return size.diameter
        return float(read_size_table(size.file)[0].max())

    @property
    def typical_diameter(self) -> float:
        """Median (or only) diameter, m; of a table, the median row."""
        size = self.particle_size
        if isinstance(size, LognormalSize):
            return size.median
        if isinstance(size, MonodisperseSize):
            return size.diameter
        return float(np.median(read_size_table(size.file)[0]))

    @model_validator(mode="after")
    def _width(self) -> Geometry:
        if (self.width is None) == (self.particles is None):
            both = self.width is not None
            raise MistakeError(
                "is given together with width" if both else "is missing, and so is width",
                allowed="exactly one of geometry.width and geometry.particles",
                remedy="Remove one of them."
                if both
                else 'Add particles = 60, or width = "100 um".',
                key=("particles",),
            )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Geometry:
        largest, typical = self.largest_diameter, self.typical_diameter
        if self.mesh_file is not None:
            return self
        if largest + self.minimum_gap >= self.coating_thickness:
            raise MistakeError(
                "is too thin for the largest particle",
                allowed=f"above {(largest + self.minimum_gap) * 1e6:g} um here",
                remedy="Thicken the coating or lower the largest diameter.",
                key=("coating_thickness",),
            )
        if self.width is not None and largest + self.minimum_gap >= self.width:
            raise MistakeError(
                "is too narrow for the largest particle",
                allowed=f"above {(largest + self.minimum_gap) * 1e6:g} um here",
                remedy="Widen the slab or lower the largest diameter.",
                key=("width",),
            )
        if self.minimum_gap >= typical:
            raise MistakeError(
                "is as large as the particles themselves",
                allowed=f"at least 0, below {typical * 1e6:g} um here",
                remedy="Lower the gap; 0.1 um is usual.",
                key=("minimum_gap",),
            )
        # A gap g around a disc of diameter d takes the room of a disc of diameter d + g.
        swollen = self.active_fraction * (1.0 + self.minimum_gap / typical) ** 2
        if swollen > 0.80:
            raise MistakeError(
                f"leaves no room for the particles: with their gaps they would fill "
                f"{swollen:.0%} of the coating",
                allowed="gap and active fraction that together fill up to 80 %",
                remedy="Lower the gap or geometry.active_fraction.",
                key=("minimum_gap",),
            )
        return self
