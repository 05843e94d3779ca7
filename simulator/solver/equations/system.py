"""Residual and Jacobian of the whole cell at a given state.

    R(u, V, I) = 0      all fields
    h(u, I)    = 0      the collector: I is what flows through it (or its mean potential is zero)

u has the fields of the table of balances, V is the cell voltage, V, and I the cell current, A
(per metre of depth in 2D), positive on charge. All rows of R are currents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from dolfinx import fem
from dolfinx.la import InsertMode
from mpi4py import MPI
from petsc4py import PETSc

from heterode.physics.balances import SCALARS, Balance, Surface
from heterode.physics.kinetics import Flux, SurfaceCurrent
from heterode.solver.discretisation.facets import FacetTrace
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.matrix import CoordinateMatrix
from heterode.solver.equations.volume import VolumeTerms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

APPLIED = next(scalar for scalar in SCALARS if scalar.surface is not None)
"""The cell current, and the surface through which it flows."""


@dataclass(frozen=True)
class SurfaceTerm:
    """A current through a surface, and the residuals that it enters.

    Attributes:
        surface: surface in the table of balances.
        trace: the fields' trace on the surface.
        law: law of the current density.
        factors: factor of the boundary integral for each field whose residual it enters.
    """

    surface: Surface
    trace: FacetTrace
    law: SurfaceCurrent
    factors: Mapping[str, float]

    def flux(self, values: Mapping[str, Floats], V: float, I: float) -> Flux:
        """Return the current density at the quadrature points."""
        at_points = {f: self.trace.at_points(f, values[f]) for f in self.law.fields}
        return self.law(at_points, V, I)

    def integral(self, flux: Flux) -> float:
        """Return this rank's share of the surface integral of the current, A."""
        return float(self.trace.weights @ flux.value)


@dataclass(frozen=True)
class Residual:
    """Residual at a state, with the currents through its surfaces.

    Attributes:
        vector: (owned,) residual R, A.
        constraint: residual h, A (or V m^(dim-1) for a uniform collector current).
        fluxes: current densities by surface name.
    """

    vector: Floats
    constraint: float
    fluxes: Mapping[str, Flux]


@dataclass(frozen=True)
class Border:
    """Derivatives with respect to the scalars, and of their equations, beside the matrix.

    Attributes:
        columns: (owned,) dR/dV and, if needed, dR/dI, by "V" and "I".
        row: (owned,) dh/du.
        corner: dh/dI.
    """

    columns: Mapping[str, Floats]
    row: Floats
    corner: float


