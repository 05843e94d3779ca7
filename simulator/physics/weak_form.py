"""What a weak form of a balance is written with, and what it consists of.

A form reads its unknowns, test functions, measures and properties from a `Context`; of meshes,
matrices and files it knows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from heterode.parameters import Parameters
    from heterode.physics.active_material import ActivePhase

Floats = npt.NDArray[np.float64]

Domain = Literal["particles", "electrolyte", "carbon"]
"""Where a field lives: in the particles; in carbon-binder domain and separator; in the
carbon-binder domain, and in the particles as well where they conduct electrons."""

DOMAINS: tuple[Domain, ...] = ("particles", "electrolyte", "carbon")

Region = Literal["particles", "binder", "separator"]
"""Parts of a domain that differ in their properties."""


class Context(Protocol):
    """The unknowns, measures and properties of one cell."""

    @property
    def parameters(self) -> Parameters:
        """The cell's parameters, in SI units."""

    @property
    def T(self) -> float:
        """Temperature, K."""

    @property
    def material(self) -> ActivePhase:
        """What the particles are made of."""

    @property
    def u(self) -> Mapping[str, Any]:
        """The unknowns by field; and a field's restriction to the particles, if it has one."""

    @property
    def v(self) -> Mapping[str, Any]:
        """A test function for each of them."""

    @property
    def dx(self) -> Mapping[Domain, Any]:
        """The volume element of each domain."""

    @property
    def flux_dx(self) -> Mapping[Domain, Any]:
        """The same for products of two gradients with a coefficient that varies slowly."""

    def constant(self, domain: Domain, value: float) -> Any:
        """A number on a domain; another value needs no other compiled form."""

    def by_region(self, domain: Domain, values: Mapping[Region, float | Floats]) -> Any:
        """A property that is constant in each region of a domain; the same one if asked again.

        Args:
            domain: where.
            values: of its regions; those of the particles may be (N,), one for each.
        """


@dataclass(frozen=True)
class Weak:
    """The weak form of one balance but for its boundary: d/dt storage + volume + boundary = 0.

    Attributes:
        storage: integral of what is stored, times v; linear in the field. None: nothing is.
        volume: integral of -flux . grad v - source v.
        linear: the volume term holds no unknown but the field itself, and that linearly, so that
            its matrix can be assembled once.
        inside: volume term on the particles alone, tested with the restriction's test function.
    """

    storage: Any | None
    volume: Any
    linear: bool = False
    inside: Any | None = None
