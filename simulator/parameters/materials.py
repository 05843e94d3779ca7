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

Exponent = Annotated[float, Physical(at_least=0, up_to=6, example="1.5")]


class CarbonBinder(Section):
    """[carbon_binder]: the homogenised carbon-binder domain.

    sigma_eff = f^bruggeman_exponent * conductivity with f = 1 - electrolyte_fraction
    ("carbon_fraction") or f = electrolyte_fraction ("as_printed", as equation (9) is printed).
    """

    electrolyte_fraction: Fraction
    conductivity: Conductivity
    bruggeman_exponent: Exponent = 1.5
    bruggeman_carbon: Literal["carbon_fraction", "as_printed"] = "carbon_fraction"


class Separator(Section):
    """[separator]: its pores; the thickness is in [geometry]."""

    porosity: Annotated[float, Physical(above=0, up_to=1, example="0.39")]
    bruggeman_exponent: Exponent = 1.5


class LithiumMetal(Section):
    """[lithium_metal]: i0 = rate_constant F c_Li^(1-a) c_l^a, a = anodic_transfer, and the
    symmetry factor of its Butler-Volmer law; `ideal` sets phi_l = 0 instead.

    Defaults: Xu et al., J. Electrochem. Soc. 166, A3456 (2019).
    """

    kinetics: Literal["butler_volmer", "ideal"] = "butler_volmer"
    rate_constant: RateConstant = lithium_metal.RATE_CONSTANT
    """Rate constant at 298.15 K, m/s."""
    rate_constant_activation_energy: ActivationEnergy = 0.0
    lithium_concentration: Annotated[
        float, Physical("mol/m^3", at_least=1, up_to=1e6, example="76923 mol/m^3")
    ] = lithium_metal.LITHIUM_CONCENTRATION
    anodic_transfer: Fraction = lithium_metal.SALT_EXPONENT
    symmetry: Fraction = 0.5


class Collector(Section):
    """[collector]: how the current enters. The contact resistance is small compared with everything
    else (1e-6 ohm m^2: 10 uV at 10 A/m^2); it makes the prescribed current a boundary term."""

    connection: Literal["equipotential", "uniform_flux"] = "equipotential"
    """Either one potential along the collector behind the contact resistance, or the applied
    current distributed evenly over its contact with the carbon."""
    contact_resistance: Annotated[
        float,
        Physical("ohm*m^2", shown="ohm*cm^2", at_least=1e-8, up_to=1e3, example="0.01 ohm cm^2"),
    ] = 1e-6