class CellSystem:
    """Assembles residual, Jacobian and border.

    Args:
        layout: positions of the fields.
        volume: volume terms.
        surfaces: surface terms by name, including that of the cell current.
        collector_kind: "current" if h means that I flows through the collector's contact, "gauge"
            if h means that the mean of phi_s over it is zero.

    Attributes:
        matrix: the matrix of `jacobian`, with the values of its last call.
    """

    def __init__(
        self,
        layout: FieldLayout,
        volume: VolumeTerms,
        surfaces: Mapping[str, SurfaceTerm],
        collector_kind: Literal["current", "gauge"],
    ) -> None:
        self.layout, self.volume, self.surfaces = layout, volume, dict(surfaces)
        self._collector_kind = collector_kind
        self._accumulators = {
            name: fem.Function(layout.functions[name].function_space) for name in layout.fields
        }
        self.loads: Mapping[str, Floats] = {}
        self._rates = self._rate_functions()
        self.matrix = self._create_matrix()

    def _rate_functions(self) -> dict[str, fem.Function]:
        """Return functions for the rates of the fields on which surface terms depend."""
        fields = {
            f for term in self.surfaces.values() if term.surface.of_rates for f in term.law.fields
        }
        return {
            name: fem.Function(self.layout.functions[name].function_space)
            for name in sorted(fields)
        }

    # -- residual ---------------------------------------------------------------------------

    def residual(
        self, vector: Floats, rate: Floats, V: float, I: float, rate_V: float = 0.0
    ) -> Residual:
        """Compute R and h. Collective; the fields' functions are set to `vector`.

        Args:
            vector: (owned,) state.
            rate: (owned,) du/dt, s^-1; only stored fields are read, and the potentials if the
                interface has a double layer.
            V, I: cell voltage, V, and current, A.
            rate_V: dV/dt, V s^-1; it is read if the interface has a double layer.
        """
        values = self.layout.spread(vector)
        rates = self.local_rates(rate)
        self._clear()
        self.volume.add_nonlinear(self._accumulators)
        fluxes = {}
        for name, term in self.surfaces.items():
            if term.surface.of_rates:
                fluxes[name] = term.flux(rates, rate_V, 0.0)
            else:
                fluxes[name] = term.flux(values, V, I)
            self._add_load(term, fluxes[name].value)
        for name, load in self.loads.items():
            self._accumulators[name].x.array[:] -= load
        residual = self._collect()
        self.volume.add_linear(residual, vector, rate)
        return Residual(residual, self._constraint(values, fluxes, I), fluxes)

    def local_rates(self, rate: Floats) -> dict[str, Floats]:
        """Return local values, ghosts included, of the rates on which surface terms depend."""
        for name, function in self._rates.items():
            part = self.layout.slices[name]
            function.x.array[: part.stop - part.start] = rate[part]
            function.x.scatter_forward()
        return {name: function.x.array for name, function in self._rates.items()}

    def _constraint(
        self, values: Mapping[str, Floats], fluxes: Mapping[str, Flux], I: float
    ) -> float:
        collector = self.collector
        if self.collects_current:
            local = collector.integral(fluxes[collector.surface.name])
            return I + float(self.layout.comm.allreduce(local))
        potential = collector.trace.at_points(APPLIED.field, values[APPLIED.field])
        return float(self.layout.comm.allreduce(float(collector.trace.weights @ potential)))

    def _clear(self) -> None:
        for accumulator in self._accumulators.values():
            accumulator.x.array[:] = 0.0

    def _add_load(self, term: SurfaceTerm, density: Floats) -> None:
        load = term.trace.load(density)
        for name, factor in term.factors.items():
            # Trace nodes are distinct degrees of freedom, so += adds each exactly once.
            self._accumulators[name].x.array[term.trace.dofs[name]] += factor * load

    def _collect(self) -> Floats:
        """Add ghost rows to those of their owners and return the owned vector."""
        vector = np.empty(self.layout.owned)
        for name, accumulator in self._accumulators.items():
            accumulator.x.scatter_reverse(InsertMode.add)
            part = self.layout.slices[name]
            vector[part] = accumulator.x.array[: part.stop - part.start]
        return vector

    # -- Jacobian ---------------------------------------------------------------------------

    def jacobian(
        self, fluxes: Mapping[str, Flux], leading: float, *, keep_volume: bool = False
    ) -> CoordinateMatrix:
        """Return dR/du at the state last given to `residual`. Collective.

        Args:
            fluxes: fluxes of that residual.
            leading: d(du/dt)/du of the time scheme, s^-1.
            keep_volume: whether to keep the last linearisation of state-dependent volume terms;
                surface terms and storage, which change faster, are always renewed.
        """
        if not keep_volume:
            self.volume.linearise()
        self.matrix.begin()
        position = 0
        for block in self.volume.blocks:
            position = self.matrix.add(position, self.volume.block_values(block, leading))
        for name, term in self.surfaces.items():
            weight = leading if term.surface.of_rates else 1.0
            for column in term.law.fields:
                mass = term.trace.mass(fluxes[name].derivatives[column])
                for factor in term.factors.values():
                    position = self.matrix.add(position, mass, weight * factor)
        self.matrix.finish()
        return self.matrix

    def border(self, fluxes: Mapping[str, Flux], leading: float) -> Border:
        """Return the derivatives that border the matrix at the state last given to `residual`.

        Args:
            fluxes, leading: arguments as for `jacobian`.
        """
        columns = {}
        for scalar in (scalar.name for scalar in SCALARS):
            touched = [n for n in self.surfaces if scalar in fluxes[n].derivatives]
            if touched:
                self._clear()
                for name in touched:
                    weight = leading if self.surfaces[name].surface.of_rates else 1.0
                    derivative = fluxes[name].derivatives[scalar]
                    self._add_load(self.surfaces[name], weight * derivative)
                columns[scalar] = self._collect()
        surface, collector = self.collector.surface, self.collector.trace
        if self.collects_current:
            density, corner = fluxes[surface.name].derivatives[APPLIED.field], 1.0
        else:
            density, corner = np.ones(collector.weights.size), 0.0
        self._clear()
        nodes = collector.dofs[APPLIED.field]
        self._accumulators[APPLIED.field].x.array[nodes] += collector.load(density)
        return Border(columns, self._collect(), corner)

    def _create_matrix(self) -> CoordinateMatrix:
        """Make the matrix from the coordinates of all terms' entries; repeated ones are summed."""
        rows, columns = [], []

        def add(row: Ints, column: Ints) -> None:
            # PETSc's indices take half the memory of NumPy's.
            rows.append(row.astype(PETSc.IntType))
            columns.append(column.astype(PETSc.IntType))

        positions = self.layout.global_of
        for block in self.volume.blocks:
            add(*self.volume.entries(block))
        for term in self.surfaces.values():
            trace = term.trace
            for column in term.law.fields:
                for row in term.factors:
                    add(
                        positions[row][trace.dofs[row][trace.pair_rows]],
                        positions[column][trace.dofs[column][trace.pair_columns]],
                    )
        all_rows, all_columns = np.concatenate(rows), np.concatenate(columns)
        rows.clear()
        columns.clear()
        return CoordinateMatrix(
            self.layout.comm, self.layout.owned, self.layout.total, all_rows, all_columns
        )

    # -- integrals --------------------------------------------------------------------------

    def stored(self, row: Balance, vector: Floats) -> float:
        """Return the stored amount of a field as a charge, A s. Collective."""
        return float(self.layout.comm.allreduce(float(self.volume.stored(row.field, vector).sum())))

    @property
    def collector(self) -> SurfaceTerm:
        """The term of the surface through which the cell current flows."""
        assert APPLIED.surface is not None
        return self.surfaces[APPLIED.surface.name]

    @property
    def collects_current(self) -> bool:
        """Whether h means that I flows through the collector's contact."""
        return self._collector_kind == "current"

    @property
    def reactions(self) -> list[SurfaceTerm]:
        """The terms of the reactions, whose currents follow from the fields alone."""
        return [
            term
            for term in self.surfaces.values()
            if term.surface.kind == "reaction" and not term.surface.of_rates
        ]

    @property
    def reaction(self) -> SurfaceTerm:
        """The term of the active material's reaction."""
        (term,) = self.reactions
        return term

    @property
    def double_layer(self) -> SurfaceTerm | None:
        """The term of the double layer's charging, or None without a double layer."""
        layers = [term for term in self.surfaces.values() if term.surface.of_rates]
        return layers[0] if layers else None

    def reacted(self, totals: Mapping[str, float]) -> float:
        """Return the part of `totals` that flows through the particles' surfaces, A."""
        return sum(totals[n] for n, t in self.surfaces.items() if t.surface.kind == "reaction")

    def reaction_current(self, values: Mapping[str, Floats], V: float, I: float) -> float:
        """Return the integral of the reactions' current for given local fields, A. Collective."""
        local = sum(term.integral(term.flux(values, V, I)) for term in self.reactions)
        return float(self.layout.comm.allreduce(local))

    def double_layer_density(self, vector: Floats, V: float) -> Floats:
        """Return (points,) the double layer's charge at its surface's points, A s m^-2. Collective.

        It is linear in its arguments; the fields' functions are not changed.
        """
        term, values = self.double_layer, self.local_rates(vector)
        assert term is not None
        return np.asarray(term.flux(values, V, 0.0).value)

    def double_layer_charge(self, vector: Floats, V: float) -> float:
        """Return the charge in the double layer, A s, or 0 without one. Collective."""
        term = self.double_layer
        if term is None:
            return 0.0
        density = self.double_layer_density(vector, V)
        return float(self.layout.comm.allreduce(float(term.trace.weights @ density)))

    def totals(self, fluxes: Mapping[str, Flux]) -> dict[str, float]:
        """Return the surface integrals of the currents, A, the same on every rank. Collective."""
        names = list(self.surfaces)
        local = np.array([self.surfaces[n].integral(fluxes[n]) for n in names])
        total = np.empty_like(local)
        self.layout.comm.Allreduce(local, total, op=MPI.SUM)
        return dict(zip(names, total.tolist(), strict=True))
