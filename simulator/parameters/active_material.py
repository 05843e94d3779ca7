"""[active_material]: what the particles are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import model_validator

from heterode.materials import diffusivity_of_fraction
from heterode.materials.arrhenius import REFERENCE_TEMPERATURE, arrhenius
from heterode.materials.electronic_conduction import ELECTRONIC_CONDUCTIVITIES
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, ExchangeLaw, of_function
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters.choices import GivenAs, TableOf
from heterode.parameters.curves import curve_of
from heterode.parameters.fields import (
    ActivationEnergy,
    Capacitance,
    ExchangeDensity,
    Fraction,
    MistakeError,
    Physical,
    RateConstant,
    SaltConcentration,
    Section,
    Voltage,
)
from heterode.parameters.function_values import is_function
from heterode.parameters.functions import MaterialFunction
from heterode.parameters.notes import Example, Source, When
from heterode.parameters.quantities import (
    ENTROPY,
    EXCHANGE,
    OPEN_CIRCUIT,
    SOLID_CONDUCTIVITY,
    SOLID_DIFFUSIVITY,
)

Order = Annotated[float, Physical(at_least=0, up_to=3, example="0.5")]
"""Exponent of an occupancy or of the salt's concentration."""

_PAPER = "off: the paper's equations have none"
_TRANSFER = "as in Chen 2020, Mohtat 2020 and Xu 2019"

EXPONENTS = ("vacancy_exponent", "occupancy_exponent", "salt_exponent")
"""Exponents of the exchange current, which are the transfer coefficients unless they are given."""


class VoltageWindow(Section):
    """The two voltages that define the capacity: x(high) to x(low) on the open-circuit curve."""

    low: Annotated[Voltage, Example("2.8 V")]
    """Lower end of the window, where the particles count as full, V."""
    high: Voltage
    """Upper end of the window, where the particles count as empty, V."""

    @model_validator(mode="after")
    def _ordered(self) -> VoltageWindow:
        if not self.low < self.high:
            raise MistakeError(
                f"is not below the window's upper end of {self.high:g} V",
                allowed="low below high",
                remedy="Exchange low and high.",
                key=("low",),
            )
        return self


class StoichiometryWindow(Section):
    """The two lithium fractions that define the capacity, where a curve is too flat for volts."""

    low: Annotated[Fraction, Example(0.03)]
    """Lithium fraction at which the particles count as empty."""
    high: Annotated[Fraction, Example(0.91)]
    """Lithium fraction at which the particles count as full."""

    @model_validator(mode="after")
    def _ordered(self) -> StoichiometryWindow:
        if not self.low < self.high:
            raise MistakeError(
                f"is not below the window's upper end of {self.high:g}",
                allowed="low below high",
                remedy="Exchange low and high.",
                key=("low",),
            )
        return self


