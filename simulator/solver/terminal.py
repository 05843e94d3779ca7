"""What is prescribed at the cell's terminals: one relation g(V, I, t) = 0.

Current, voltage, power, rest and a current that changes in time differ in g alone. V is in volts,
I in amperes (per metre of depth in 2D), positive on charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


class TerminalControl(Protocol):
    """A relation between voltage and current."""

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        """g, dg/dV, dg/dI; linear in I."""

    def at(self, time: float) -> TerminalControl:
        """The relation at a time, s."""


class _Steady:
    """A relation that does not change in time."""

    def at(self, time: float) -> Self:
        return self


@dataclass(frozen=True)
class ConstantCurrent(_Steady):
    """I = `current`, A."""

    current: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return I - self.current, 0.0, 1.0


@dataclass(frozen=True)
class ConstantVoltage(_Steady):
    """V = `voltage`, V."""

    voltage: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return V - self.voltage, 1.0, 0.0


@dataclass(frozen=True)
class ConstantPower(_Steady):
    """V I = `power`, W (per metre of depth in 2D), positive on charge."""

    power: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return V * I - self.power, I, V


@dataclass(frozen=True)
class CurrentRamp:
    """I = `current` + `slope` (t - `begin`); A, A s^-1, s."""

    current: float
    slope: float
    begin: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        raise TypeError("a current that changes in time is prescribed at a time alone")

    def at(self, time: float) -> ConstantCurrent:
        return ConstantCurrent(self.current + self.slope * (time - self.begin))
