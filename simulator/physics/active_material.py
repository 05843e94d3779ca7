"""What the particles are made of, as the equations of a cell need it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY
from heterode.materials import open_circuit_potential
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters import Parameters
from heterode.physics.exchange import exchange_law
from heterode.physics.kinetics import ButlerVolmer, DoubleLayer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActivePhase:
    """The active material: capacity, diffusion, open-circuit potential, currents of its surface.

    Attributes:
        parameters: of the cell.
    """

    parameters: Parameters

    @property
    def maximum_concentration(self) -> float:
        """c_max, mol m^-3."""
        return self.parameters.active_material.maximum_concentration

    @property
    def is_diffusivity_constant(self) -> bool:
        """Whether D_s is one number."""
        return isinstance(self.parameters.active_material.diffusivity, float)

    def diffusivity(self, s: Any, T: float) -> Any:
        """D_s, m^2 s^-1, of the lithium fraction and the temperature, K."""
        return self.parameters.active_material.diffusivity_of_fraction(s, T)

    @cached_property
    def curve(self) -> OpenCircuitPotential:
        """U(x)."""
        return open_circuit_potential(self.parameters.active_material.open_circuit_potential)

    @property
    def start(self) -> float:
        """The lithium fraction that a run starts with."""
        return self.parameters.active_material.initial_lithium_fraction

    @property
    def rest_potential(self) -> float:
        """U there, V."""
        return float(self.curve.potential(np.array([self.start]))[0])

    def capacity(self, volume: float) -> float:
        """Charge of a volume, m^3, between the ends of the voltage window, A s."""
        low, high = self.parameters.active_material.lithium_fraction_window
        return FARADAY * self.maximum_concentration * volume * (high - low)

    def insertion(self, penalty: Floats) -> ButlerVolmer:
        """The reaction's current, with the penalty factor of each point."""
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
        """Of the double layer, F m^-2; 0 without one."""
        return self.parameters.active_material.double_layer_capacitance

    @property
    def double_layer(self) -> DoubleLayer | None:
        """The double layer's charging."""
        return DoubleLayer(self.capacitance) if self.capacitance > 0.0 else None
