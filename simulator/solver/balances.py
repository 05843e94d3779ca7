"""What must be conserved, measured at every accepted step and reported, never assumed."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.solver.stepper import State
from simulator.solver.system import CellSystem


class Balances:
    """Largest relative errors of a run so far.

    charge   |sum of the interface currents - I| / |I|, the double layer's current among them
    lithium  |lithium the particles lost - charge passed / F| over all the charge that flowed;
             what the double layer has taken up since the start counts as not passed
    salt     |salt in the electrolyte - salt at the start| / salt at the start

    Args:
        system: owns the storage terms.
        start: the state before the first step.
    """

    def __init__(self, system: CellSystem, start: State) -> None:
        self._system = system
        self._lithium_0, self._salt_0 = self._stored(start)
        self._layer_0 = system.double_layer_charge(start.vector, start.V)
        self._time, self._throughput = start.time, 0.0
        self.charge = self.lithium = self.salt = 0.0

    def _stored(self, state: State) -> tuple[float, float]:
        """Lithium in the particles and salt in the electrolyte, as charges, A s. Collective."""
        volume, comm = self._system.volume, self._system.layout.comm
        amounts = [float(volume.stored(name, state.vector).sum()) for name in ("s", "y")]
        lithium, salt = (float(comm.allreduce(amount)) for amount in amounts)
        return lithium, salt

    def update(self, state: State) -> None:
        """Take an accepted state into account. Collective."""
        lithium, salt = self._stored(state)
        self._throughput += abs(state.I) * (state.time - self._time)
        self._time = state.time
        self.charge = max(self.charge, state.charge_error)
        if self._throughput > 0:
            layer = self._system.double_layer_charge(state.vector, state.V) - self._layer_0
            missing = abs(self._lithium_0 - lithium - (state.charge - layer))
            self.lithium = max(self.lithium, missing / self._throughput)
        self.salt = max(self.salt, abs(salt - self._salt_0) / self._salt_0)

    @property
    def memory(self) -> dict[str, float]:
        """All that `update` depends on."""
        return {
            "lithium_0": self._lithium_0,
            "salt_0": self._salt_0,
            "double_layer_0": self._layer_0,
            "time": self._time,
            "throughput": self._throughput,
            **self.as_dict(),
        }

    def recall(self, memory: Mapping[str, float]) -> None:
        """Go on from the memory of another run's balances."""
        self._lithium_0, self._salt_0 = memory["lithium_0"], memory["salt_0"]
        self._layer_0 = memory.get("double_layer_0", 0.0)
        self._time, self._throughput = memory["time"], memory["throughput"]
        self.charge, self.lithium = memory["charge"], memory["lithium"]
        self.salt = memory["salt"]

    def as_dict(self) -> dict[str, float]:
        """For the manifest."""
        return {"charge": self.charge, "lithium": self.lithium, "salt": self.salt}
