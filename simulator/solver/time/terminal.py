"""What is prescribed at the cell's terminals: a relation g(V, I) = 0 at the end of a time step.

Current, voltage, power, rest and a current that changes in time differ in g alone. V is in volts,
I in amperes (per metre of depth in 2D), positive on charge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from heterode.solver.time.bdf import Differentiation


class TerminalControl(Protocol):
    """A relation between voltage and current."""

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        """g, dg/dV, dg/dI; linear in I."""

    def over(self, scheme: Differentiation, times: Sequence[float]) -> TerminalControl:
        """The relation that a time step ends with.

        Args:
            scheme: of the step.
            times: s, of its end and of the past states, newest first.
        """


class _Steady:
    """A relation that does not change in time."""

    def over(self, scheme: Differentiation, times: Sequence[float]) -> Self:
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
class PrescribedCharge:
    """A current that changes in time, by the charge that it passes.

    The charge that a time step passes is what the time scheme makes of the current at its end.
    Prescribed there is the scheme's own slope of the charge at its nodes: so every step passes the
    exact integral of the current. Where the current is linear over the nodes, the slope of order
    two is the current at that time; that of order one is the mean over the step.

    Attributes:
        passed: the charge between two times, s; A s.
    """

    passed: Callable[[float, float], float]

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        raise TypeError("a current that changes in time is prescribed over a time step alone")

    def over(self, scheme: Differentiation, times: Sequence[float]) -> ConstantCurrent:
        return ConstantCurrent(scheme.slope(self.passed, times))


@dataclass(frozen=True)
class Prescription:
    """What a control prescribes over a time step, where it prescribes one of these at all.

    Attributes:
        charge: A s; None where the current follows from something else.
        energy: J, of a constant power, else None.
    """

    charge: float | None = None
    energy: float | None = None
