r"""Closes the balances of a time step exactly, without a solve with the cell's matrix.

Newton's method for the fields needs few updates, but each leaves an error in the balances that is
larger than what a run may accumulate. Here every particle's lithium fraction, the salt and the two
potentials are each shifted by a constant, together with V and I. The integrals of all volume terms
except storage are zero whatever the fields, since a constant test function has no gradient. The
N + 4 balances of N particles,

    particle k   d/dt integral of F c_max s        + integral of i over its surface        = 0
    others       d/dt integral of what is stored   + sum over surfaces of factor * current = 0
    collector    h(u, I) = 0
    terminals    g(V, I) = 0,

then depend on the shifts by storage, which is linear, and by currents at the surfaces alone. Their
Jacobian is diagonal in the particles, bordered by the few others. It is eliminated in O(N).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from heterode.physics.balances import SCALARS
from heterode.physics.kinetics import Flux
from heterode.solver.equations.system import APPLIED, CellSystem, SurfaceTerm
from heterode.solver.time.bdf import Rates
from heterode.solver.time.terminal import TerminalControl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CLOSED = 1e-13
"""Imbalance, relative to the current, at which the balances count as closed."""

STALLED = 0.5
"""Ratio of an imbalance to the one before from which it counts as rounding."""

MOST_EVALUATIONS = 8

V_NAME, I_NAME = (scalar.name for scalar in SCALARS)


@dataclass(frozen=True)
class Instant:
    """The relations of one time level.

    Attributes:
        control: relation at the terminals.
        rates: du/dt and dV/dt of a state at that time.
        scale: current to which imbalances are relative, A.
    """

    control: TerminalControl
    rates: Rates
    scale: float


@dataclass(frozen=True)
class Closed:
    """A state whose balances are closed as far as rounding allows.

    Attributes:
        vector: (owned,) state.
        V, I: cell voltage, V, and current, A.
        fluxes: surface currents at that state.
        totals: integrals of these currents, A.
        imbalance: largest imbalance left, relative to the current.
        shifts: largest shift of each field, and of V.
    """

    vector: Floats
    V: float
    I: float
    fluxes: Mapping[str, Flux]
    totals: Mapping[str, float]
    imbalance: float
    shifts: Mapping[str, float]


@dataclass(frozen=True)
class _Currents:
    """Integrals of the surface currents and of their derivatives, the same on every rank.

    Attributes:
        fluxes: current densities by surface.
        values: (K,) or (1,) integrals by surface, A.
        slopes: their derivatives by surface and unknown; empty if not asked for.
        potential: integral of the collector's potential over its contact.
    """

    fluxes: Mapping[str, Flux]
    values: Mapping[str, Floats]
    slopes: Mapping[str, Mapping[str, Floats]]
    potential: float


class Closure:
    """Closes the balances of a cell.

    Args:
        system: has the storage and surface terms.
        count: number of particles, or of groups of them that share nodes.
        of_node: (nodes,) particle or group of each local node, ghosts included.
        of_point: (points,) that of each quadrature point of the reaction's surface.
    """

    def __init__(self, system: CellSystem, count: int, of_node: Ints, of_point: Ints) -> None:
        self._system, self._layout = system, system.layout
        self._count, self._of_node, self._of_point = count, of_node, of_point
        table = self._layout.table
        self._lithium = table.lithium.field
        self._terms = system.surfaces
        touched = {
            field for term in self._terms.values() for field in (*term.factors, *term.law.fields)
        }
        others = [row for row in table.rows if row.field != self._lithium]
        self._coupled = [row.field for row in others if row.field in touched]
        # A field that no current touches has a balance of its own.
        self._apart = [row.field for row in others if row.field not in touched and row.stored]
        self._stored = [row.field for row in table.stored]
        ones = np.ones(self._layout.owned)
        self._basis = {name: system.volume.stored(name, ones) for name in self._stored}
        self._masses = self._by_balance(self._basis)

    @staticmethod
    def applies(system: CellSystem) -> bool:
        """Check that volume terms hold no sources, and that only reactions meet lithium."""
        lithium = system.layout.table.lithium.field
        facets = system.reaction.surface.facets
        return system.volume.without_sources and all(
            term.surface.facets == facets
            for term in system.surfaces.values()
            if lithium in (*term.factors, *term.law.fields)
        )

    def close(self, vector: Floats, V: float, I: float, instant: Instant) -> Closed | None:
        """Close the balances of an iterate of a time step. Collective.

        The fields' functions are set to the returned state.

        Returns:
            The state; None if the shifts are not finite.
        """
        at_points = self._at_points(vector, instant)
        rate, alpha = instant.rates(vector), instant.rates.alpha
        stored = self._by_balance(
            {f: basis * rate[self._layout.slices[f]] for f, basis in self._basis.items()},
            loads=True,
        )
        shift: dict[str, Floats] = {
            name: np.zeros(len(self._masses[name]) if name in self._masses else 1)
            for name in (self._lithium, *self._coupled, *self._apart, V_NAME, I_NAME)
        }
        best: tuple[float, dict[str, Floats], _Currents] | None = None
        slopes: Mapping[str, Mapping[str, Floats]] = {}
        for attempt in range(MOST_EVALUATIONS):
            now_V, now_I = V + float(shift[V_NAME][0]), I + float(shift[I_NAME][0])
            currents = self._currents(
                at_points, shift, now_V, now_I, instant, with_slopes=attempt == 0
            )
            slopes = slopes or currents.slopes
            control = instant.control(now_V, now_I)
            balances = self._balances(stored, shift, currents, now_I, control, alpha)
            imbalance = self._imbalance(balances, control, instant.scale)
            if not np.isfinite(imbalance):
                return None
            if best is None or imbalance < best[0]:
                stalled = best is not None and imbalance > STALLED * best[0]
                best = (imbalance, shift, currents)
            else:
                stalled = True
            if imbalance <= CLOSED or stalled:
                break
            change = self._solved(balances, slopes, control, alpha)
            if change is None:
                return None
            shift = {name: shift[name] + change[name] for name in shift}
        assert best is not None
        return self._closed(vector, V, I, *best)

    # -- sums -------------------------------------------------------------------------------

    def _by_balance(self, parts: Mapping[str, Floats], *, loads: bool = False) -> dict[str, Floats]:
        """Sum owned contributions to the rows of stored fields over each balance. Collective."""
        given = self._system.loads if loads else {}
        names = [*parts, *(name for name in given if name not in parts)]
        sizes = [self._count if name == self._lithium else 1 for name in names]
        local = np.zeros(sum(sizes))
        starts = np.cumsum([0, *sizes])
        for name, start, size in zip(names, starts, sizes, strict=False):
            for values, sign in ((parts.get(name), 1.0), (given.get(name), -1.0)):
                if values is not None:
                    local[start : start + size] += sign * self._grouped(name, values)
        total = self._sum(local)
        return {n: total[s : s + k] for n, s, k in zip(names, starts, sizes, strict=False)}

    def _grouped(self, name: str, values: Floats) -> Floats:
        if name != self._lithium:
            return np.array([values.sum()])
        return _binned(self._of_node[: values.size], values, self._count)

    def _sum(self, local: Floats) -> Floats:
        total = np.empty_like(local)
        self._layout.comm.Allreduce(local, total, op=MPI.SUM)
        return total

    # -- currents ---------------------------------------------------------------------------

    def _at_points(self, vector: Floats, instant: Instant) -> dict[str, dict[str, Floats]]:
        """Return the fields, or their rates, on which each surface's current depends."""
        values, rates = self._layout.spread(vector), None
        found = {}
        for name, term in self._terms.items():
            given = values
            if term.surface.of_rates:
                if rates is None:
                    rates = self._system.local_rates(instant.rates(vector))
                given = rates
            found[name] = {f: term.trace.at_points(f, given[f]) for f in term.law.fields}
        collector = self._system.collector
        found[""] = {"": collector.trace.at_points(APPLIED.field, values[APPLIED.field])}
        return found

    def _currents(
        self,
        at_points: Mapping[str, Mapping[str, Floats]],
        shift: Mapping[str, Floats],
        V: float,
        I: float,
        instant: Instant,
        *,
        with_slopes: bool,
    ) -> _Currents:
        fluxes: dict[str, Flux] = {}
        parts: list[Floats] = []
        places: list[tuple[str, str]] = []
        for name, term in self._terms.items():
            pace = instant.rates.alpha if term.surface.of_rates else 1.0
            at = {
                field: values + pace * self._spread_shift(field, shift[field])
                for field, values in at_points[name].items()
            }
            if term.surface.of_rates:
                fluxes[name] = term.law(at, instant.rates.of_voltage(V), 0.0)
            else:
                fluxes[name] = term.law(at, V, I)
            parts.append(self._integrals(term, fluxes[name].value))
            places.append((name, ""))
            if with_slopes:
                for unknown, slope in fluxes[name].derivatives.items():
                    parts.append(pace * self._integrals(term, slope))
                    places.append((name, unknown))
        collector = self._system.collector.trace
        potential = at_points[""][""] + shift[APPLIED.field]
        parts.append(np.array([collector.weights @ potential]))
        total = self._sum(np.concatenate(parts))
        ends = np.cumsum([part.size for part in parts])
        summed = np.split(total, ends[:-1])
        by_place = dict(zip(places, summed, strict=False))
        slopes: dict[str, dict[str, Floats]] = {name: {} for name in fluxes} if with_slopes else {}
        for (name, unknown), integral in by_place.items():
            if unknown:
                slopes[name][unknown] = integral
        values = {name: by_place[name, ""] for name in fluxes}
        return _Currents(fluxes, values, slopes, float(summed[-1][0]))

    def _spread_shift(self, field: str, shift: Floats) -> Floats:
        return shift[self._of_point] if field == self._lithium else shift

    def _integrals(self, term: SurfaceTerm, density: Floats) -> Floats:
        """Return this rank's share of a surface integral, by particle if lithium passes there."""
        if self._by_particle(term):
            weighted = term.trace.weights * density
            return _binned(self._of_point, weighted, self._count)
        return np.array([term.trace.weights @ density])

    def _by_particle(self, term: SurfaceTerm) -> bool:
        return self._lithium in (*term.factors, *term.law.fields)

    # -- balances ---------------------------------------------------------------------------

    def _balances(
        self,
        stored: Mapping[str, Floats],
        shift: Mapping[str, Floats],
        currents: _Currents,
        I: float,
        control: tuple[float, float, float],
        alpha: float,
    ) -> dict[str, Floats]:
        """Return what is left of each balance, by field, with h and g by "I" and "V"."""
        found = {}
        for field in (self._lithium, *self._coupled, *self._apart):
            rest = np.array(stored.get(field, np.zeros(1)))
            if field in self._masses:
                rest = rest + alpha * self._masses[field] * shift[field]
            for name, term in self._terms.items():
                if field in term.factors:
                    passed = currents.values[name]
                    whole = passed if field == self._lithium else passed.sum(keepdims=True)
                    rest = rest + term.factors[field] * whole
            found[field] = rest
        if self._system.collects_current:
            through = currents.values[self._system.collector.surface.name].sum()
            found[I_NAME] = np.array([I + through])
        else:
            found[I_NAME] = np.array([currents.potential])
        found[V_NAME] = np.array([control[0]])
        return found

    def _imbalance(
        self, balances: Mapping[str, Floats], control: tuple[float, float, float], scale: float
    ) -> float:
        """Return the largest imbalance relative to the current."""
        left = [float(np.abs(balances[name]).sum()) for name in (self._lithium, *self._coupled)]
        if self._system.collects_current:
            left.append(abs(float(balances[I_NAME][0])))
        g, _, g_I = control
        if g_I != 0.0:
            left.append(abs(g / g_I))
        # A comparison with NaN would hide it.
        return float(np.max(left)) / scale

    def _solved(
        self,
        balances: Mapping[str, Floats],
        slopes: Mapping[str, Mapping[str, Floats]],
        control: tuple[float, float, float],
        alpha: float,
    ) -> dict[str, Floats] | None:
        """Return the shifts that make the linearised balances zero, or None."""
        names = [*self._coupled, V_NAME, I_NAME]
        own = alpha * self._masses[self._lithium] + self._slope(
            slopes, self._lithium, self._lithium
        )
        right = {name: self._slope(slopes, self._lithium, name) for name in names}
        rows, rhs = [], []
        for field in self._coupled:
            below = self._slope(slopes, field, self._lithium) / own
            row = []
            for column in names:
                entry = self._whole_slope(slopes, field, column)
                if column == field and field in self._masses:
                    entry += alpha * float(self._masses[field][0])
                row.append(entry - float((below * right[column]).sum()))
            rows.append(row)
            rhs.append(-float(balances[field][0]) + float((below * balances[self._lithium]).sum()))
        rows += [self._control_row(names, control), self._collector_row(names, slopes)]
        rhs += [-float(balances[V_NAME][0]), -float(balances[I_NAME][0])]
        matrix = np.array(rows)
        sizes = np.abs(matrix).max(axis=1)
        if not (np.isfinite(matrix).all() and (sizes > 0.0).all()):
            return None
        try:
            few = np.linalg.solve(matrix / sizes[:, None], np.array(rhs) / sizes)
        except np.linalg.LinAlgError:
            return None
        change = {name: np.array([value]) for name, value in zip(names, few, strict=True)}
        moved = sum((right[name] * change[name][0] for name in names), np.zeros(self._count))
        change[self._lithium] = -(balances[self._lithium] + moved) / own
        for field in self._apart:
            change[field] = -balances[field] / (alpha * self._masses[field])
        return change if all(np.isfinite(part).all() for part in change.values()) else None

    def _slope(
        self, slopes: Mapping[str, Mapping[str, Floats]], field: str, unknown: str
    ) -> Floats:
        """Return (K,) the derivative of each particle's part of a balance's currents."""
        found = np.zeros(self._count)
        for name, term in self._terms.items():
            if field in term.factors and unknown in slopes[name] and self._by_particle(term):
                found += term.factors[field] * slopes[name][unknown]
        return found

    def _whole_slope(
        self, slopes: Mapping[str, Mapping[str, Floats]], field: str, unknown: str
    ) -> float:
        """Return the derivative of all currents of a balance."""
        return sum(
            term.factors[field] * float(slopes[name][unknown].sum())
            for name, term in self._terms.items()
            if field in term.factors and unknown in slopes[name]
        )

    def _control_row(self, names: list[str], control: tuple[float, float, float]) -> list[float]:
        _, g_V, g_I = control
        return [{V_NAME: g_V, I_NAME: g_I}.get(name, 0.0) for name in names]

    def _collector_row(
        self, names: list[str], slopes: Mapping[str, Mapping[str, Floats]]
    ) -> list[float]:
        collector = self._system.collector
        if not self._system.collects_current:
            area = float(self._layout.comm.allreduce(float(collector.trace.weights.sum())))
            return [area if name == APPLIED.field else 0.0 for name in names]
        of_contact = slopes[collector.surface.name]
        row = [float(of_contact[name].sum()) if name in of_contact else 0.0 for name in names]
        row[names.index(I_NAME)] += 1.0
        return row

    def _closed(
        self,
        vector: Floats,
        V: float,
        I: float,
        imbalance: float,
        shift: Mapping[str, Floats],
        currents: _Currents,
    ) -> Closed:
        vector = vector.copy()
        for field in (self._lithium, *self._coupled, *self._apart):
            part = self._layout.slices[field]
            given = shift[field]
            if field == self._lithium:
                given = given[self._of_node[: part.stop - part.start]]
            vector[part] += given
        self._layout.spread(vector)
        return Closed(
            vector,
            V + float(shift[V_NAME][0]),
            I + float(shift[I_NAME][0]),
            currents.fluxes,
            {name: float(values.sum()) for name, values in currents.values.items()},
            imbalance,
            {name: float(np.abs(part).max()) for name, part in shift.items() if name != I_NAME},
        )


def _binned(bins: Ints, weights: Floats, count: int) -> Floats:
    """Return (count,) the sums of the weights in each bin."""
    return np.bincount(bins, weights, minlength=count).astype(np.float64, copy=False)
