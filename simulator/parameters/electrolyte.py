"""[electrolyte]: a named set of functions, numbers, or functions of the file."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import numpy as np
from pydantic import PlainValidator, model_validator

from heterode.materials.electrolytes import (
    ELECTROLYTES,
    MODELS,
    Electrolyte,
    GivenProperty,
    constant_electrolyte,
    given_electrolyte,
)
from heterode.parameters.choices import GivenAs, Named
from heterode.parameters.fields import MistakeError, SaltConcentration, Section, Temperature
from heterode.parameters.functions import MaterialFunction, Quantity
from heterode.parameters.notes import Example, When, Written
from heterode.parameters.quantities import (
    SALT_CONDUCTIVITY,
    SALT_DIFFUSIVITY,
    THERMODYNAMIC,
    TRANSFERENCE,
)

PROPERTIES: dict[str, Quantity] = {
    "diffusivity": SALT_DIFFUSIVITY,
    "conductivity": SALT_CONDUCTIVITY,
    "transference_number": TRANSFERENCE,
    "thermodynamic_factor": THERMODYNAMIC,
}
"""Keys of [electrolyte] that `constant` and `functions` need and every other model computes."""

_GIVEN = When("electrolyte.model", ("constant", "functions"), needed=True)

ELECTROLYTE_NUMBERS = tuple(PROPERTIES)

ANY_TEMPERATURE = (0.0, 1e4)
"""Range of an electrolyte that does not depend on temperature, K; other ones give a warning."""

EVERY_TEMPERATURE = (243.15, 333.15)
"""Temperatures that a run may have, K."""


def _two_temperatures(value: Any) -> tuple[float, float]:
    (physical,) = get_args(Temperature)[1:]
    wrong = MistakeError(
        "is not two rising temperatures",
        allowed=physical.allowed(),
        remedy='Write them like ["263 K", "333 K"].',
    )
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong
    low, high = (v if isinstance(v, float) else physical.read(v) for v in value)
    if not low <= high:
        raise wrong
    return float(low), float(high)


class ElectrolyteSection(Section):
    """[electrolyte]: a named set of functions, `constant` with its four numbers, or `functions`."""

    material: Annotated[str | None, Example("electrolyte_ecker2015")] = None
    """Name of a shipped electrolyte, or path of the file of one, which has the keys not given
    here."""
    model: Annotated[str, Named(MODELS, "electrolyte")]
    """Published set of property functions of concentration and temperature, or `constant`, or
    `functions` of the file."""
    initial_concentration: SaltConcentration
    """Salt concentration everywhere at the start, mol/m^3."""
    diffusivity: Annotated[
        Annotated[float | str | MaterialFunction, GivenAs(SALT_DIFFUSIVITY, number=True)] | None,
        _GIVEN,
    ] = None
    """Diffusivity of the salt in the electrolyte, m^2/s."""
    conductivity: Annotated[
        Annotated[float | str | MaterialFunction, GivenAs(SALT_CONDUCTIVITY, number=True)] | None,
        _GIVEN,
    ] = None
    """Ionic conductivity of the electrolyte, S/m."""
    transference_number: Annotated[
        Annotated[float | str | MaterialFunction, GivenAs(TRANSFERENCE, number=True)] | None,
        _GIVEN,
    ] = None
    """Transference number t+ of the cation."""
    thermodynamic_factor: Annotated[
        Annotated[float | str | MaterialFunction, GivenAs(THERMODYNAMIC, number=True)] | None,
        _GIVEN,
    ] = None
    """Thermodynamic factor of the salt, 1 + d ln f / d ln c; 1 is an ideal solution."""
    temperature_range: Annotated[
        Annotated[tuple[float, float], PlainValidator(_two_temperatures)] | None,
        Written(
            "list of two temperatures",
            "two rising temperatures from 243.15 to 333.15 K",
            ["263 K", "333 K"],
            {"type": "array"},
            "K",
        ),
        When("electrolyte.model", ("functions",)),
    ] = None
    """Temperatures between which the functions were measured, K; runs outside are refused."""

    @model_validator(mode="after")
    def _given_where_needed(self) -> ElectrolyteSection:
        computed = self.model in ELECTROLYTES
        for key in ELECTROLYTE_NUMBERS:
            given = getattr(self, key)
            if not computed and given is None:
                raise MistakeError(
                    f"is missing: {_article(self.model)} needs it",
                    allowed=f"all of {', '.join(ELECTROLYTE_NUMBERS)}",
                    remedy=f"Add it, or name a model: {', '.join(ELECTROLYTES)}.",
                    key=(key,),
                )
            if computed and given is not None:
                raise MistakeError(
                    f"is given, but the model {self.model} computes it",
                    remedy='Remove the key, or set electrolyte.model = "constant".',
                    key=(key,),
                )
            if self.model == "constant" and not isinstance(given, float):
                raise MistakeError(
                    "is a function, but a constant electrolyte has numbers",
                    allowed="a number",
                    remedy='Set electrolyte.model = "functions".',
                    key=(key,),
                )
        if self.model != "functions" and self.temperature_range is not None:
            raise MistakeError(
                f"is given, but the model {self.model} has no use for it",
                remedy='Remove the key, or set electrolyte.model = "functions".',
                key=("temperature_range",),
            )
        return self

    @model_validator(mode="after")
    def _concentration_in_range(self) -> ElectrolyteSection:
        try:
            low, high = self.functions.range
        except ValueError as error:
            raise MistakeError(
                f"has functions without a concentration in common ({error})",
                allowed="ranges that overlap",
                remedy="Change the range of a function.",
                key=("model",),
            ) from None
        if not low <= self.initial_concentration <= high:
            raise MistakeError(
                f"lies outside the range of {self.model}",
                allowed=f"from {low:g} to {high:g} mol/m^3",
                remedy="Change the concentration or the model.",
                key=("initial_concentration",),
            )
        return self

    @property
    def warms(self) -> bool:
        """Whether any property changes with the temperature."""
        if self.model == "functions":
            return any(_property(self, key).warms for key in ELECTROLYTE_NUMBERS)
        return self.model != "constant"

    @property
    def functions(self) -> Electrolyte:
        """Return the property functions that this section names."""
        if self.model in ELECTROLYTES:
            return ELECTROLYTES[self.model]
        if self.model == "constant":
            numbers = {key: getattr(self, key) for key in ELECTROLYTE_NUMBERS}
            return constant_electrolyte(**numbers)
        properties = {key: _property(self, key) for key in ELECTROLYTE_NUMBERS}
        return given_electrolyte(
            **properties,
            temperature_range=self._temperatures(),
            source=self.material or "functions of the input file",
        )

    def _temperatures(self) -> tuple[float, float]:
        ranges = [
            ELECTROLYTES[given].temperature_range
            for given in (getattr(self, key) for key in ELECTROLYTE_NUMBERS)
            if isinstance(given, str)
        ]
        own = self.temperature_range
        if own is None:
            own = EVERY_TEMPERATURE if self.warms else ANY_TEMPERATURE
        ranges.append(own)
        return max(low for low, _ in ranges), min(high for _, high in ranges)

    def check(self, temperature: float) -> None:
        """Refuse functions of the file whose values are out of bounds at a temperature, K.

        Raises:
            MistakeError: the first such value, with the key of its function.
        """
        if self.model != "functions":
            return
        low, high = self.functions.range
        c = np.linspace(low, high, 1001, dtype=np.float64)
        for key, quantity in PROPERTIES.items():
            found = np.broadcast_to(_property(self, key).value(c, temperature), c.shape)
            for k, value in enumerate(found):
                if not (np.isfinite(value) and quantity.physical.holds(float(value))):
                    raise MistakeError(
                        f"is {value:.4g} at c = {c[k]:.4g} mol/m^3 and {temperature:g} K",
                        allowed=f"{quantity.physical.allowed()} from {low:g} to {high:g} mol/m^3",
                        remedy="Change the temperature, or narrow the range of the function.",
                        key=(key,),
                    )


def _article(model: str) -> str:
    return "a constant electrolyte" if model == "constant" else "an electrolyte of functions"


def _property(section: ElectrolyteSection, key: str) -> GivenProperty:
    given: float | str | MaterialFunction | None = getattr(section, key)
    assert given is not None
    if isinstance(given, str):
        model = ELECTROLYTES[given]
        value = {
            "diffusivity": model.diffusivity,
            "conductivity": model.conductivity,
            "transference_number": model.transference_number,
            "thermodynamic_factor": model.thermodynamic_factor,
        }[key]
        constant = model.constant_transference if key == "transference_number" else None
        low, high = model.temperature_range
        return GivenProperty(value, model.range, constant, low < high)
    if isinstance(given, MaterialFunction):
        warms = given.depends_on_temperature
        function = given
        return GivenProperty(
            lambda c, T: function.at(T)(c), (function.low, function.high), None, warms
        )
    number = given
    return GivenProperty(lambda c, T: number, PROPERTIES[key].ends, number)
