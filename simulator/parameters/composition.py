"""[composition]: active fraction and electrolyte fraction from masses and densities.

In a coating of areal mass m (kg m^-2) and thickness L, each component i has the volume fraction

    eps_i = m w_i / (rho_i L)        with its mass fraction w_i and density rho_i.

NMC is resolved as particles, so geometry.active_fraction = eps_NMC. Carbon, binder and the pores
between them are one homogenised domain, in which the electrolyte has the fraction
carbon_binder.electrolyte_fraction = (1 - eps_NMC - eps_C - eps_B) / (1 - eps_NMC).

A change of geometry.coating_thickness alone thus gives a coating of the same mass with another
degree of calendering.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from heterode.parameters.fields import Fraction, MistakeError, Physical, Section
from heterode.parameters.notes import Example

ArealMass = Annotated[
    float, Physical("kg/m^2", shown="mg/cm^2", at_least=0.001, up_to=500, example="10.8 mg/cm^2")
]
Density = Annotated[
    float, Physical("kg/m^3", shown="g/cm^3", at_least=0.1, up_to=25, example="4.75 g/cm^3")
]


class Composition(Section):
    """Areal mass, mass fractions (which sum to 1) and densities of the dry coating."""

    areal_mass: ArealMass
    """Mass of the dry coating per area of the collector, kg/m^2, without the foil."""
    active_mass_fraction: Annotated[Fraction, Example(0.94)]
    """Mass fraction of active material in the dry coating; the three sum to 1."""
    carbon_mass_fraction: Annotated[Fraction, Example(0.03)]
    """Mass fraction of carbon in the dry coating; the three sum to 1."""
    binder_mass_fraction: Annotated[Fraction, Example(0.03)]
    """Mass fraction of binder in the dry coating; the three sum to 1."""
    active_density: Density
    """Density of the active material, that of its crystal, kg/m^3."""
    carbon_density: Density
    """Density of the carbon, without the pores between its grains, kg/m^3."""
    binder_density: Density
    """Density of the binder, kg/m^3."""

    @model_validator(mode="after")
    def _sum(self) -> Composition:
        total = self.active_mass_fraction + self.carbon_mass_fraction + self.binder_mass_fraction
        if abs(total - 1.0) > 1e-6:
            raise MistakeError(
                f"and the other two mass fractions sum to {total:g}",
                allowed="a sum of 1",
                remedy="Correct active_mass_fraction, carbon_mass_fraction, binder_mass_fraction.",
                key=("active_mass_fraction",),
            )
        return self

    def fractions(self, coating_thickness: float) -> tuple[float, float]:
        """Return active fraction and electrolyte fraction of the rest for a thickness, m.

        Raises:
            MistakeError: the solids do not fit into the thickness.
        """
        per_volume = self.areal_mass / coating_thickness
        active = per_volume * self.active_mass_fraction / self.active_density
        rest = per_volume * (
            self.carbon_mass_fraction / self.carbon_density
            + self.binder_mass_fraction / self.binder_density
        )
        if active + rest >= 1.0:
            raise MistakeError(
                f"does not fit into the coating: its solids would fill {active + rest:.0%} of it",
                allowed=f"below {100 * self.areal_mass / (active + rest):.3g} mg/cm^2 "
                "at this thickness",
                remedy="Raise geometry.coating_thickness or lower the areal mass.",
                key=("composition", "areal_mass"),
            )
        return active, (1.0 - active - rest) / (1.0 - active)
