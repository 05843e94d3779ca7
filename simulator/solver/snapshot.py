"""The march as plain data: all on which its next steps depend, for any number of ranks.

In addition to the last states, this includes the present linearisation: Newton's method keeps it
from step to step, and a new one would lead to other iterates, which differ by Newton's tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.solver.bounds import Bounds, Clip, Memory
from heterode.solver.model import CellModel
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.forcing import Foreseen
from heterode.solver.time.march import BEGINNING, Position
from heterode.solver.time.newton import Linearised
from heterode.solver.time.state import Memory as Past
from heterode.solver.time.state import State
from heterode.solver.time.stepper import Stepper
from heterode.solver.time.surface_lithium import SurfaceState

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a march.

    Attributes:
        entries: numbers, ready for JSON.
        arrays: (total,) arrays by name, in the order of the mesh file, and "bounds", (4, N), by
            particle.
    """

    entries: Mapping[str, Any]
    arrays: Mapping[str, Floats]


@dataclass(frozen=True)
class _Noted:
    position: Position
    memory: Past
    linearised: Linearised | None
    balances: Mapping[str, Any]
    bounds: Memory
    counts: Mapping[str, int]
    wear: tuple[int | None, int]
    foreseen: Foreseen | None


class Snapshots:
    """Takes snapshots of a march, and returns it to a snapshot. Construction is collective.

    A snapshot is that of the state noted last, since a time step that fails or is abandoned later
    may change the present linearisation, but a resumed run must have it as it was.

    Args:
        model: the cell.
        stepper: its stepper.
        balances: its conservation balances.
        bounds: the ranges of its particles' lithium fractions.
    """

    def __init__(
        self, model: CellModel, stepper: Stepper, balances: Conservation, bounds: Bounds
    ) -> None:
        self._model, self._stepper = model, stepper
        self._balances, self._bounds = balances, bounds
        self._order = model.order()
        self.note(BEGINNING)

    def note(self, position: Position) -> None:
        """Note the present state of the march at `position`. It copies no vector."""
        self._noted = _Noted(
            position,
            self._stepper.memory,
            self._model.newton.linearised,
            self._balances.memory,
            self._bounds.memory,
            self._counts(),
            self._model.linear.wear,
            self._model.newton.foreseen,
        )

    def take(self) -> Snapshot | None:
        """Return the march as noted last on rank 0, None elsewhere. Collective."""
        noted = self._noted
        memory, linearised = noted.memory, noted.linearised
        vectors = {f"past_{i}": state.vector for i, state in enumerate(memory.past)}
        if linearised is not None:
            vectors["linearised"] = linearised.vector
        gathered = {name: self._order.gather(vector) for name, vector in vectors.items()}
        arrays = {name: array for name, array in gathered.items() if array is not None}
        if not arrays:
            return None
        arrays["bounds"] = noted.bounds.ranges
        entries = {
            "position": asdict(noted.position),
            "past": [_numbers(state) for state in memory.past],
            "surfaces": [
                None if state.surface is None else state.surface.plain for state in memory.past
            ],
            "jump": memory.jump,
            "linearised": None if linearised is None else _numbers(linearised),
            "balances": noted.balances,
            "clip": noted.bounds.clip.as_dict(),
            "counts": noted.counts,
            "wear": noted.wear,
            "foreseen": None if noted.foreseen is None else asdict(noted.foreseen),
        }
        return Snapshot(entries, arrays)

    def restore(self, snapshot: Snapshot | None) -> Position:
        """Return the cell to its state when the snapshot was taken. Collective.

        Args:
            snapshot: the snapshot on rank 0, None elsewhere.

        Returns:
            The position from which to continue the march.
        """
        comm = self._model.layout.comm
        entries = comm.bcast(None if snapshot is None else snapshot.entries, root=0)

        def vector(name: str) -> Floats:
            return self._order.scatter(None if snapshot is None else snapshot.arrays[name])

        # Older checkpoints do not have surfaces.
        surfaces = entries.get("surfaces", [None] * len(entries["past"]))
        past = [
            State(
                vector=vector(f"past_{i}"),
                fluxes={},
                surface=None if surface is None else SurfaceState.of_plain(surface),
                **numbers,
            )
            for i, (numbers, surface) in enumerate(zip(entries["past"], surfaces, strict=True))
        ]
        past[0] = self._with_fluxes(past[0])
        at = entries["linearised"]
        linearised = None if at is None else Linearised(vector=vector("linearised"), **at)
        counts = entries["counts"]
        self._stepper.recall(
            Past(tuple(past), entries["jump"], counts["steps"], counts["rejected_steps"])
        )
        self._balances.recall(entries["balances"])
        ranges = comm.bcast(None if snapshot is None else snapshot.arrays.get("bounds"), root=0)
        bounds = None if ranges is None else Memory(ranges, Clip(**entries["clip"]))
        self._bounds.recall(bounds, past[0])
        self._model.newton.relinearise(linearised)
        # This comes last, since linearising has just counted its own iterations.
        self._model.newton.iterations = counts["newton_iterations"]
        # Older checkpoints do not have the following three.
        self._model.newton.unclosed = counts.get("unclosed_iterations", 0)
        fresh, last = entries.get("wear", self._model.linear.wear)
        self._model.linear.wear = (fresh, last)
        foreseen = entries.get("foreseen")
        self._model.newton.foreseen = None if foreseen is None else Foreseen(**foreseen)
        self._model.linear.iterations = counts["krylov_iterations"]
        self._model.bordered.linearisations = counts["linearisations"]
        position = Position(**entries["position"])
        self.note(position)
        return position

    def _with_fluxes(self, state: State) -> State:
        """Return a state with its surface currents, which follow from it. Collective."""
        rest = np.zeros_like(state.vector)
        residual = self._model.system.residual(state.vector, rest, state.V, state.I)
        return replace(state, fluxes=residual.fluxes)

    def _counts(self) -> dict[str, int]:
        return {
            "steps": self._stepper.steps,
            "rejected_steps": self._stepper.rejected,
            "newton_iterations": self._model.newton.iterations,
            "unclosed_iterations": self._model.newton.unclosed,
            "krylov_iterations": self._model.linear.iterations,
            "linearisations": self._model.bordered.linearisations,
        }


def _numbers(record: State | Linearised) -> dict[str, float]:
    """Return the scalars of a record by name."""
    return {
        name: float(value)
        for name, value in vars(record).items()
        if name not in ("vector", "fluxes", "extremes", "surface")
    }
