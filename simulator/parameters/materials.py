"""[active_material], [electrolyte], [carbon_binder], [separator], [lithium_metal].

There are defaults only where a source or the equations of the model give the number; everything
that describes a particular electrode must be in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import model_validator

from heterode.materials import diffusivity_of_fraction, lithium_metal, open_circuit_potential
from heterode.materials import electrolyte as electrolyte_of
from heterode.materials.electrolytes import ELECTROLYTES, MODELS, Electrolyte
from heterode.materials.electronic_conduction import ELECTRONIC_CONDUCTIVITIES
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS
from heterode.materials.open_circuit import GALLERIES, VOLTAGE_RANGE
from heterode.materials.solid_diffusion import DIFFUSIVITIES
from heterode.parameters.choices import (
    ConductivityTable,
    DiffusivityTable,
    ExchangeTable,
    Named,
    NumberOrFunction,
)
from heterode.parameters.fields import (
    ActivationEnergy,
    Capacitance,
    Conductivity,
    Diffusivity,
    ExchangeDensity,
    Fraction,
    MistakeError,
    Physical,
    RateConstant,
    SaltConcentration,
    Section,
    Voltage,
)
from heterode.parameters.notes import Example, Source, When

Exponent = Annotated[float, Physical(at_least=0, up_to=6, example="1.5")]
_DIFFUSIVITY = Physical("m^2/s", at_least=1e-22, up_to=1e-6, example="3e-15 m^2/s")
_CONDUCTIVITY = Physical("S/m", at_least=1e-9, up_to=1e8, example="1e-2 S/m")

_PAPER = "off: the paper's equations have none"
_TRANSFER = "as in Chen 2020, Mohtat 2020 and Xu 2019"
_XU = "Xu et al., J. Electrochem. Soc. 166, A3456 (2019)"
_CONSTANT = When("electrolyte.model", ("constant",), needed=True)

ELECTROLYTE_NUMBERS = (
    "diffusivity",
    "conductivity",
    "transference_number",
    "thermodynamic_factor",
)
"""Keys of [electrolyte] that `constant` needs and every other model computes."""


class VoltageWindow(Section):
    """The two voltages that define the capacity: x(high) to x(low) on the open-circuit curve."""

    low: Annotated[Voltage, Example("2.8 V")]
    """Lower end of the window, where the particles count as full, V; the open-circuit curves begin
    at 2.8 V."""
    high: Voltage
    """Upper end of the window, where the particles count as empty, V; the open-circuit curves end
    at 4.6 V."""

    @model_validator(mode="after")
    def _ordered(self) -> VoltageWindow:
        if not self.low < self.high:
            raise MistakeError(
                f"is not below the window's upper end of {self.high:g} V",
                allowed=f"low below high, both from {VOLTAGE_RANGE[0]:g} to {VOLTAGE_RANGE[1]:g} V",
                remedy="Exchange low and high.",
                key=("low",),
            )
        for key, value in (("low", self.low), ("high", self.high)):
            if not VOLTAGE_RANGE[0] <= value <= VOLTAGE_RANGE[1]:
                raise MistakeError(
                    "lies outside the range of the open-circuit curve",
                    allowed=f"from {VOLTAGE_RANGE[0]:g} to {VOLTAGE_RANGE[1]:g} V",
                    remedy="Choose ends the curve reaches.",
                    key=(key,),
                )
        return self


class ActiveMaterial(Section):
    """The active material, NMC. Its exchange current i0 depends on `exchange_current`:

    power_law      F kc^aa ka^ac (c_max - c)^aa c^ac (c_l / reference_concentration)^aa
    table          f(x) (c_l / reference_concentration)^aa, f from the CSV file of
                   `exchange_current_table`, columns stoichiometry, exchange_current_A_m2
    autocatalytic  exchange_current_prefactor (c_l / reference_concentration)^aa
                   / (1 + exp(25 (x - 0.6)))

    Diffusivity, rate constants, tables and prefactor are given at 298.15 K and change with
    temperature according to the activation energies.
    """

    open_circuit_potential: Annotated[str, Named(GALLERIES, "material")]
    """Open-circuit curve U(x) of the particles against lithium metal, by its material's name."""
    maximum_concentration: Annotated[
        float, Physical("mol/m^3", at_least=1e3, up_to=1e5, example="49200 mol/m^3")
    ]
    """Concentration c_max of lithium in a full particle (x = 1), mol/m^3."""
    diffusivity: Annotated[
        Annotated[float | str, NumberOrFunction(_DIFFUSIVITY, DIFFUSIVITIES, "diffusivity")] | None,
        When("active_material.diffusivity_table", needed=True),
    ]
    """Diffusivity D_s of lithium in the particles, m^2/s: a number, which holds at 298.15 K, or the
    name of a function of lithium fraction and temperature."""
    diffusivity_table: Annotated[DiffusivityTable | None, When("active_material.diffusivity")] = (
        None
    )
    """CSV file with the columns stoichiometry, diffusivity_m2_s, in place of `diffusivity`."""
    diffusivity_activation_energy: Annotated[ActivationEnergy, Source(_PAPER, "F")] = 0.0
    """Activation energy of a number or table, J/mol; the named functions have their own."""
    exchange_current: Annotated[
        str, Named(EXCHANGE_CURRENTS, "exchange current"), Source("equation (13)", "F")
    ] = "power_law"
    """Law of the exchange current i0 over the lithium fraction at the surface: `power_law` is
    equation (13), `table` reads it from a file, `autocatalytic` is slow in full particles."""
    exchange_current_table: Annotated[
        ExchangeTable | None, When("active_material.exchange_current", ("table",), needed=True)
    ] = None
    """CSV file of i0, A/m^2, over the lithium fraction, at the reference concentration and
    298.15 K."""
    exchange_current_prefactor: Annotated[
        ExchangeDensity | None,
        When("active_material.exchange_current", ("autocatalytic",), needed=True),
    ] = None
    """Exchange current i0 of an empty particle at the reference concentration, A/m^2."""
    rate_constant: Annotated[
        RateConstant | None, When("active_material.rate_constant_cathodic", needed=True)
    ] = None
    """Rate constant of equation (13) in both directions, k_c = k_a, m/s; it holds at 298.15 K."""
    rate_constant_cathodic: Annotated[
        RateConstant | None, When("active_material.rate_constant", needed=True)
    ]
    """Rate constant k_c of equation (13), m/s, where it differs from the anodic one."""
    rate_constant_anodic: Annotated[
        RateConstant | None, When("active_material.rate_constant", needed=True)
    ]
    """Rate constant k_a of equation (13), m/s, where it differs from the cathodic one."""
    rate_constant_activation_energy: Annotated[ActivationEnergy, Source(_PAPER, "F")] = 0.0
    """Activation energy of the exchange current, J/mol, for every law."""
    double_layer_capacitance: Annotated[Capacitance, Source(_PAPER, "F")] = 0.0
    """Capacitance of the particles' reacting surface, F m^-2; 0 leaves the double layer out."""
    anodic_transfer: Annotated[Fraction, Source(_TRANSFER, "F")] = 0.5
    """Anodic transfer coefficient aa; it and the cathodic one sum to 1."""
    cathodic_transfer: Annotated[Fraction, Source(_TRANSFER, "F")] = 0.5
    """Cathodic transfer coefficient ac; it and the anodic one sum to 1."""
    reference_concentration: Annotated[
        SaltConcentration, Source("published rate constants are converted with it", "F")
    ] = 1000.0
    """Salt concentration c_l,ref at which the exchange current has its size, mol/m^3."""
    electronic_conduction_in_particles: Annotated[bool, Source(_PAPER, "F")] = False
    """Whether electrons flow through particles as well as through the carbon binder."""
    electronic_conductivity: Annotated[
        float | str,
        NumberOrFunction(_CONDUCTIVITY, ELECTRONIC_CONDUCTIVITIES, "conductivity"),
        Source("Amin and Chiang, J. Electrochem. Soc. 163, A1512 (2016)", "F"),
        When("active_material.electronic_conductivity_table"),
    ] = "amin_nmc"
    """Conductivity of the particles, S/m, or the name of a function of lithium fraction."""
    electronic_conductivity_table: Annotated[
        ConductivityTable | None, When("active_material.electronic_conductivity")
    ] = None
    """CSV file with the columns stoichiometry, conductivity_S_m, in place of
    `electronic_conductivity`."""
    initial_lithium_fraction: Annotated[Fraction, Example(0.985)]
    """Lithium fraction x of all particles at the start; 1 is the full host. It lies inside the
    voltage window."""
    voltage_window: VoltageWindow
    """The two voltages that define the capacity, and with it the C-rate."""

    @model_validator(mode="before")
    @classmethod
    def _both_constants(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        constants = ("rate_constant_cathodic", "rate_constant_anodic")
        if "rate_constant" not in data:
            law = EXCHANGE_CURRENTS.get(str(data.get("exchange_current", "power_law")))
            needless = law is not None and law.needs != "rate_constant"
            return dict.fromkeys(constants) | data if needless else data
        for key in constants:
            if key in data:
                raise MistakeError(
                    f"is given together with {key}",
                    allowed="rate_constant alone, or the cathodic and the anodic one",
                    remedy="Remove one of them.",
                    key=("rate_constant",),
                )
        return data | dict.fromkeys(constants, data["rate_constant"])

    @model_validator(mode="after")
    def _law_is_complete(self) -> ActiveMaterial:
        key = EXCHANGE_CURRENTS[self.exchange_current].needs
        if key not in (None, "rate_constant") and getattr(self, key) is None:
            example = "a CSV file" if key == "exchange_current_table" else "2 A/m^2"
            raise MistakeError(
                f'is missing: exchange_current = "{self.exchange_current}" needs it',
                remedy=f'Add it, like {key} = "{example}", or set exchange_current = "power_law".',
                key=(key,),
            )
        if isinstance(self.diffusivity, str) and self.diffusivity_activation_energy != 0.0:
            raise MistakeError(
                f"is given, but the function {self.diffusivity} has a temperature dependence "
                "of its own",
                allowed="0 kJ/mol here",
                remedy="Remove the key, or give the diffusivity as a number or a table.",
                key=("diffusivity_activation_energy",),
            )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> ActiveMaterial:
        if abs(self.anodic_transfer + self.cathodic_transfer - 1.0) > 1e-9:
            raise MistakeError(
                f"and cathodic_transfer = {self.cathodic_transfer:g} do not sum to 1, which "
                "the exchange current of equation (13) requires",
                allowed=f"{1 - self.cathodic_transfer:g} with this cathodic_transfer",
                remedy="Change one of the two.",
                key=("anodic_transfer",),
            )
        least, most = self.lithium_fraction_window
        if not least < self.initial_lithium_fraction < most:
            raise MistakeError(
                "lies outside the voltage window "
                f"{self.voltage_window.low:g}-{self.voltage_window.high:g} V",
                allowed=f"above {least:.4f}, below {most:.4f}",
                remedy="Start inside the window; a first charge starts near 0.985.",
                key=("initial_lithium_fraction",),
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _number_or_table(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for key in ("diffusivity", "electronic_conductivity"):
            table = f"{key}_table"
            if {key, table} <= set(data):
                raise MistakeError(
                    f"is given together with {table}",
                    allowed="one of the two",
                    remedy="Remove one of them.",
                    key=(key,),
                )
        return {"diffusivity": None} | data if "diffusivity_table" in data else data

    @property
    def diffusivity_of_fraction(self) -> Callable[[Any, Any], Any]:
        """Return the function D_s, m^2/s, of lithium fraction and temperature, K (NumPy or UFL)."""
        table = self.diffusivity_table
        given = self.diffusivity if table is None else table.function
        assert given is not None
        return diffusivity_of_fraction(given, self.diffusivity_activation_energy)

    @property
    def electronic_conductivity_of_fraction(self) -> float | Callable[[Any], Any]:
        """Return sigma of the particles, S/m, as a number or a function for NumPy and UFL."""
        if self.electronic_conductivity_table is not None:
            return self.electronic_conductivity_table.function
        given = self.electronic_conductivity
        return ELECTRONIC_CONDUCTIVITIES[given] if isinstance(given, str) else given

    @property
    def lithium_fraction_window(self) -> tuple[float, float]:
        """Return x at the upper and x at the lower voltage, between which the capacity counts."""
        curve = open_circuit_potential(self.open_circuit_potential)
        window = self.voltage_window
        return float(curve.lithium_fraction(window.high)), float(curve.lithium_fraction(window.low))

    @property
    def mean_potential(self) -> float:
        """Return the mean of U over the lithium fractions of the voltage window, V."""
        curve = open_circuit_potential(self.open_circuit_potential)
        least, most = self.lithium_fraction_window
        return float(curve.potential(np.linspace(least, most, 1001, dtype=np.float64)).mean())

    @property
    def initial_potential(self) -> float:
        """Return U at the initial lithium fraction, V."""
        curve = open_circuit_potential(self.open_circuit_potential)
        return float(curve.potential(self.initial_lithium_fraction))


class ElectrolyteSection(Section):
    """[electrolyte]: a named set of functions, or `constant` with its four numbers."""

    model: Annotated[str, Named(MODELS, "electrolyte")]
    """Published set of property functions of concentration and temperature, or `constant`."""
    initial_concentration: SaltConcentration
    """Salt concentration everywhere at the start, mol/m^3."""
    diffusivity: Annotated[Diffusivity | None, _CONSTANT] = None
    """Diffusivity of the salt in the electrolyte, m^2/s."""
    conductivity: Annotated[Conductivity | None, _CONSTANT] = None
    """Ionic conductivity of the electrolyte, S/m."""
    transference_number: Annotated[Fraction | None, _CONSTANT] = None
    """Transference number t+ of the cation."""
    thermodynamic_factor: Annotated[
        Annotated[float, Physical(at_least=1e-3, up_to=1e3, example="1.5")] | None, _CONSTANT
    ] = None
    """Thermodynamic factor of the salt, 1 + d ln f / d ln c; 1 is an ideal solution."""

    @model_validator(mode="after")
    def _numbers(self) -> ElectrolyteSection:
        for key in ELECTROLYTE_NUMBERS:
            given = getattr(self, key) is not None
            if self.model == "constant" and not given:
                raise MistakeError(
                    "is missing: a constant electrolyte needs it",
                    allowed=f"all of {', '.join(ELECTROLYTE_NUMBERS)}",
                    remedy=f"Add it, or name a model: {', '.join(ELECTROLYTES)}.",
                    key=(key,),
                )
            if self.model != "constant" and given:
                raise MistakeError(
                    f"is given, but the model {self.model} computes it",
                    remedy='Remove the key, or set electrolyte.model = "constant".',
                    key=(key,),
                )
        low, high = self.functions.range
        if not low <= self.initial_concentration <= high:
            raise MistakeError(
                f"lies outside the range of {self.model}",
                allowed=f"from {low:g} to {high:g} mol/m^3",
                remedy="Change the concentration or the model.",
                key=("initial_concentration",),
            )
        return self

    @property
    def functions(self) -> Electrolyte:
        """Return the property functions that this section names."""
        return electrolyte_of(self)


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
