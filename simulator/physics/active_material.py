"""The active material of the particles, as the equations of a cell need it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters import Parameters
from heterode.physics.exchange import exchange_law
from heterode.physics.kinetics import ButlerVolmer, DoubleLayer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActivePhase:
    """The active material: capacity, diffusion, open-circuit potential, currents of its surface.

    Attributes:
        parameters: parameters of the cell.
    """

    parameters: Parameters

    @property
    def maximum_concentration(self) -> float:
        """Maximum concentration c_max, mol m^-3."""
        return self.parameters.active_material.maximum_concentration

    @property
    def is_diffusivity_constant(self) -> bool:
        """Whether D_s is constant."""
        return isinstance(self.parameters.active_material.diffusivity, float)

    def diffusivity(self, s: Any, T: float) -> Any:
        """Return D_s, m^2 s^-1, at a lithium fraction and a temperature, K."""
        return self.parameters.active_material.diffusivity_of_fraction(s, T)

    @cached_property
    def curve(self) -> OpenCircuitPotential:
        """Open-circuit potential U(x)."""
        return self.parameters.curve

    @property
    def start(self) -> float:
        """Lithium fraction at the start of a run."""
        return self.parameters.active_material.initial_lithium_fraction

    @property
    def rest_potential(self) -> float:
        """Open-circuit potential U at the start, V."""
        return float(self.curve.potential(np.array([self.start]))[0])

    def capacity(self, volume: float) -> float:
        """Return the charge of a volume, m^3, between the ends of the voltage window, A s."""
        low, high = self.parameters.active_material.lithium_fraction_window
        return FARADAY * self.maximum_concentration * volume * (high - low)

    def insertion(self, penalty: Floats) -> ButlerVolmer:
        """Return the law of the reaction's current, with the penalty factor of each point."""
        p, material = self.parameters, self.parameters.active_material
        return ButlerVolmer(
            curve=self.curve,
            exchange=exchange_law(
                material,
                salt_concentration=p.electrolyte.initial_concentration,
                temperature=p.temperature,
            ),
            anodic=material.anodic_transfer,
            cathodic=material.cathodic_transfer,
            temperature=p.temperature,
            penalty=penalty,
        )

    @property
    def capacitance(self) -> float:
        """Capacitance of the double layer, F m^-2; 0 without one."""
        return self.parameters.active_material.double_layer_capacitance

    @property
    def double_layer(self) -> DoubleLayer | None:
        """Return the law of the double layer's charging, or None without one."""
        return DoubleLayer(self.capacitance) if self.capacitance > 0.0 else None
