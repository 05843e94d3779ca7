"""[active_material], [penalty], [electrolyte], [carbon_binder], [separator], [lithium_metal].

Defaults stand only where a source or the equations of the model give the number; everything
that describes a particular electrode must be in the file.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, field_validator, model_validator

from simulator.materials import electrolyte as electrolyte_of
from simulator.materials import lithium_metal, open_circuit_potential
from simulator.materials.electrolytes import ELECTROLYTES, MODELS, Electrolyte
from simulator.materials.open_circuit import GALLERIES, VOLTAGE_RANGE
from simulator.materials.solid_diffusion import DIFFUSIVITIES
from simulator.parameters.fields import (
    Conductivity,
    Diffusivity,
    Fraction,
    MistakeError,
    Physical,
    Positive,
    RateConstant,
    SaltConcentration,
    Section,
    Shown,
    Voltage,
)
from simulator.parameters.tables import read_penalty_table

Exponent = Annotated[float, Physical(at_least=0, up_to=6, example="1.5")]
_DIFFUSIVITY = Physical("m^2/s", at_least=1e-22, up_to=1e-6, example="3e-15 m^2/s")


def nearest(word: str, names: Any) -> str:
    """', did you mean 'x'?' for the nearest of `names`, or an empty text."""
    near = difflib.get_close_matches(word, list(names), 1, 0.4)
    return f"Did you mean '{near[0]}'?" if near else ""


def _solid_diffusivity(value: Any) -> float | str:
    """A constant with its unit, or the name of a function of the lithium fraction."""
    if isinstance(value, str) and value[:1].isalpha() and value.isidentifier():
        if value not in DIFFUSIVITIES:
            raise MistakeError(
                "is no known diffusivity function",
                allowed=", ".join(DIFFUSIVITIES) + ", or a number with a unit",
                remedy=nearest(value, DIFFUSIVITIES) or "Choose one of these.",
            )
        return value
    return _DIFFUSIVITY.read(value)


def named(names: Any, what: str) -> BeforeValidator:
    """Validator that refuses a text outside `names` and offers the nearest one."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value not in names:
            raise MistakeError(
                f"is no known {what}",
                allowed=", ".join(names),
                remedy=nearest(value, names) or "Choose one of these.",
            )
        return value

    return BeforeValidator(check)


