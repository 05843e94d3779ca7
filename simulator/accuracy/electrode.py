"""What a plan needs to know of an electrode: its particles, and the voltage at their surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.materials.exchange_currents import ExchangeCurrent
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters import Parameters
from heterode.physics.exchange import exchange_law

Floats = npt.NDArray[np.float64]

SHARES = (0.1, 0.5, 0.9)
"""Shares of the particles' surface; those of the radii that bound them are planned for."""


SIZES = 48
"""Radii that are looked at where each particle counts, however small. Layers end at another share
of the radius in each, so that few would miss the worst."""


@dataclass(frozen=True)
class Particles:
    """The particles of an electrode.

    Attributes:
        dimension: 2 for discs, 3 for spheres.
        radius: (K,) radii that stand for all, m, rising.
        core_size: (K,) radial size of their elements without layers, m.
        surface: their surface per area of the collector.
        volume: their volume per area of the collector, m.
        one_C: current of 1C, A m^-2 of the collector.
        penalty: median factor on the exchange current.
        unevenness: mean square of these factors over their squared mean.
        extremes: radii between which nearly all are, m; None for those that stand for all.
    """

    dimension: int
    radius: Floats
    core_size: Floats
    surface: float
    volume: float
    one_C: float
    penalty: float
    unevenness: float = 1.0
    extremes: tuple[float, float] | None = None

    @property
    def sizes(self) -> tuple[Floats, Floats]:
        """Return (SIZES,) radii of small to large particles and their elements' sizes, both m."""
        least, greatest = self.extremes or (float(self.radius[0]), float(self.radius[-1]))
        radius: Floats = np.asarray(np.geomspace(least, greatest, SIZES), dtype=np.float64)
        return radius, radius * np.interp(radius, self.radius, self.core_size / self.radius)


def radii_by_surface(radius: Floats, surface: Floats) -> Floats:
    """Return the radii below which lie the SHARES of the surface.

    Args:
        radius: (N,) radii.
        surface: (N,) surface of each, in any unit.
    """
    order = np.argsort(radius)
    below = np.cumsum(surface[order])
    # The 1e-12 allows for rounding, as where all particles are equal.
    places = np.searchsorted(below, (np.array(SHARES) - 1e-12) * below[-1])
    return np.asarray(radius[order][np.minimum(places, len(radius) - 1)], dtype=np.float64)


@dataclass(frozen=True)
class SurfaceLaw:
    """Voltage and diffusivity of the active material, by lithium fraction.

    The voltage is U(s) and the overpotential of the insertion, (2RT/F) asinh(i/(2 pen i0(s))).
    Charging currents are positive.

    Attributes:
        parameters: parameters of the run.
        particles: the particles of the electrode.
    """

    parameters: Parameters
    particles: Particles

    @cached_property
    def per_current(self) -> float:
        """Rate at which a unit current on the collector moves lithium, m s^-1 per A m^-2.

        Times current, R/D and a response to a unit flux, it is a change of the lithium fraction.
        """
        c_max = self.parameters.active_material.maximum_concentration
        return 1.0 / (FARADAY * c_max * self.particles.surface)

    @cached_property
    def capacity(self) -> float:
        """Charge of the whole lithium fraction, from 0 to 1, A s per m^2 of the collector."""
        c_max = self.parameters.active_material.maximum_concentration
        return FARADAY * c_max * self.particles.volume

    def potential(self, s: Floats) -> Floats:
        """Return U(s), V."""
        return self._curve.potential(s)

    def fraction(self, potential: float) -> float:
        """Return the lithium fraction at which U has a value, V."""
        return float(self._curve.lithium_fraction(potential))

    def voltage(self, s: Floats, current: Floats | float) -> Floats:
        """Return the voltage against lithium, V, for surface fractions and currents."""
        flux = np.asarray(current) / self.particles.surface
        exchange = self._exchange(np.clip(s, 1e-6, 1.0 - 1e-6), np.ones_like(s))
        ratio = flux / (2.0 * self.particles.penalty * np.maximum(exchange, 1e-30))
        total: Floats = self.potential(s) + 2.0 * self._thermal * np.arcsinh(ratio)
        return total

    def slope(self, s: Floats, current: Floats | float) -> Floats:
        """Return the derivative of the voltage with the surface fraction, V."""
        step = 1e-6
        rise = self.voltage(s + step, current) - self.voltage(s - step, current)
        return np.asarray(rise / (2.0 * step), dtype=np.float64)

    def crowding(self, s: Floats, current: Floats | float, risen: Floats) -> Floats:
        """Return by how much more the voltage errs where the current prefers some particles.

        As long as kinetics divide the current, particles get it in proportion to their factors and
        count in the voltage as much, so that errors grow with the factors' unevenness; where the
        surfaces' potentials have risen more than kinetics hold back, the current is even again.

        Args:
            s: lithium fractions at the surface.
            current: current, A m^-2 of the collector.
            risen: (magnitudes of) changes of the voltage at the surface since the current began, V.
        """
        more = self.voltage(s, 1.01 * np.asarray(current)) - self.voltage(s, current)
        kinetic = 100.0 * np.abs(more)
        share = kinetic / np.maximum(kinetic + np.abs(risen), 1e-12)
        crowding: Floats = 1.0 + (self.particles.unevenness - 1.0) * share
        return crowding

    def diffusivity(self, s: Floats) -> float:
        """Return the least diffusivity at some lithium fractions, m^2 s^-1."""
        return float(np.min(self._diffusivities(s)))

    @cached_property
    def diffusivities(self) -> tuple[float, float]:
        """The least and the greatest diffusivity at any lithium fraction, m^2 s^-1."""
        values = self._diffusivities(np.asarray(np.linspace(0.01, 0.99, 50), dtype=np.float64))
        return float(np.min(values)), float(np.max(values))

    def _diffusivities(self, s: Floats) -> Floats:
        material, inside = self.parameters.active_material, np.clip(s, 0.0, 1.0)
        values = material.diffusivity_of_fraction(inside, self.parameters.temperature)
        return np.asarray(values, dtype=np.float64)

    @cached_property
    def _curve(self) -> OpenCircuitPotential:
        return self.parameters.curve

    @cached_property
    def _exchange(self) -> ExchangeCurrent:
        return exchange_law(
            self.parameters.active_material,
            salt_concentration=self.parameters.electrolyte.initial_concentration,
            temperature=self.parameters.temperature,
        )

    @property
    def _thermal(self) -> float:
        return GAS_CONSTANT * self.parameters.temperature / FARADAY
