"""What is prescribed at the cell's terminals: one relation g(V, I) = 0.

Constant current, constant voltage and rest differ in g alone; power, or a table of currents in
time, are further g's. V is in volts, I in amperes (per metre of depth in 2D), positive on charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class TerminalControl(Protocol):
    """A relation between voltage and current."""

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        """g, dg/dV, dg/dI."""


@dataclass(frozen=True)
class ConstantCurrent:
    """I = `current`, A."""

    current: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return I - self.current, 0.0, 1.0


@dataclass(frozen=True)
class ConstantVoltage:
    """V = `voltage`, V."""

    voltage: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return V - self.voltage, 1.0, 0.0
