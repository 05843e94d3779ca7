"""Controls at the cell's terminals: a relation g(V, I) = 0 at the end of a time step.

Current, voltage, power, rest and a time-dependent current only differ in g. V is in volts and I in
amperes (per metre of depth in 2D), positive on charge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from heterode.solver.time.bdf import Differentiation


class TerminalControl(Protocol):
    """A relation between voltage and current."""

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        """Return g, dg/dV and dg/dI; g is linear in I."""

    def over(self, scheme: Differentiation, times: Sequence[float]) -> TerminalControl:
        """Return the relation at the end of a time step.

        Args:
            scheme: time scheme of the step.
            times: times of its end and of the past states, s, with the newest first.
        """


class _Steady:
    """A relation that does not depend on time."""

    def over(self, scheme: Differentiation, times: Sequence[float]) -> Self:
        return self


@dataclass(frozen=True)
class ConstantCurrent(_Steady):
    """The relation I = `current`, A."""

    current: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return I - self.current, 0.0, 1.0


@dataclass(frozen=True)
class ConstantVoltage(_Steady):
    """The relation V = `voltage`, V."""

    voltage: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return V - self.voltage, 1.0, 0.0


@dataclass(frozen=True)
class ConstantPower(_Steady):
    """The relation V I = `power`, W (per metre of depth in 2D), positive on charge."""

    power: float

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        return V * I - self.power, I, V


@dataclass(frozen=True)
class PrescribedCharge:
    """A time-dependent current, prescribed by the charge that it passes.

    The time scheme determines the charge of a time step from the current at its end. The prescribed
    current is the scheme's own slope of the charge at its nodes, so that every step passes the
    exact integral of the current. If the current is linear over the nodes, the slope of order two
    is the current at that time; the slope of order one is the mean over the step.

    Attributes:
        passed: returns the charge, A s, between two times, s.
    """

    passed: Callable[[float, float], float]

    def __call__(self, V: float, I: float) -> tuple[float, float, float]:
        raise TypeError("a current that changes in time is prescribed over a time step alone")

    def over(self, scheme: Differentiation, times: Sequence[float]) -> ConstantCurrent:
        """Return the current at the end of a time step that makes its charge exact."""
        return ConstantCurrent(scheme.slope(self.passed, times))


@dataclass(frozen=True)
class Prescription:
    """The charge or energy that a control prescribes over a time step, if any.

    Attributes:
        charge: charge, A s; None if the current follows from something else.
        energy: energy of a constant power, J, otherwise None.
    """

    charge: float | None = None
    energy: float | None = None
