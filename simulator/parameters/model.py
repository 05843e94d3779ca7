"""The whole input file as one frozen record in SI, and the checks that span sections."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import PrivateAttr, ValidationError, model_validator

from heterode.base.toml_text import toml_text
from heterode.distributions.gaussian_field import MOST_POINTS
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters.active_material import ActiveMaterial
from heterode.parameters.composition import Composition
from heterode.parameters.electrolyte import ElectrolyteSection
from heterode.parameters.fields import MistakeError, Physical, Section, Temperature
from heterode.parameters.functions import MaterialFunction
from heterode.parameters.geometry import PACKING_LIMIT, Geometry
from heterode.parameters.materials import CarbonBinder, Collector, LithiumMetal, Separator
from heterode.parameters.notes import Example, Source
from heterode.parameters.operation import Output, Protocol, Seeds, Solver
from heterode.parameters.penalty import Penalty
from heterode.parameters.protocol_check import Known, check_protocol, check_voltage


class Parameters(Section):
    """All parameters of a run. Floats are in SI; paths are those in the file, made absolute with
    respect to its folder."""

    title: Annotated[str, Example("My cell"), Source("none is needed", "G")] = ""
    """Title of pictures and reports; a change by `--set` leaves it out."""
    temperature: Temperature
    """Temperature of the cell, everywhere and always the same, K."""
    geometry: Geometry
    """The slab, its particles and the mesh."""
    composition: Composition | None = None
    """Masses and densities of the dry coating, from which geometry.active_fraction and
    carbon_binder.electrolyte_fraction follow where they are left out."""
    active_material: ActiveMaterial
    """The particles' material: open-circuit curve, diffusion, exchange current."""
    penalty: Penalty
    """One factor per particle on its exchange current, which makes particles differ."""
    electrolyte: ElectrolyteSection
    """The electrolyte in the pores of coating and separator."""
    carbon_binder: CarbonBinder
    """The homogenised domain of carbon, binder and the pores between them."""
    separator: Separator
    """The pores of the separator."""
    lithium_metal: LithiumMetal = LithiumMetal()
    """The counter electrode."""
    collector: Collector = Collector()
    """How the current enters the coating."""
    protocol: Protocol
    """What current, voltage or power the cell is given."""
    solver: Solver = Solver()
    """Accuracy, tolerances and the solvers of linear systems."""
    output: Output = Output()
    """Where results go, and how often they are written."""
    seeds: Seeds = Seeds()
    """Seeds of random numbers, one for each purpose: another packing draws the same penalties."""
    _source_file: Path = PrivateAttr(default=Path())
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _composition_gives: bool = PrivateAttr(default=False)
    _dropped_title: str = PrivateAttr(default="")

    @model_validator(mode="before")
    @classmethod
    def _derive_fractions(cls, data: Any) -> Any:
        return derive_fractions(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _temperature_range(self) -> Parameters:
        low, high = self.electrolyte.functions.temperature_range
        # The 1e-9 allows for rounding: 25 degC and 298.15 K are the same.
        if not low * (1 - 1e-9) <= self.temperature <= high * (1 + 1e-9):
            raise MistakeError(
                f"lies outside the range of the electrolyte {self.electrolyte.model}",
                allowed=f"from {low:g} to {high:g} K" if low < high else f"{low:g} K alone",
                remedy="Change the temperature or electrolyte.model.",
                key=("temperature",),
            )
        _within("electrolyte", partial(self.electrolyte.check, self.temperature))
        return self

    @model_validator(mode="after")
    def _functions_hold_at_the_temperature(self) -> Parameters:
        material = self.active_material
        for key in ("diffusivity", "exchange_current", "electronic_conductivity"):
            given = getattr(material, key)
            if isinstance(given, MaterialFunction):
                _within(f"active_material.{key}", partial(given.check, self.temperature))
        _within("active_material", partial(material.curve, self.temperature))
        return self

    @model_validator(mode="after")
    def _protocol_fits_material(self) -> Parameters:
        material, curve = self.active_material, self.curve
        potential = material.initial_potential(self.temperature)
        start = Known(potential, material.initial_lithium_fraction)
        allowed = curve.cutoff_range
        check_protocol(self.protocol.sequence, ("protocol", "steps"), start, allowed)
        for index, volts in enumerate(self.protocol.stops):
            check_voltage(volts, ("protocol", "stops", f"[{index}]"), allowed)
        return self

    @model_validator(mode="after")
    def _not_too_many_to_correlate(self) -> Parameters:
        count = self.geometry.particles or 0
        if self.penalty.correlation_length > 0 and count > MOST_POINTS:
            raise MistakeError(
                f"correlates all pairs of particles, and there are {count} of them",
                allowed=f"up to {MOST_POINTS} particles",
                remedy='Take fewer, or give factors as penalty.distribution = "table".',
                key=("penalty", "correlation_length"),
            )
        return self

    @property
    def curve(self) -> OpenCircuitPotential:
        """The open-circuit potential at the temperature of the run."""
        return self.active_material.curve(self.temperature)

    # -- for Python -------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> Parameters:
        """Read the parameters of an input file.

        Args:
            path: the TOML file. Files that it names are relative to its folder.

        Raises:
            InputError: the error gives file, key, value, allowed values and remedy in one line.
        """
        from heterode.parameters.loading import load_parameters

        return load_parameters(path)

    @classmethod
    def from_dict(
        cls, tables: Mapping[str, Any], *, source: str | Path = "parameters"
    ) -> Parameters:
        """Make parameters from tables like those of an input file.

        Args:
            tables: a dict for each section. A value is a text with its unit ("46 um"), a plain
                number in SI, or a pint quantity of any registry. Paths are relative to the working
                folder.
            source: name that messages use instead of a file.

        Raises:
            InputError: as in `load`.
        """
        from heterode.parameters.loading import parameters_of

        return parameters_of(tables, source)

    def with_values(self, values: Mapping[str, Any]) -> Parameters:
        """Return these parameters with other values of some keys.

        Keys that a new value leaves without effect are left out, as after `--set` on the command
        line, so `{"penalty.distribution": "none"}` is enough. The title is left out too if the
        values change what is run.

        Args:
            values: values by dotted key, such as "geometry.particles" or "protocol.steps". A value
                is a text with its unit ("46 um"), a plain number in SI, or a pint quantity of any
                registry; None removes the key.

        Raises:
            InputError: as in `load`.
        """
        from heterode.parameters.loading import with_values

        return with_values(self, values)

    def toml(self) -> str:
        """Return the text of an input file from which `load` reads equal parameters.

        Values are as they were given, with their units; paths are absolute.
        """
        return toml_text(self._given)

    def __eq__(self, other: object) -> bool:
        # The file from which they were read is not a part of them.
        return isinstance(other, Parameters) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        return f"<Parameters of {self.source_file}: {self.title}>".replace(": >", ">")

    def __str__(self) -> str:
        from heterode.parameters.listing import parameter_rows

        return "\n".join(f"{key} = {value}" for key, value in parameter_rows(self))

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:
        from heterode.parameters.listing import parameter_rows

        yield from parameter_rows(self)

    def _repr_html_(self) -> str:
        from heterode.parameters.listing import html_table

        return html_table(self)

    # -- where they come from ---------------------------------------------------------------

    @classmethod
    def of_file(
        cls,
        data: dict[str, Any],
        file: Path,
        given: dict[str, Any] | None = None,
        *,
        dropped_title: str = "",
        packed: bool = True,
    ) -> Parameters:
        """Validate the tables that were read from `file`, and remember where they came from.

        Args:
            data: the tables to validate.
            file: the file that messages name.
            given: the tables from which another run can be started; None for none.
            dropped_title: the file's title if it was written for other values.
            packed: whether particles are to be packed; those of an image are not.

        Raises:
            pydantic.ValidationError: see `heterode.parameters.messages`.
        """
        parameters = cls.model_validate(data, context={"packed": packed})
        parameters._source_file, parameters._given = file, given or {}
        written = (data.get("geometry", {}), data.get("carbon_binder", {}))
        parameters._composition_gives = parameters.composition is not None and not (
            "active_fraction" in written[0] and "electrolyte_fraction" in written[1]
        )
        parameters._dropped_title = dropped_title
        return parameters

    @property
    def composition_gives(self) -> bool:
        """Whether a fraction that the file leaves out follows from [composition]."""
        return self._composition_gives

    @property
    def source_file(self) -> Path:
        """The input file that messages name."""
        return self._source_file

    @property
    def dropped_title(self) -> str:
        """The file's title if overrides changed what it was written for, otherwise ""."""
        return self._dropped_title

    @property
    def given(self) -> dict[str, Any]:
        """The tables as they were read, with units, overrides and absolute paths."""
        return copy.deepcopy(self._given)

    def to_si_dict(self) -> dict[str, Any]:
        """Return numbers, texts and lists, ready for JSON; floats are in SI, steps are texts."""
        return self.model_dump(mode="json")


def _within(section: str, check: Callable[[], object]) -> None:
    """Make a check, whose mistakes then name the keys of a section."""
    try:
        check()
    except MistakeError as mistake:
        raise MistakeError(
            mistake.problem,
            allowed=mistake.allowed,
            remedy=mistake.remedy,
            key=(*section.split("."), *mistake.key),
        ) from None


def derive_fractions(data: dict[str, Any]) -> dict[str, Any]:
    """Fill in the two fractions that follow from [composition] if the file leaves them out."""
    geometry, binder = data.get("geometry"), data.get("carbon_binder")
    if "composition" not in data or not isinstance(geometry, dict) or not isinstance(binder, dict):
        return data
    if "active_fraction" in geometry and "electrolyte_fraction" in binder:
        return data
    if geometry.get("mesh_file") is not None and "coating_thickness" not in geometry:
        raise MistakeError(
            "is missing: the fractions that [composition] gives depend on it",
            allowed="the thickness of the coating that was weighed",
            remedy="Add it, or give carbon_binder.electrolyte_fraction instead of [composition].",
            key=("geometry", "coating_thickness"),
        )
    try:
        composition = Composition.model_validate(data["composition"])
        field = Geometry.model_fields["coating_thickness"]
        thickness = next(m for m in field.metadata if isinstance(m, Physical))
        active, electrolyte = composition.fractions(thickness.read(geometry["coating_thickness"]))
    except (ValidationError, KeyError):
        # The section's own mistake is reported by its own validation; these two values only
        # keep "is missing" from being reported beside it.
        active, electrolyte = 0.4, 0.8
    except MistakeError as error:
        if error.key:
            raise
        active, electrolyte = 0.4, 0.8
    if active > PACKING_LIMIT and "active_fraction" not in geometry:
        raise MistakeError(
            f"packs the active material to a fraction of {active:.3f} of the coating",
            allowed=f"an active fraction up to {PACKING_LIMIT:g}",
            remedy="Thicken the coating or lower composition.areal_mass.",
            key=("geometry", "coating_thickness"),
        )
    return data | {
        "geometry": {"active_fraction": active} | geometry,
        "carbon_binder": {"electrolyte_fraction": electrolyte} | binder,
    }
