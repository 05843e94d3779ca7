"""What must be conserved, measured at every accepted step and reported, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heterode.solver.equations.system import CellSystem
from heterode.solver.time.stepper import State
from heterode.solver.time.terminal import Prescription


class Balances:
    """Largest relative errors of a run so far.

    charge   |sum of the interface currents - I| / |I|, the double layer's current among them
    lithium  |lithium the particles lost - charge passed / F| over all the charge that flowed;
             what the double layer has taken up since the start counts as not passed
    salt     |salt in the electrolyte - salt at the start| / salt at the start
    prescribed_charge   what passed against what the protocol prescribed, see `Prescribed`

    Args:
        system: owns the storage terms.
        start: the state before the first step.
    """

    def __init__(self, system: CellSystem, start: State) -> None:
        self._system = system
        self._lithium_0, self._salt_0 = self._stored(start)
        self._layer_0 = system.double_layer_charge(start.vector, start.V)
        self._time, self._throughput = start.time, 0.0
        self._prescribed = Prescribed(start, self._lithium_0 - self._layer_0)
        self.charge = self.lithium = self.salt = 0.0

    def _stored(self, state: State) -> tuple[float, float]:
        """Lithium in the particles and salt in the electrolyte, as charges, A s. Collective."""
        volume, comm = self._system.volume, self._system.layout.comm
        amounts = [float(volume.stored(name, state.vector).sum()) for name in ("s", "y")]
        lithium, salt = (float(comm.allreduce(amount)) for amount in amounts)
        return lithium, salt

    def update(self, state: State, prescription: Prescription) -> None:
        """Take an accepted state into account. Collective.

        Args:
            state: at the end of a time step.
            prescription: of the protocol for that step.
        """
        lithium, salt = self._stored(state)
        layer = self._system.double_layer_charge(state.vector, state.V)
        self._prescribed.update(state, lithium - layer, prescription)
        self._throughput += abs(state.I) * (state.time - self._time)
        self._time = state.time
        self.charge = max(self.charge, state.charge_error)
        if self._throughput > 0:
            missing = abs(self._lithium_0 - lithium - (state.charge - (layer - self._layer_0)))
            self.lithium = max(self.lithium, missing / self._throughput)
        self.salt = max(self.salt, abs(salt - self._salt_0) / self._salt_0)

    @property
    def memory(self) -> dict[str, Any]:
        """All that `update` depends on."""
        return {
            "lithium_0": self._lithium_0,
            "salt_0": self._salt_0,
            "double_layer_0": self._layer_0,
            "time": self._time,
            "throughput": self._throughput,
            "prescribed": self._prescribed.memory,
            **self.as_dict(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from the memory of another run's balances."""
        self._lithium_0, self._salt_0 = memory["lithium_0"], memory["salt_0"]
        self._layer_0 = memory.get("double_layer_0", 0.0)
        self._time, self._throughput = memory["time"], memory["throughput"]
        self.charge, self.lithium = memory["charge"], memory["lithium"]
        self.salt = memory["salt"]
        self._prescribed.recall(memory.get("prescribed"))

    def as_dict(self) -> dict[str, float]:
        """For the manifest."""
        return {
            "charge": self.charge,
            "lithium": self.lithium,
            "salt": self.salt,
            "prescribed_charge": self._prescribed.error(self._throughput),
        }


class Prescribed:
    """What passed, against what the protocol prescribed.

    Over all steps together that prescribe a current,

        charge   |charge passed - integral of the prescribed current|
        lithium  |lithium moved - integral of the prescribed current|

    relative to all the charge that flowed, and over those that prescribe a power

        energy   |energy passed - integral of the prescribed power|

    relative to all the energy prescribed. Charge and energy passed are the time scheme's integrals
    of I and V I, those of its equations; lithium moved is what left the particles or went into the
    double layer; the prescribed integrals follow from the protocol's numbers and the time alone.

    Args:
        start: the state before the first step.
        stored: lithium in the particles less the charge in the double layer there, A s.
    """

    def __init__(self, start: State, stored: float) -> None:
        self._before: dict[str, float] | None = _amounts(start, stored)
        self._gaps = dict.fromkeys(self._before, 0.0)
        self._widest = dict(self._gaps)
        self._energy = 0.0

    def update(self, state: State, stored: float, prescription: Prescription) -> None:
        """Take a time step into account; see `Balances.update`."""
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
        """The largest relative error; 0 where nothing was prescribed but rests.

        Args:
            throughput: all the charge that flowed, A s.
        """
        over = {"charge": throughput, "lithium": throughput, "energy": self._energy}
        errors = [self._widest[name] / size for name, size in over.items() if size > 0.0]
        return max(errors, default=0.0)

    @property
    def memory(self) -> dict[str, Any]:
        """All that `update` depends on."""
        return {
            "before": self._before,
            "gaps": dict(self._gaps),
            "widest": dict(self._widest),
            "energy": self._energy,
        }

    def recall(self, memory: Mapping[str, Any] | None) -> None:
        """Go on from the memory of another run; None, of a version without one, begins here."""
        if memory is None:
            self._before = None
            return
        self._before = memory["before"]
        self._gaps, self._widest = dict(memory["gaps"]), dict(memory["widest"])
        self._energy = memory["energy"]


def _amounts(state: State, stored: float) -> dict[str, float]:
    """Charge passed, lithium moved, as A s, and energy passed, J, since some beginning."""
    return {"charge": state.charge, "lithium": -stored, "energy": state.energy}