class ActiveMaterial(Section):
    """The active material. Its exchange current i0 depends on `exchange_current`:

    power_law      F kc^aa ka^ac c_max (1 - x)^v x^o (c_l / reference_concentration)^s
    table          f(x) (c_l / reference_concentration)^s, f from the CSV file of
                   `exchange_current_table`, columns stoichiometry, exchange_current_A_m2
    autocatalytic  exchange_current_prefactor (c_l / reference_concentration)^s
                   / (1 + exp(25 (x - 0.6)))
    a formula      in x, c (mol/m^3) and T; times (c_l / reference_concentration)^s without c

    The exponents v, o, s are `vacancy_exponent`, `occupancy_exponent`, `salt_exponent`; unless they
    are given, they are aa, ac and aa as in equation (13). Numbers, tables, prefactor, and formulas
    without T hold at 298.15 K and change with temperature by the activation energies.
    """

    material: Annotated[str | None, Example("nmc811_chen2020")] = None
    """Name of a shipped material, or path of the file of one, which has the keys not given here."""
    open_circuit_potential: Annotated[str | MaterialFunction, GivenAs(OPEN_CIRCUIT)]
    """Open-circuit curve U(x) of the particles against lithium metal, V, by its material's name or
    as a function."""
    entropic_coefficient: Annotated[
        Annotated[float | MaterialFunction, GivenAs(ENTROPY, number=True)] | None,
        Example("-0.1 mV/K"),
    ] = None
    """Entropic coefficient dU/dT, V/K: a number or a function of the lithium fraction. Without it
    the curve is that at 298.15 K."""
    maximum_concentration: Annotated[
        float, Physical("mol/m^3", at_least=1e3, up_to=1e6, example="49200 mol/m^3")
    ]
    """Concentration c_max of lithium in a full particle (x = 1), mol/m^3."""
    diffusivity: Annotated[
        Annotated[float | str | MaterialFunction, GivenAs(SOLID_DIFFUSIVITY, number=True)] | None,
        When("active_material.diffusivity_table", needed=True),
    ]
    """Diffusivity D_s of lithium in the particles, m^2/s: a number, which holds at 298.15 K, or the
    name of a function or a function of lithium fraction and temperature."""
    diffusivity_table: Annotated[
        Annotated[MaterialFunction, TableOf(SOLID_DIFFUSIVITY)] | None,
        When("active_material.diffusivity"),
    ] = None
    """CSV file with the columns stoichiometry, diffusivity_m2_s, in place of `diffusivity`."""
    diffusivity_activation_energy: Annotated[ActivationEnergy, Source(_PAPER, "F")] = 0.0
    """Activation energy of a number or table, J/mol; the named functions have their own."""
    exchange_current: Annotated[
        str | MaterialFunction, GivenAs(EXCHANGE), Source("equation (13)", "F")
    ] = "power_law"
    """Exchange current i0, A/m^2, over the lithium fraction at the surface: `power_law` is equation
    (13), `table` reads it from a file, `autocatalytic` is slow in full particles; or a function."""
    exchange_current_table: Annotated[
        Annotated[MaterialFunction, TableOf(EXCHANGE)] | None,
        When("active_material.exchange_current", ("table",), needed=True),
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
    """Anodic transfer coefficient aa; it and the cathodic one sum to 1 unless all three exponents
    below are given."""
    cathodic_transfer: Annotated[Fraction, Source(_TRANSFER, "F")] = 0.5
    """Cathodic transfer coefficient ac; it and the anodic one sum to 1 unless all three exponents
    below are given."""
    vacancy_exponent: Annotated[Order | None, Example(0.57)] = None
    """Exponent of 1 - x in the exchange current of the power law, where it is not aa."""
    occupancy_exponent: Annotated[Order | None, Example(0.43)] = None
    """Exponent of x in the exchange current of the power law, where it is not ac."""
    salt_exponent: Annotated[Order | None, Example(0.57)] = None
    """Exponent of the salt's concentration in the exchange current, where it is not aa."""
    reference_concentration: Annotated[
        SaltConcentration, Source("published rate constants are converted with it", "F")
    ] = 1000.0
    """Salt concentration c_l,ref at which the exchange current has its size, mol/m^3."""
    electronic_conduction_in_particles: Annotated[bool, Source(_PAPER, "F")] = False
    """Whether electrons flow through particles as well as through the carbon binder."""
    electronic_conductivity: Annotated[
        float | str | MaterialFunction,
        GivenAs(SOLID_CONDUCTIVITY, number=True),
        Source("Amin and Chiang, J. Electrochem. Soc. 163, A1512 (2016)", "F"),
        When("active_material.electronic_conductivity_table"),
    ] = "amin_nmc"
    """Conductivity of the particles, S/m, or a name or function of lithium fraction."""
    electronic_conductivity_table: Annotated[
        Annotated[MaterialFunction, TableOf(SOLID_CONDUCTIVITY)] | None,
        When("active_material.electronic_conductivity"),
    ] = None
    """CSV file with the columns stoichiometry, conductivity_S_m, in place of
    `electronic_conductivity`."""
    initial_lithium_fraction: Annotated[Fraction, Example(0.985)]
    """Lithium fraction x of all particles at the start; 1 is the full host. It lies inside the
    voltage window."""
    voltage_window: Annotated[
        VoltageWindow | None, When("active_material.stoichiometry_window", needed=True)
    ] = None
    """The two voltages that define the capacity, and with it the C-rate."""
    stoichiometry_window: Annotated[
        StoichiometryWindow | None, When("active_material.voltage_window", needed=True)
    ] = None
    """The two lithium fractions that define the capacity, where a curve is too flat for volts."""

    # -- before the fields are read -----------------------------------------------------------

    @model_validator(mode="before")
    @classmethod
    def _both_constants(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        constants = ("rate_constant_cathodic", "rate_constant_anodic")
        if "rate_constant" not in data:
            given = data.get("exchange_current", "power_law")
            law = EXCHANGE_CURRENTS.get(given) if isinstance(given, str) else None
            needless = law is not None and law.needs != "rate_constant"
            needless = needless or is_function(given)
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

    @model_validator(mode="before")
    @classmethod
    def _one_of_two(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        windows = ("voltage_window", "stoichiometry_window")
        pairs = [(key, f"{key}_table") for key in ("diffusivity", "electronic_conductivity")]
        for key, other in (*pairs, windows):
            if {key, other} <= set(data):
                raise MistakeError(
                    f"is given together with {other}",
                    allowed="one of the two",
                    remedy="Remove one of them.",
                    key=(key,),
                )
        if not set(windows) & set(data):
            raise MistakeError(
                "is missing",
                allowed="voltage_window or stoichiometry_window",
                remedy='Add it, like voltage_window = { low = "2.8 V", high = "4.3 V" }.',
                key=("voltage_window",),
            )
        return {"diffusivity": None} | data if "diffusivity_table" in data else data

    # -- afterwards -----------------------------------------------------------------------------

    @model_validator(mode="after")
    def _law_is_complete(self) -> ActiveMaterial:
        key = self.law.needs
        if key not in (None, "rate_constant") and getattr(self, key) is None:
            example = "a CSV file" if key == "exchange_current_table" else "2 A/m^2"
            raise MistakeError(
                f'is missing: exchange_current = "{self.exchange_current}" needs it',
                remedy=f'Add it, like {key} = "{example}", or set exchange_current = "power_law".',
                key=(key,),
            )
        for value, energy, whose in (
            (self.diffusivity, "diffusivity_activation_energy", "diffusivity"),
            (self.exchange_current, "rate_constant_activation_energy", "exchange current"),
        ):
            own = isinstance(value, MaterialFunction) and value.depends_on_temperature
            own = own or (whose == "diffusivity" and isinstance(value, str))
            if own and getattr(self, energy) != 0.0:
                name = value if isinstance(value, str) else "in T"
                raise MistakeError(
                    f"is given, but the function {name} has a temperature dependence of its own",
                    allowed="0 kJ/mol here",
                    remedy=f"Remove the key, or give the {whose} as a number or a table.",
                    key=(energy,),
                )
        curve = self.open_circuit_potential
        if (
            isinstance(curve, MaterialFunction)
            and curve.depends_on_temperature
            and self.entropic_coefficient is not None
        ):
            raise MistakeError(
                "is given, but the open-circuit potential has a temperature dependence of its own",
                allowed="one of the two",
                remedy="Remove the key, or T from the formula.",
                key=("entropic_coefficient",),
            )
        return self

    @model_validator(mode="after")
    def _transfer_and_exponents(self) -> ActiveMaterial:
        free = all(getattr(self, key) is not None for key in EXPONENTS)
        if free and self.rate_constant_cathodic != self.rate_constant_anodic:
            raise MistakeError(
                "differs from the anodic one, which exponents of their own do not allow",
                allowed="rate_constant alone",
                remedy="Give rate_constant in their place.",
                key=("rate_constant_cathodic",),
            )
        if not free and abs(self.anodic_transfer + self.cathodic_transfer - 1.0) > 1e-9:
            raise MistakeError(
                f"and cathodic_transfer = {self.cathodic_transfer:g} do not sum to 1, which "
                "the exchange current of equation (13) requires",
                allowed=f"{1 - self.cathodic_transfer:g} with this cathodic_transfer",
                remedy=f"Change one of the two, or give {', '.join(EXPONENTS)}.",
                key=("anodic_transfer",),
            )
        return self

    @model_validator(mode="after")
    def _window_is_on_the_curve(self) -> ActiveMaterial:
        curve = self.curve()
        low, high = curve.voltage_range
        if self.voltage_window is not None:
            for end in ("low", "high"):
                # The 1e-9 allows for rounding of a curve's end.
                if not low - 1e-9 <= getattr(self.voltage_window, end) <= high + 1e-9:
                    raise MistakeError(
                        "lies outside the range of the open-circuit curve",
                        allowed=f"from {low:g} to {high:g} V",
                        remedy="Choose ends the curve reaches.",
                        key=("voltage_window", end),
                    )
        elif self.stoichiometry_window is not None:
            start, stop = float(curve.nodes[0]), float(curve.nodes[-1])
            if isinstance(self.open_circuit_potential, MaterialFunction):
                start, stop = curve.measured_range
            for end in ("low", "high"):
                x = getattr(self.stoichiometry_window, end)
                if not start - 1e-9 <= x <= stop + 1e-9:
                    raise MistakeError(
                        "lies outside the range of the open-circuit curve",
                        allowed=f"from {start:.6g} to {stop:.6g}",
                        remedy="Choose ends the curve reaches.",
                        key=("stoichiometry_window", end),
                    )
        least, most = self.lithium_fraction_window
        if not least < self.initial_lithium_fraction < most:
            volts = self.window_voltages
            raise MistakeError(
                f"lies outside the voltage window {volts[0]:g}-{volts[1]:g} V",
                allowed=f"above {least:.4f}, below {most:.4f}",
                remedy="Start inside the window; a first charge starts near 0.985.",
                key=("initial_lithium_fraction",),
            )
        return self

    # -- functions ------------------------------------------------------------------------------

    def curve(self, temperature: float = REFERENCE_TEMPERATURE) -> OpenCircuitPotential:
        """Return the open-circuit potential at a temperature, K."""
        entropic = self.entropic_coefficient
        return curve_of(self.open_circuit_potential, entropic, float(temperature))

    @property
    def law(self) -> ExchangeLaw:
        """The law of the exchange current."""
        given = self.exchange_current
        if isinstance(given, str):
            return EXCHANGE_CURRENTS[given]
        return ExchangeLaw(of_function(given.depends_on_salt), None, given.measured)

    @property
    def diffusivity_of_fraction(self) -> Callable[[Any, Any], Any]:
        """Return the function D_s, m^2/s, of lithium fraction and temperature, K (NumPy or UFL)."""
        given = self.diffusivity if self.diffusivity_table is None else self.diffusivity_table
        assert given is not None
        energy = self.diffusivity_activation_energy
        if isinstance(given, MaterialFunction):
            return lambda x, T: given.at(T)(x) * arrhenius(energy, T)
        return diffusivity_of_fraction(given, energy)

    def electronic_conductivity_at(self, temperature: float) -> float | Callable[[Any], Any]:
        """Return sigma of the particles, S/m, as a number or a function of x (NumPy and UFL)."""
        table, given = self.electronic_conductivity_table, self.electronic_conductivity
        if table is not None or isinstance(given, MaterialFunction):
            function = given if table is None else table
            assert isinstance(function, MaterialFunction)
            return function.at(temperature)
        return ELECTRONIC_CONDUCTIVITIES[given] if isinstance(given, str) else given

    @property
    def lithium_fraction_window(self) -> tuple[float, float]:
        """Return the least and the largest x, between which the capacity counts, at 298.15 K."""
        if self.stoichiometry_window is not None:
            return self.stoichiometry_window.low, self.stoichiometry_window.high
        curve, window = self.curve(), self.voltage_window
        assert window is not None
        return float(curve.lithium_fraction(window.high)), float(curve.lithium_fraction(window.low))

    @property
    def window_voltages(self) -> tuple[float, float]:
        """Return the lower and the upper voltage of the window, V."""
        if self.voltage_window is not None:
            return self.voltage_window.low, self.voltage_window.high
        least, most = self.lithium_fraction_window
        curve = self.curve()
        return float(curve.potential(most)), float(curve.potential(least))

    @property
    def mean_potential(self) -> float:
        """Return the mean of U over the lithium fractions of the voltage window, V."""
        least, most = self.lithium_fraction_window
        return float(
            self.curve().potential(np.linspace(least, most, 1001, dtype=np.float64)).mean()
        )

    def initial_potential(self, temperature: float) -> float:
        """Return U at the initial lithium fraction and a temperature, K, in V."""
        return float(self.curve(temperature).potential(self.initial_lithium_fraction))