class VoltageWindow(Section):
    """The two ends that define the capacity: x(high) to x(low) on the open-circuit curve."""

    low: Voltage
    high: Voltage

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
    """NMC. i0 = F kc^aa ka^ac (c_max - c)^aa c^ac (c_l / reference_concentration)^aa."""

    open_circuit_potential: Annotated[str, named(GALLERIES, "material")]
    maximum_concentration: Annotated[
        float, Physical("mol/m^3", at_least=1e3, up_to=1e5, example="49200 mol/m^3")
    ]
    diffusivity: Annotated[float | str, BeforeValidator(_solid_diffusivity), Shown(_DIFFUSIVITY)]
    """m^2/s, or the name of a function of lithium fraction and temperature."""
    rate_constant: RateConstant | None = None
    """Sets both constants below, m/s."""
    rate_constant_cathodic: RateConstant
    rate_constant_anodic: RateConstant
    # 0.5 and 0.5: every source of a rate constant in the project's table, but O'Regan's, uses them.
    anodic_transfer: Fraction = 0.5
    cathodic_transfer: Fraction = 0.5
    reference_concentration: SaltConcentration = 1000.0
    initial_lithium_fraction: Fraction
    voltage_window: VoltageWindow

    @model_validator(mode="before")
    @classmethod
    def _both_constants(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "rate_constant" not in data:
            return data
        for key in ("rate_constant_cathodic", "rate_constant_anodic"):
            if key in data:
                raise MistakeError(
                    f"is given together with {key}",
                    allowed="rate_constant alone, or the cathodic and the anodic one",
                    remedy="Remove one of them.",
                    key=("rate_constant",),
                )
        both = data["rate_constant"]
        return data | {"rate_constant_cathodic": both, "rate_constant_anodic": both}

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

    @property
    def lithium_fraction_window(self) -> tuple[float, float]:
        """(x at the upper voltage, x at the lower voltage): the ends the capacity counts."""
        curve = open_circuit_potential(self.open_circuit_potential)
        window = self.voltage_window
        return float(curve.lithium_fraction(window.high)), float(curve.lithium_fraction(window.low))

    @property
    def mean_potential(self) -> float:
        """Mean of U over the lithium fractions of the voltage window, V."""
        curve = open_circuit_potential(self.open_circuit_potential)
        least, most = self.lithium_fraction_window
        return float(curve.potential(np.linspace(least, most, 1001, dtype=np.float64)).mean())

    @property
    def initial_potential(self) -> float:
        """U at the initial lithium fraction, V."""
        curve = open_circuit_potential(self.open_circuit_potential)
        return float(curve.potential(self.initial_lithium_fraction))


class Penalty(Section):
    """[penalty]: one factor per particle on its exchange current, fixed for the run.

    Weibull with `shape` k and `scale` lambda, restricted to [minimum, 1]:
    truncate (inverse of the truncated distribution), clip (values above 1 become 1), rescale (by
    the largest drawn). A table is a CSV with the columns particle, penalty.
    """

    distribution: Literal["weibull", "none", "table"]
    shape: Annotated[float, Physical(at_least=0.05, up_to=100, example="1.5")] | None = None
    scale: Annotated[float, Physical(above=0, up_to=100, example="0.4")] | None = None
    minimum: Annotated[float, Physical(at_least=1e-12, below=1, example="1e-3")] = 1e-3
    restriction: Literal["truncate", "clip", "rescale"] = "truncate"
    file: Path | None = None

    @field_validator("file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if isinstance(value, str):
            read_penalty_table(Path(value))
            return Path(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Penalty:
        needs = {"weibull": ("shape", "scale"), "table": ("file",), "none": ()}
        for key in needs[self.distribution]:
            if getattr(self, key) is None:
                raise MistakeError(
                    f"is missing: a {self.distribution} penalty needs it",
                    remedy='Add it, or set penalty.distribution = "none".',
                    key=(key,),
                )
        return self


class ElectrolyteSection(Section):
    """[electrolyte]: a named set of functions, or `constant` with its four numbers."""

    model: Annotated[str, named(MODELS, "electrolyte")]
    initial_concentration: SaltConcentration
    diffusivity: Diffusivity | None = None
    conductivity: Conductivity | None = None
    transference_number: Fraction | None = None
    thermodynamic_factor: Positive | None = None

    @model_validator(mode="after")
    def _numbers(self) -> ElectrolyteSection:
        keys = ("diffusivity", "conductivity", "transference_number", "thermodynamic_factor")
        for key in keys:
            given = getattr(self, key) is not None
            if self.model == "constant" and not given:
                raise MistakeError(
                    "is missing: a constant electrolyte needs it",
                    allowed=f"all of {', '.join(keys)}",
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
        """The property functions this section names."""
        return electrolyte_of(self)


class CarbonBinder(Section):
    """[carbon_binder]: the homogenised carbon-binder domain.

    sigma_eff = f^bruggeman_exponent * conductivity with f = 1 - electrolyte_fraction
    ("carbon_fraction") or f = electrolyte_fraction ("as_printed", equation 9 to the letter).
    """

    electrolyte_fraction: Fraction
    conductivity: Conductivity
    bruggeman_exponent: Exponent = 1.5
    bruggeman_carbon: Literal["carbon_fraction", "as_printed"] = "carbon_fraction"


class Separator(Section):
    """[separator]: its pores; the thickness stands in [geometry]."""

    porosity: Annotated[float, Physical(above=0, up_to=1, example="0.39")]
    bruggeman_exponent: Exponent = 1.5


class LithiumMetal(Section):
    """[lithium_metal]: i0 = rate_constant F c_Li^(1-a) c_l^a, a = anodic_transfer, and the
    symmetry factor of its Butler-Volmer law; `ideal` sets phi_l = 0 instead.

    Defaults: Xu et al., J. Electrochem. Soc. 166, A3456 (2019).
    """

    kinetics: Literal["butler_volmer", "ideal"] = "butler_volmer"
    rate_constant: RateConstant = lithium_metal.RATE_CONSTANT
    lithium_concentration: Annotated[
        float, Physical("mol/m^3", above=0, up_to=1e6, example="76923 mol/m^3")
    ] = lithium_metal.LITHIUM_CONCENTRATION
    anodic_transfer: Fraction = lithium_metal.SALT_EXPONENT
    symmetry: Fraction = 0.5


class Collector(Section):
    """[collector]: how the current enters. The contact resistance is small against everything
    else (1e-6 ohm m^2: 10 uV at 10 A/m^2); it makes the prescribed current a boundary term."""

    connection: Literal["equipotential", "uniform_flux"] = "equipotential"
    contact_resistance: Annotated[
        float,
        Physical("ohm*m^2", shown="ohm*cm^2", at_least=1e-8, up_to=1e3, example="0.01 ohm cm^2"),
    ] = 1e-6
