"""Errors of conserved quantities, which are computed at every accepted step and reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heterode.solver.equations.system import CellSystem
from heterode.solver.time.state import State
from heterode.solver.time.terminal import Prescription


class Conservation:
    """Largest relative errors of a run so far.

    charge   |sum of the interface currents - I| / |I|, including the double layer's current
    lithium  |lithium that the particles lost - charge passed / F| over all the charge that flowed;
             charge that the double layer has stored since the start counts as not passed
    salt     |salt in the electrolyte - salt at the start| / salt at the start
    prescribed_charge   charge that passed against that of the protocol, see `Prescribed`

    Lithium and salt are two of the stored fields in the table of balances. The same applies to
    others: the stored amount changes by `Balance.released` times the charge that passed, or not at
    all. The table's boundary factors are not used here, since they could be wrong.

    Args:
        system: has the storage terms.
        start: the state before the first step.
    """

    def __init__(self, system: CellSystem, start: State) -> None:
        self._system, self._table = system, system.layout.table
        self._start = self._stored(start)
        self._layer_0 = system.double_layer_charge(start.vector, start.V)
        self._time, self._throughput = start.time, 0.0
        self._prescribed = Prescribed(start, self._lithium(self._start) - self._layer_0)
        self.charge = 0.0
        self._errors = dict.fromkeys(self._start, 0.0)

    def _lithium(self, by_name: Mapping[str, float]) -> float:
        return by_name[self._table.lithium.conserved]

    def _stored(self, state: State) -> dict[str, float]:
        """Return stored amounts, such as lithium and salt, as charges, A s. Collective."""
        rows = self._table.stored
        return {row.conserved: self._system.stored(row, state.vector) for row in rows}

    def update(self, state: State, prescription: Prescription) -> None:
        """Take an accepted state into account. Collective.

        Args:
            state: state at the end of a time step.
            prescription: what the protocol prescribes for that step.
        """
        stored = self._stored(state)
        layer = self._system.double_layer_charge(state.vector, state.V)
        self._prescribed.update(state, self._lithium(stored) - layer, prescription)
        self._throughput += abs(state.I) * (state.time - self._time)
        self._time = state.time
        self.charge = max(self.charge, state.charge_error)
        for row in self._table.stored:
            name = row.conserved
            whole = self._throughput if row.released else self._start[name]
            if whole > 0:
                passed = state.charge - (layer - self._layer_0)
                missing = abs(self._start[name] - stored[name] - row.released * passed)
                self._errors[name] = max(self._errors[name], missing / whole)

    @property
    def memory(self) -> dict[str, Any]:
        """Return all on which `update` depends."""
        return {
            **{f"{name}_0": amount for name, amount in self._start.items()},
            "double_layer_0": self._layer_0,
            "time": self._time,
            "throughput": self._throughput,
            "prescribed": self._prescribed.memory,
            **self.as_dict(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Continue from the memory of another run's balances."""
        self._start = {name: memory[f"{name}_0"] for name in self._start}
        self._layer_0 = memory.get("double_layer_0", 0.0)
        self._time, self._throughput = memory["time"], memory["throughput"]
        self.charge = memory["charge"]
        self._errors = {name: memory[name] for name in self._errors}
        self._prescribed.recall(memory.get("prescribed"))

    def as_dict(self) -> dict[str, float]:
        """Return the errors for the manifest."""
        return {
            "charge": self.charge,
            **self._errors,
            "prescribed_charge": self._prescribed.error(self._throughput),
        }


class Prescribed:
    """Compares what passed with what the protocol prescribed.

    The errors over all steps that prescribe a current are

        charge   |charge passed - integral of the prescribed current|
        lithium  |lithium moved - integral of the prescribed current|

    relative to all the charge that flowed, and over those that prescribe a power

        energy   |energy passed - integral of the prescribed power|

    relative to all the prescribed energy. Charge and energy passed are the time scheme's integrals
    of I and V I. Lithium moved is the amount that left the particles or entered the double layer.
    The prescribed integrals follow from the protocol's numbers and the time alone.

    Args:
        start: the state before the first step.
        stored: lithium in the particles minus the double layer's charge at that time, A s.
    """

    def __init__(self, start: State, stored: float) -> None:
        self._before: dict[str, float] | None = _amounts(start, stored)
        self._gaps = dict.fromkeys(self._before, 0.0)
        self._widest = dict(self._gaps)
        self._energy = 0.0

    def update(self, state: State, stored: float, prescription: Prescription) -> None:
        """Take a time step into account; see `Conservation.update`."""
        now, before = _amounts(state, stored), self._before
        self._before = now
        if before is None:
            return
        wanted = {
            "charge": prescription.charge,
            "lithium": prescription.charge,
            "energy": prescription.energy,
        }
        for name, amount in wanted.items():
            if amount is not None:
                self._gaps[name] += now[name] - before[name] - amount
                self._widest[name] = max(self._widest[name], abs(self._gaps[name]))
        self._energy += abs(prescription.energy or 0.0)

    def error(self, throughput: float) -> float:
        """Return the largest relative error; 0 if nothing except rests was prescribed.

        Args:
            throughput: all the charge that flowed, A s.
        """
        over = {"charge": throughput, "lithium": throughput, "energy": self._energy}
        errors = [self._widest[name] / size for name, size in over.items() if size > 0.0]
        return max(errors, default=0.0)

    @property
    def memory(self) -> dict[str, Any]:
        """Return all on which `update` depends."""
        return {
            "before": self._before,
            "gaps": dict(self._gaps),
            "widest": dict(self._widest),
            "energy": self._energy,
        }

    def recall(self, memory: Mapping[str, Any] | None) -> None:
        """Continue from the memory of another run; None, from older versions, begins here."""
        if memory is None:
            self._before = None
            return
        self._before = memory["before"]
        self._gaps, self._widest = dict(memory["gaps"]), dict(memory["widest"])
        self._energy = memory["energy"]


def _amounts(state: State, stored: float) -> dict[str, float]:
    """Return charge passed and lithium moved, A s, and energy passed, J, up to a state."""
    return {"charge": state.charge, "lithium": -stored, "energy": state.energy}
