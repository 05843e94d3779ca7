r"""The error that the mesh of the particles makes, estimated while a run goes on.

In every particle that reacts, two radial problems take the mean flux of the run: one on the mesh's
own radial spacing, and one on a spacing so fine that its own error does not count. Their difference
is the mesh's error ds of the surface's lithium fraction. Both take the same time steps, so that
their own time errors cancel.

The errors ds change the currents i_p of the particles and the voltage V together. At a given
current, the potential of a particle is W(s) = U(s) + eta(i / i0(s)), so that, with G_p the
derivative of its current by V, summed over its surface S_p,

    S_p di_p = G_p (dV - (W(s) - W(s - ds_p - r_p))),        sum S_p di_p = dI.

r_p is the response of the surface to the particle's own current error so far, which a third radial
problem follows. What is prescribed at the terminals gives one more equation: dI = 0 for a current,
a rest or a charge, V dI + I dV = 0 for a power, and dV = 0 for a voltage. For small errors, fast
kinetics and equal particles this is dV = sum(g U' ds) / sum(g) with g = G_p. The difference of W
takes the place of its slope, since both U' and i0 change by factors over some percent of lithium.

The errors of the particles' mean lithium fractions are the integrals of di_p.

While the voltage is prescribed, the current is in error instead. Of the voltage, dV = -Z dI then
remains for the particles, where Z = (V - W) / I is what all else in the cell takes of the voltage
for its current now. The voltage error is what the errors ds would do to the voltage at the present
current, without the responses r_p.

Left out: the response of salt and potentials between the particles, and all error along the
surfaces. The estimate is reported, and never subtracted from V.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heterode.accuracy.radial_particles import Diffusivity, RadialParticles
from heterode.accuracy.spacing import RadialMesh, refined
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.physics.kinetics import ButlerVolmer

Floats = npt.NDArray[np.float64]

NEWTON = 8
"""Newton steps for the overpotential of a current, which is their start if both coefficients are
one half."""

Held = Literal["current", "power", "voltage"]
"""What is prescribed at the terminals over a time step."""

SAFETY = 1.25
"""Factor on the difference of the two radial problems, usual for estimates from several grids
(Roache, J. Fluids Eng. 116, 405 (1994)). It covers what a radial problem does not have: surfaces
whose lithium varies, of which U is not the U of the mean."""

SMALLEST_CHORD = 1e-6
"""Shortest difference of lithium fractions for a chord; a shorter one has too few digits."""

INSIDE = (1e-6, 1.0 - 1e-6)
"""Lithium fractions between which the exact surface is sought: i0 is zero at 0 and 1."""


@dataclass(frozen=True)
class Interface:
    """The particles' surfaces after a time step; arrays have shape (N,) for all particles.

    Attributes:
        mean: mean lithium fractions.
        surface: mean lithium fractions of the surfaces; NaN where none reacts.
        density: mean current densities, A m^-2, positive when lithium leaves; NaN as above.
        by_voltage: G_p, derivatives of the particles' currents by V, A V^-1.
    """

    mean: Floats
    surface: Floats
    density: Floats
    by_voltage: Floats


@dataclass(frozen=True)
class Errors:
    """What the mesh is estimated to have added to the exact values.

    Attributes:
        voltage_V: error of the cell voltage, V; see above while the voltage is prescribed.
        current_A: error of the cell current, A; 0 while the current is prescribed.
        lithium: (N,) errors of the particles' mean lithium fractions.
        surface: (N,) errors ds of their surfaces at given currents.
    """

    voltage_V: float
    current_A: float
    lithium: Floats
    surface: Floats


class SpaceErrors:
    """Follows the error of the mesh through a run. Nothing here communicates.

    Args:
        mesh: the radial spacing of the mesh.
        diffusivity: D, m^2 s^-1, or D as a function of lithium fractions.
        maximum_concentration: c_max, mol m^-3.
        reaction: the law of the reaction; its penalty is not used.
        start: (N,) lithium fractions at the start.
        degree: polynomial degree of the mesh's lithium fraction.
    """

    def __init__(
        self,
        mesh: RadialMesh,
        diffusivity: Diffusivity,
        maximum_concentration: float,
        reaction: ButlerVolmer,
        start: Floats,
        degree: int = 1,
    ) -> None:
        d = mesh.dimension
        self._mesh, self._reaction = mesh, reaction
        self._current = FARADAY * maximum_concentration
        self._thermal = GAS_CONSTANT * reaction.temperature / FARADAY
        self._coarse = RadialParticles(mesh.ends, d, diffusivity, degree, mesh.lumping)
        fine = tuple(refined(radii) for radii in mesh.ends)
        self._fine = RadialParticles(fine, d, diffusivity, degree)
        begin = start[mesh.particles]
        zeros = np.zeros(len(begin))
        self._state: dict[str, Floats] = {
            "mean": begin,
            "coarse": self._coarse.spread(begin),
            "fine": self._fine.spread(begin),
            "response": self._fine.spread(zeros),
            "lithium": zeros,
        }
        self._count = len(start)

    @property
    def memory(self) -> Mapping[str, Floats]:
        """All on which the next estimates depend, by name."""
        return dict(self._state)

    def recall(self, memory: Mapping[str, Floats]) -> None:
        """Continue from the memory of the same run."""
        self._state = {name: np.asarray(memory[name]) for name in self._state}

    def advance(self, step: float, at: Interface, held: Held, V: float, I: float) -> Errors:
        """Take an accepted time step into account, and return the errors at its end.

        Args:
            step: its length, s.
            at: the particles at its end.
            held: what was prescribed over it.
            V, I: voltage, V, and current, A, at its end.
        """
        mesh, state = self._mesh, self._state
        now = Interface(*(values[mesh.particles] for values in vars(at).values()))
        flux = -(now.mean - state["mean"]) / step * mesh.radii / mesh.dimension
        ds, shift, answer = self._radial(step, flux)
        G = now.by_voltage
        H = -G * self._chord(now, ds + shift)
        # A current's own error acts on its surface within the step.
        free = mesh.surfaces / (mesh.surfaces - H * answer / self._current)
        from_lithium, from_voltage = free * H * (ds + shift), free * G
        total_G, total = float(from_voltage.sum()), float(from_lithium.sum())
        applied = dV = -total / total_G
        dI = 0.0
        if held == "voltage":
            dV = float((G * self._chord(now, ds)) @ ds) / float(G.sum())
            lost = V - float(G @ self._potentials(now)[0]) / float(G.sum())
            resistance = max(lost / I, 0.0) if I != 0.0 else 0.0
            dI = total / (1.0 + resistance * total_G)
            applied = -resistance * dI
        elif held == "power":
            applied = dV = -V * total / (V * total_G + I)
            dI = -I * dV / V
        density = (from_lithium + from_voltage * applied) / mesh.surfaces
        state["response"] = state["response"] + self._unit * self._fine.spread(density)
        rate = -density / self._current * mesh.dimension / mesh.radii
        state["lithium"] = state["lithium"] + step * rate
        state["mean"] = now.mean
        return Errors(dV, dI, self._all(state["lithium"]), self._all(ds))

    def _radial(self, step: float, flux: Floats) -> tuple[Floats, Floats, Floats]:
        """Advance the radial problems.

        Returns:
            (K,) errors ds, surfaces' responses to the currents' errors before this step, and
            surfaces' responses to a flux of 1 m s^-1 over it.
        """
        state, coarse, fine = self._state, self._coarse, self._fine
        before = state["fine"]
        profile = coarse.advance(step, state["coarse"], state["coarse"][:, None], flux[:, None])
        state["coarse"] = profile[:, 0]
        zeros = np.zeros_like(flux)
        profiles = fine.advance(
            step,
            before,
            np.stack([before, state["response"], np.zeros_like(before)], axis=1),
            np.stack([flux, zeros, zeros + 1.0], axis=1),
        )
        state["fine"], state["response"] = profiles[:, 0], profiles[:, 1]
        self._unit = profiles[:, 2] / self._current
        ds = SAFETY * (state["coarse"][coarse.surface] - state["fine"][fine.surface])
        return ds, state["response"][fine.surface], profiles[fine.surface, 2]

    def _chord(self, at: Interface, error: Floats) -> Floats:
        """Return the slope of W(s) between the exact and the present surface, V."""
        wide = np.where(np.abs(error) > SMALLEST_CHORD, error, SMALLEST_CHORD)
        law = self._reaction
        exact = np.clip(at.surface - wide, *INSIDE)
        W, x = self._potentials(at)
        rises = np.exp(law.anodic * x) - np.exp(-law.cathodic * x)
        less = law.exchange(at.surface, 1.0) / law.exchange(exact, 1.0)
        x_exact = _argument(rises * less, law.anodic, law.cathodic)
        U_exact, _ = law.curve.potential_and_slope(exact)
        return np.asarray((W - U_exact - x_exact * self._thermal) / (at.surface - exact))

    def _potentials(self, at: Interface) -> tuple[Floats, Floats]:
        """Return W of the particles, V, and their overpotentials in RT/F."""
        law = self._reaction
        U, _ = law.curve.potential_and_slope(at.surface)
        # i/g gives the overpotential, and with it the exchange current of the mean surface.
        ratio = at.density * self._mesh.surfaces / (at.by_voltage * self._thermal)
        x = np.log((1.0 + ratio * law.cathodic) / (1.0 - ratio * law.anodic))
        return np.asarray(U + x * self._thermal), np.asarray(x)

    def _all(self, values: Floats) -> Floats:
        """Return (N,) values, with 0 for particles that do not react."""
        spread = np.zeros(self._count)
        spread[self._mesh.particles] = values
        return spread


def _argument(rises: Floats, anodic: float, cathodic: float) -> Floats:
    """Return x with exp(anodic x) - exp(-cathodic x) = rises, where anodic + cathodic = 1."""
    x = 2.0 * np.arcsinh(0.5 * rises)
    for _ in range(NEWTON):
        up, down = np.exp(anodic * x), np.exp(-cathodic * x)
        x = x - (up - down - rises) / (anodic * up + cathodic * down)
    return np.asarray(x)
