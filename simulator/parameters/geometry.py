"""[geometry]: the slab, its particles and the mesh. Lengths are in metres."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from heterode.base.reading import check_regular
from heterode.distributions.size_law import SizeLaw
from heterode.parameters.fields import MistakeError, Order, Physical, Section, SlabLength
from heterode.parameters.notes import Example, Source, When, Written
from heterode.parameters.sizes import ParticleSize, size_law_of

Gap = Annotated[float, Physical("m", shown="um", at_least=0, up_to=100, example="0.1 um")]
ElementSize = Annotated[
    float, Physical("m", shown="um", at_least=0.001, up_to=1000, example="1 um")
]
Factor = Annotated[float, Physical(at_least=0.05, up_to=1.5, example="0.35")]

_MEASURED = Source("discretisation errors are measured in docs/accuracy.md", "G")
_OWN = When("geometry.mesh_file", needed=True)

PACKING_LIMIT = 0.65
"""Largest area fraction, gaps included, that the packing always reaches."""


class MeshSettings(Section):
    """[geometry.mesh]: element sizes; at a particle's surface h = surface_size_factor * radius.

    In 3D edges are straight (`order` is 1 by default), but each particle has its exact volume;
    `gap_elements` only matters in 2D.
    """

    surface_size_factor: Annotated[Factor, _MEASURED] = 0.35
    """Edge length at a particle's surface as a share of the particle's radius."""
    minimum_size: Annotated[ElementSize, Source("0.3 of the paper's least radius", "D")] = 0.15e-6
    """Shortest edge length that is requested, m, however small a particle is."""
    maximum_size: Annotated[ElementSize, _MEASURED] = 3e-6
    """Longest edge in the coating, m."""
    separator_size: Annotated[ElementSize, _MEASURED] = 4e-6
    """Edge length in the separator, m."""
    gap_elements: Annotated[float, Physical(at_least=0, up_to=10, example="1"), _MEASURED] = 1.0
    """Refinement at gaps: there are 4 times this many edges along sqrt(2 R g), the length over
    which a gap of width g between particles of radius R doubles. With 0, the refinement is only
    what curved cells need to stay valid."""
    order: Annotated[Order, Source("arcs in 2D; in 3D the default is 1", "G")] = 2
    """Polynomial order of the cells' edges: 2 follows the circles of particles; in 3D edges are
    straight, and 1 is the default and the only value."""

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


_OF_NO_ACCOUNT = {
    "particle_size": {"distribution": "monodisperse", "diameter": "1 um"},
    "active_fraction": 0.5,
    "coating_thickness": "50 um",
    "separator_thickness": "25 um",
}
OF_THE_MESH = (
    "coating_thickness",
    "separator_thickness",
    "width",
    "particles",
    "active_fraction",
    "minimum_gap",
    "walls",
    "particle_size",
    "mesh",
)
"""Keys without effect if a mesh file is given."""


class Geometry(Section):
    """The slab: a cathode of `coating_thickness` and the separator; `width` is lateral.

    In 3D the cross-section is a square of that width.

    Exactly one of `width` and `particles` is given: with `particles`, the packing chooses the width
    that holds that many at the wanted active fraction. With a `mesh_file`, neither is given, nor
    are other keys for packing and meshing.
    """

    dimension: Annotated[
        int,
        Written("whole number", "2, 3", 3, {"enum": [2, 3]}),
        Source("3D takes many times the unknowns", "G"),
    ] = 2
    """2 for discs in a plane, 3 for spheres."""
    coating_thickness: Annotated[SlabLength, When("geometry.mesh_file", needed=True, only=False)]
    """Thickness of the cathode's coating, without the foil, m."""
    separator_thickness: Annotated[SlabLength, _OWN, Example("25 um")]
    """Thickness of the separator, m."""
    width: Annotated[
        SlabLength | None, Example("100 um"), When("geometry.particles", needed=True)
    ] = None
    """Lateral width of the slab, m; in 3D the side of its square cross-section."""
    particles: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000)] | None,
        Example(60),
        When("geometry.width", needed=True),
    ] = None
    """Number of particles; the packing finds the width that holds them."""
    active_fraction: Annotated[
        float,
        Physical(at_least=0.001, up_to=PACKING_LIMIT, example="0.465"),
        When("composition", needed=True, only=False),
    ]
    """Volume fraction of active material in the coating; if left out, [composition] gives it."""
    minimum_gap: Annotated[
        Gap, Source("the thinnest film of carbon and binder that is meshed", "G")
    ] = 0.1e-6
    """Least distance between the surfaces of two particles, m."""
    walls: Annotated[Literal["inside", "cut"], Source("every particle is whole then", "G")] = (
        "inside"
    )
    """Whether particles lie inside the side walls, or the slab is periodic sideways and its walls
    cut the particles on them."""
    particle_size: Annotated[ParticleSize, _OWN]
    """Law of the particles' diameters."""
    mesh_file: Annotated[Path | None, Example("cells.msh")] = None
    """Mesh file in place of a packing, relative to the parameter file: MSH 4.1, as `heterode mesh`
    and gmsh write it."""
    mesh: MeshSettings = MeshSettings()
    """Element sizes."""

    @field_validator("mesh_file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                check_regular(value)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                raise MistakeError(
                    "does not exist" if missing else f"cannot be read ({error.strerror})",
                    allowed="a .msh file made by 'heterode mesh'",
                    remedy="Correct the path, or remove the key to make a packing and a mesh.",
                ) from None
        return Path(value) if isinstance(value, str) else value

    @field_validator("dimension")
    @classmethod
    def _dimension(cls, value: int) -> int:
        if value not in (2, 3):
            raise MistakeError("is no dimension of an electrode", allowed="2 or 3")
        return value

    @model_validator(mode="before")
    @classmethod
    def _nothing_to_pack(cls, data: Any) -> Any:
        # A mesh has its own lengths; these values have the right types, and nothing reads them.
        if isinstance(data, dict) and data.get("mesh_file") is not None:
            return {**_OF_NO_ACCOUNT, **data}
        return data

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        return plain if self.mesh_file is None else plain | dict.fromkeys(OF_THE_MESH)

    @model_validator(mode="before")
    @classmethod
    def _straight_in_3d(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("dimension") == 3:
            mesh = data.get("mesh", {})
            if isinstance(mesh, dict):
                return {**data, "mesh": {"order": 1, **mesh}}
        return data

    @model_validator(mode="after")
    def _no_curved_tetrahedra(self) -> Geometry:
        if self.dimension == 3 and self.mesh.order != 1 and self.mesh_file is None:
            raise MistakeError(
                "is not made in 3D, where edges are straight and volumes exact all the same",
                allowed="1 in 3D",
                remedy="Remove the key.",
                key=("mesh", "order"),
            )
        return self

    @property
    def size_law(self) -> SizeLaw:
        """Return the law of particle diameters, m."""
        return size_law_of(self.particle_size)

    @model_validator(mode="after")
    def _width(self) -> Geometry:
        if self.mesh_file is not None:
            return self
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
    def _fits(self, info: ValidationInfo) -> Geometry:
        # Particles of an image are not packed.
        if self.mesh_file is not None or not (info.context or {}).get("packed", True):
            return self
        largest, typical = self.size_law.bounds[1], self.size_law.median
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
        # With a gap g, a disc of diameter d needs the room of a disc of diameter d + g.
        swollen = self.active_fraction * (1.0 + self.minimum_gap / typical) ** self.dimension
        if swollen > 0.80:
            raise MistakeError(
                f"leaves no room for the particles: with their gaps they would fill "
                f"{swollen:.0%} of the coating",
                allowed="gap and active fraction that together fill up to 80 %",
                remedy="Lower the gap or geometry.active_fraction.",
                key=("minimum_gap",),
            )
        return self
