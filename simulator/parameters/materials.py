"""[carbon_binder], [separator], [lithium_metal], [collector].


There are defaults only where a source or the equations of the model give the number; everything
that describes a particular electrode must be in the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from heterode.materials import lithium_metal
from heterode.parameters.fields import (
    ActivationEnergy,
    Conductivity,
    Fraction,
    Physical,
    RateConstant,
    Section,
)
from heterode.parameters.notes import Source, When

Exponent = Annotated[float, Physical(at_least=0, up_to=6, example="1.5")]
_XU = "Xu et al., J. Electrochem. Soc. 166, A3456 (2019)"


class CarbonBinder(Section):
    """[carbon_binder]: the homogenised carbon-binder domain.

    sigma_eff = f^bruggeman_exponent * conductivity with f = 1 - electrolyte_fraction
    ("carbon_fraction") or f = electrolyte_fraction ("as_printed", as equation (9) is printed).
    """

    electrolyte_fraction: Annotated[Fraction, When("composition", needed=True, only=False)]
    """Volume fraction of electrolyte in the carbon-binder domain; if left out, [composition] gives
    it."""
    conductivity: Conductivity
    """Electronic conductivity of the solid carbon and binder, S/m, before Bruggeman's factor."""
    bruggeman_exponent: Annotated[Exponent, Source("equations (7) to (9)", "F")] = 1.5
    """Exponent b of effective properties f^b in the carbon-binder domain."""
    bruggeman_carbon: Annotated[
        Literal["carbon_fraction", "as_printed"],
        Source("equation (9) as printed lets carbon conduct best where there is least of it", "G"),
    ] = "carbon_fraction"
    """Fraction f with which carbon conducts, f^b: that of carbon and binder, or, `as_printed` in
    equation (9), that of the electrolyte."""


class Separator(Section):
    """[separator]: its pores; the thickness is in [geometry]."""

    porosity: Annotated[float, Physical(above=0, up_to=1, example="0.39")]
    """Volume fraction of electrolyte in the separator."""
    bruggeman_exponent: Annotated[Exponent, Source(_XU, "F")] = 1.5
    """Exponent b of effective properties porosity^b in the separator."""


class LithiumMetal(Section):
    """[lithium_metal]: i0 = rate_constant F c_Li^(1-a) c_l^a, a = anodic_transfer, and the
    symmetry factor of its Butler-Volmer law; `ideal` sets phi_l = 0 instead.

    Defaults: Xu et al., J. Electrochem. Soc. 166, A3456 (2019).
    """

    kinetics: Annotated[Literal["butler_volmer", "ideal"], Source(_XU, "F")] = "butler_volmer"
    """Reaction at the lithium metal: Butler-Volmer, or `ideal`, which loses no voltage."""
    rate_constant: Annotated[RateConstant, Source(_XU, "F")] = lithium_metal.RATE_CONSTANT
    """Rate constant at 298.15 K, m/s."""
    rate_constant_activation_energy: Annotated[ActivationEnergy, Source(_XU, "F")] = 0.0
    """Activation energy of the exchange current of lithium metal, J/mol."""
    lithium_concentration: Annotated[
        float,
        Physical("mol/m^3", at_least=1, up_to=1e6, example="76923 mol/m^3"),
        Source("molar volume of lithium, 1.3e-5 m^3/mol", "F"),
    ] = lithium_metal.LITHIUM_CONCENTRATION
    """Concentration c_Li of lithium in the metal, mol/m^3."""
    anodic_transfer: Annotated[Fraction, Source(_XU, "F")] = lithium_metal.SALT_EXPONENT
    """Exponent a of the salt concentration in the exchange current of lithium metal."""
    symmetry: Annotated[Fraction, Source(_XU, "F")] = 0.5
    """Symmetry factor of lithium metal's Butler-Volmer law."""


class Collector(Section):
    """[collector]: how the current enters. The contact resistance is small compared with everything
    else (1e-6 ohm m^2: 10 uV at 10 A/m^2); it makes the prescribed current a boundary term."""

    connection: Annotated[
        Literal["equipotential", "uniform_flux"], Source("metal foil has one potential", "G")
    ] = "equipotential"
    """Either one potential along the collector behind the contact resistance, or the applied
    current distributed evenly over its contact with the carbon."""
    contact_resistance: Annotated[
        float,
        Physical("ohm*m^2", shown="ohm*cm^2", at_least=1e-8, up_to=1e3, example="0.01 ohm cm^2"),
        Source("small beside all other losses: 10 uV at 10 A/m^2", "G"),
    ] = 1e-6
    """Resistance between collector and coating times their area, ohm m^2."""
