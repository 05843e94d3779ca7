r"""The time error of the lithium at the particles' surfaces, and of the voltage through it.

After a jump of the current, a surface's lithium moves with the square root of time. No scheme for
smooth solutions can tell its error there from a few states. Therefore one particle of mean size is
followed beside the cell, by radial elements on the mesh's own spacing. In their modes, with rates
l_k and weights w_k,

    du_k/dt = -D l_k u_k - w_k q,     s(surface) - s(mean) = sum u_k,

where q = i/(F c_max) is the mean flux out of all particles. This is solved twice: by the time
scheme, with the cell's own steps, and exactly. The flux in between is linear from state to state,
and constant over the first step after a jump. The difference of the two at the surface is the time
error ds. With the current density i(s, V) of the interface, it changes the voltage by

    dV = -ds int di/ds / int di/dV     (integrals over the particles' surfaces).

A time step adds to ds an error of its own, which decays afterwards. Errors count from 0.1 s after a
jump on: an earlier step is judged by what is left of its error then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.accuracy.radial import RadialModes
from heterode.accuracy.record import SETTLED
from heterode.physics.kinetics import Flux
from heterode.solver.time.bdf import Differentiation

Floats = npt.NDArray[np.float64]

RESOLVING = 0.01
"""Shortest time step, s, that is ever taken to keep the error small from SETTLED on."""

SHORTER = 0.85
"""Ratio of the lengths of time steps that are tried, one after another."""

SMALL = 1e-3
"""Argument below which (x - 1 + exp(-x))/x^2 is 1/2 - x/6 + x^2/24 to ten digits or more."""


@dataclass(frozen=True)
class Interface:
    """All that the particle of mean size takes from a state of the cell.

    Attributes:
        flux: mean flux q out of the particles, m s^-1.
        slope: change of the voltage with the surfaces' lithium at constant current, V.
        diffusivity: D at the surfaces' mean lithium fraction, m^2 s^-1.
    """

    flux: float
    slope: float
    diffusivity: float


Probe = Callable[[Floats, Mapping[str, Flux]], Interface]
"""Function of an owned vector and the currents at that state. Collective."""


@dataclass(frozen=True)
class SurfaceState:
    """The particle of mean size at one time.

    Attributes:
        stepped: (K,) parts u_k by the time scheme.
        exact: (K,) parts u_k without time error.
        at: the interface at that time.
    """

    stepped: Floats
    exact: Floats
    at: Interface

    @property
    def voltage_error(self) -> float:
        """Time error of the voltage at constant current, V."""
        return self.at.slope * float((self.stepped - self.exact).sum())

    @property
    def plain(self) -> dict[str, Any]:
        """The same as lists, ready for JSON."""
        at = [self.at.flux, self.at.slope, self.at.diffusivity]
        return {"stepped": self.stepped.tolist(), "exact": self.exact.tolist(), "at": at}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Sequence[float]]) -> SurfaceState:
        """Return the state of which these are the lists."""
        stepped, exact = np.array(plain["stepped"]), np.array(plain["exact"])
        return cls(stepped, exact, Interface(*plain["at"]))


class SurfaceLithium:
    """The particle of mean size.

    Args:
        nodes: (N,) radii between which its elements lie, m, from 0 to its surface.
        dimension: 2 for a disc, 3 for a sphere.
        degree: degree of its elements.
        lumping: (N - 1,) lumped share of their mass; None for none.
        probe: reads a state of the cell.
        flux_of_current: flux q for a cell current of 1 A, m s^-1 A^-1.
    """

    def __init__(
        self,
        nodes: Floats,
        dimension: int,
        degree: int,
        lumping: Floats | None,
        probe: Probe,
        flux_of_current: float,
    ) -> None:
        radius = float(nodes[-1])
        ends: Floats = np.asarray(nodes / radius, dtype=np.float64)
        modes = RadialModes(ends, dimension, degree, lumping)
        self._rates, self._weights = modes.rates / radius**2, modes.weights / radius
        self.probe, self.flux_of_current = probe, flux_of_current

    def at_rest(self, vector: Floats, fluxes: Mapping[str, Flux]) -> SurfaceState:
        """Return the particle without gradients, in a cell with this state. Collective."""
        zeros = np.zeros_like(self._rates)
        return SurfaceState(zeros, zeros, self.probe(vector, fluxes))

    def after(
        self,
        step: float,
        past: Sequence[SurfaceState],
        scheme: Differentiation,
        at: Interface,
        *,
        jumped: bool,
    ) -> SurfaceState:
        """Return the particle after a time step.

        Args:
            step: length of the step, s.
            past: past states, newest first.
            scheme: the time scheme of the step.
            at: the interface at its end.
            jumped: whether the terminals' control jumps where the step begins.
        """
        decay = at.diffusivity * self._rates
        beta = scheme.past([state.stepped for state in past])
        stepped = -(beta + self._weights * at.flux) / (scheme.alpha + decay)
        begin = at.flux if jumped else past[0].at.flux
        x = decay * step
        gone = -np.expm1(-x)
        rising = np.where(x > SMALL, (x - gone) / x**2, 0.5 - x / 6 + x**2 / 24)
        passed = step * (begin * gone / x + (at.flux - begin) * rising)
        return SurfaceState(stepped, past[0].exact * np.exp(-x) - self._weights * passed, at)

    def own_error(
        self, step: float, before: SurfaceState, after: SurfaceState, wait: float
    ) -> float:
        """Return what a time step adds to the time error of the voltage, V.

        Args:
            step: its length, s.
            before, after: the particle at its beginning and end.
            wait: time after its end, s, at which its error is taken.
        """
        decay = after.at.diffusivity * self._rates
        inherited = (before.stepped - before.exact) * np.exp(-decay * step)
        own = (after.stepped - after.exact - inherited) * np.exp(-decay * wait)
        return after.at.slope * float(own.sum())

    def longest(
        self,
        longest: float,
        past: Sequence[SurfaceState],
        scheme: Callable[[float], Differentiation],
        flux: Callable[[float], float],
        tolerance: Callable[[int], float],
        elapsed: float,
    ) -> float:
        """Return the longest time step, s, whose own error is within the tolerance.

        Args:
            longest: longest step to try, s.
            past: past states, newest first.
            scheme: the time scheme by the length of a step.
            flux: the flux at its end, m s^-1, by the same.
            tolerance: allowed error of the voltage, V, by the scheme's order.
            elapsed: time from the last jump to its beginning, s.
        """
        length = longest
        while length > RESOLVING:
            tried = scheme(length)
            at = Interface(flux(length), past[0].at.slope, past[0].at.diffusivity)
            after = self.after(length, past, tried, at, jumped=elapsed == 0.0)
            wait = waiting(elapsed + length)
            if abs(self.own_error(length, past[0], after, wait)) <= tolerance(tried.order):
                break
            length *= SHORTER
        return min(max(length, RESOLVING), longest)


def waiting(elapsed: float) -> float:
    """Return how long it takes until errors count, s, by the time since the last jump."""
    return max(0.0, SETTLED - elapsed)
