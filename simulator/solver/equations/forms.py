"""The volume terms of a cell: the weak forms of all balances by their kind of assembly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import ufl
from dolfinx import fem

from heterode.geometry import tags
from heterode.physics.active_material import ActivePhase
from heterode.physics.balances import Balance, Table
from heterode.physics.weak_form import DOMAINS, Domain, Floats, Region
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, Submesh
from heterode.solver.discretisation.restriction import ParticleRestriction
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.volume import Block, WeakForms


class CellContext:
    """The ingredients of one cell's weak forms: a `heterode.physics.weak_form.Context`.

    Args:
        mesh, spaces: mesh and spaces of the cell.
        material: active material of its particles.
        inner: phi_s on the particles if their conductivity is a function of s.

    Attributes:
        parameters: parameters of the cell.
        T: temperature, K.
        material: active material of the particles.
        u, v: unknowns and test functions.
        dx, flux_dx: integration measures.
        lumping: share of the particles' storage that is lumped; None for none.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        material: ActivePhase,
        spaces: Spaces,
        inner: ParticleRestriction | None = None,
    ) -> None:
        self._mesh, self.material, self.parameters = mesh, material, material.parameters
        self.T = self.parameters.temperature
        self.u: dict[str, Any] = dict(spaces.functions)
        if inner is not None:
            self.u[inner.name] = inner.function
        self.v = {name: ufl.TestFunction(f.function_space) for name, f in self.u.items()}
        parts = {name: mesh.domain(name) for name in DOMAINS}
        self.dx = {name: spaces.measure(part) for name, part in parts.items()}
        self.flux_dx = {name: spaces.gradient_measure(part) for name, part in parts.items()}
        self._properties: dict[tuple[Any, ...], fem.Function] = {}
        self.lumping = None if mesh.lumping is None else _of_cells(mesh.particles, mesh.lumping)

    def constant(self, domain: Domain, value: float) -> fem.Constant:
        """Return a number on a domain."""
        return fem.Constant(self._mesh.domain(domain).mesh, np.float64(value))

    def by_region(self, domain: Domain, values: Mapping[Region, float | Floats]) -> fem.Function:
        """Return a property that is constant in each region of a domain; equal ones are shared."""
        key = (domain, *sorted((region, np.asarray(v).tobytes()) for region, v in values.items()))
        if key not in self._properties:
            self._properties[key] = self._piecewise(domain, values)
        return self._properties[key]

    def _piecewise(self, domain: Domain, values: Mapping[Region, float | Floats]) -> fem.Function:
        part = self._mesh.domain(domain)
        by_cell = np.full(part.cell_tags.size, np.nan)
        for tag, region in tags.REGIONS.items():
            by_cell[part.cell_tags == tag] = values.get(region, np.nan)
        particle = part.cell_tags - tags.PARTICLE_OFFSET
        inside = particle >= 0
        of_particles = np.asarray(values.get("particles", np.nan))
        by_cell[inside] = of_particles if of_particles.ndim == 0 else of_particles[particle[inside]]
        if np.isnan(by_cell).any():
            raise ValueError(f"a property of the domain {domain} lacks one of its regions")
        return _of_cells(part, by_cell)


def _of_cells(part: Submesh, values: Floats) -> fem.Function:
    """Return a function that is constant in each cell, from its values in the local cells."""
    function = fem.Function(fem.functionspace(part.mesh, ("DG", 0)))
    function.x.array[np.asarray(function.function_space.dofmap.list).ravel()] = values
    return function


def weak_forms(table: Table, context: CellContext) -> WeakForms:
    """Sort the weak forms of a table by whether their matrices are constant or follow the state.

    Raises:
        ValueError: a row says that its volume term is linear, but it is not.
    """
    found, sources = WeakForms(), False
    inside: dict[str, Any] = {}
    for row in table.rows:
        weak, unknown = row.forms(context), context.u[row.field]
        if row.stored != (weak.storage is not None):
            raise ValueError(f"the row of {row.field} and its form differ in whether it is stored")
        if weak.storage is not None:
            found.storage[row.field] = _bilinear(weak.storage, unknown)
        if weak.lumped is not None:
            found.lumped[row.field] = _bilinear(weak.lumped, unknown)
        if weak.linear:
            _refuse_others(row, weak.volume, context)
            found.constant[row.field] = _bilinear(weak.volume, unknown)
        else:
            found.nonlinear[row.field] = weak.volume
        if weak.inside is not None:
            inside[row.restricted] = weak.inside
            sources |= _has_source(weak.inside, context.v[row.restricted])
        sources |= _has_source(weak.volume, context.v[row.field])
    found.nonlinear.update(inside)
    for name, residual in found.nonlinear.items():
        found.derivatives.update(_derivatives(name, residual, context))
    return replace(found, without_sources=not sources)


def _has_source(form: Any, test: Any) -> bool:
    """Check whether a form does not vanish for a constant test function, by its symbols."""
    return bool(ufl.replace(form, {test: ufl.as_ufl(1.0)}).integrals())


def _bilinear(form: Any, unknown: fem.Function) -> Any:
    """Return the bilinear form of a form that is linear in an unknown."""
    return ufl.replace(form, {unknown: ufl.TrialFunction(unknown.function_space)})


def _unknowns(form: Any, context: CellContext) -> dict[str, fem.Function]:
    """Return the unknowns on which a form depends."""
    used = form.coefficients()
    return {name: function for name, function in context.u.items() if function in used}


def _derivatives(row: str, residual: Any, context: CellContext) -> dict[Block, Any]:
    """Return the derivatives of a residual with respect to all unknowns on which it depends."""
    return {
        (row, name): ufl.derivative(residual, u, ufl.TrialFunction(u.function_space))
        for name, u in _unknowns(residual, context).items()
    }


def _refuse_others(row: Balance, volume: Any, context: CellContext) -> None:
    used = set(_unknowns(volume, context))
    if used != {row.field}:
        raise ValueError(
            f"the volume term of {row.field} is not linear: it holds {', '.join(sorted(used))}"
        )
