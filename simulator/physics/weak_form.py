"""The ingredients and the parts of a balance's weak form.

A form reads its unknowns, test functions, measures and properties from a `Context`; it does not
depend on meshes, matrices or files.
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
"""Domain of a field: the particles; carbon-binder domain and separator; or the carbon-binder
domain, together with the particles if they conduct electrons."""

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
        """Active material of the particles."""

    @property
    def u(self) -> Mapping[str, Any]:
        """Unknowns by field, and a field's restriction to the particles if it has one."""

    @property
    def v(self) -> Mapping[str, Any]:
        """Test function of each unknown."""

    @property
    def dx(self) -> Mapping[Domain, Any]:
        """Integration measure of each domain."""

    @property
    def flux_dx(self) -> Mapping[Domain, Any]:
        """Measure for products of two gradients with a coefficient that varies slowly."""

    @property
    def lumping(self) -> Any | None:
        """Share of the particles' storage that is lumped, constant in each cell; None for none."""

    def constant(self, domain: Domain, value: float) -> Any:
        """Return a number on a domain; a change of its value does not change the compiled form."""

    def by_region(self, domain: Domain, values: Mapping[Region, float | Floats]) -> Any:
        """Return a property that is constant in each region of a domain, made once for each domain.

        Args:
            domain: the domain.
            values: values in its regions; for the particles they may be (N,), one for each.
        """


@dataclass(frozen=True)
class Weak:
    """The weak form d/dt storage + volume + boundary = 0 of a balance, without the boundary.

    Attributes:
        storage: integral of the stored quantity times v, linear in the field; None for none.
        lumped: a further part of the storage, of whose matrix each row's sum is put on the
            diagonal; None for none.
        volume: integral of -flux . grad v - source v.
        linear: whether the volume term contains no unknown except the field itself, and that
            linearly, so that its matrix can be assembled once.
        inside: volume term on the particles alone, with the restriction's test function.
    """

    storage: Any | None
    volume: Any
    linear: bool = False
    inside: Any | None = None
    lumped: Any | None = None
