"""[protocol], [solver], [output] and [seeds]."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from heterode.parameters.fields import MistakeError, Order, Physical, Section
from heterode.parameters.layering import Layering, written_layers
from heterode.parameters.notes import Example, Source, Written
from heterode.parameters.tables import read_current_table
from heterode.protocol import FORMS, Group, Item, Step, StepError, parse_item
from heterode.protocol.language import area_of, group_ends, is_stepwise, parse_repeat
from heterode.protocol.records import each_step
from heterode.protocol.sequence import length

MOST_NESTED = 10
"""Largest number of groups within one another."""

MOST_STEPS = 1_000_000
"""Largest number of protocol steps of a run, including repetitions. With only ten time steps each,
a run of the smallest cell would take days."""

Preset = Literal["direct", "fieldsplit"]
"""The linear solvers of a run."""

DEARER_IN_3D = 10
"""Ratio by which `direct_limit` is lower in 3D, where factors of matrices fill in much more."""

Tolerance = Annotated[float, Physical(at_least=1e-14, up_to=0.1, example="1e-4")]
Duration = Annotated[float, Physical("s", at_least=1e-12, up_to=1e9, example="10 s")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]

_ANY = Source("any number serves", "G")
_MEASURED = Source("errors are measured in docs/accuracy.md", "G")

DEFAULT_ACCURACY = 1e-3
"""Default of solver.accuracy, V, at which the tolerances are the defaults of their fields."""

_STOP = Physical("V", shown="V", above=0, up_to=10, example="4.2 V")

_TABLES = "{ repeat = 3, steps = [...] } or { until = '4.5 V', steps = [...] }"


class Protocol(Section):
    """[protocol]: the steps in order, which are texts and tables in the file and then records."""

    steps: Annotated[
        tuple[Item, ...],
        Written(
            "list of texts and tables",
            f"{FORMS}; {_TABLES}",
            ["charge at C/20 until 4.5 V", "rest for 1 h"],
            {"type": "array", "minItems": 1, "items": {"type": ["string", "object"]}},
        ),
    ]
    """Steps in their order: what current, voltage or power holds, and until when."""
    repeat: Annotated[int, Field(ge=1, le=100_000), Source("once", "G")] = 1
    """Number of times that the list of steps is run."""
    stops: Annotated[
        tuple[float, ...],
        Written(
            "list of voltages",
            _STOP.allowed(),
            ["3.8 V", "4.2 V"],
            {"type": "array", "items": _STOP.json_schema(), "uniqueItems": True},
            "V",
        ),
        Source("none are needed", "G"),
    ] = ()
    """Voltages, V, at which charges and discharges write a table of the particles and continue."""

    @field_validator("steps", mode="plain")
    @classmethod
    def _read(cls, value: Any) -> tuple[Item, ...]:
        return _items(value, ())

    @field_serializer("steps")
    def _plain(self, steps: tuple[Item, ...]) -> list[Any]:
        return [item.plain for item in steps]

    @field_validator("stops", mode="plain")
    @classmethod
    def _voltages(cls, value: Any) -> tuple[float, ...]:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise MistakeError(
                "is not a list of voltages",
                allowed=_STOP.allowed(),
                remedy='Write stops = ["3.8 V", "4.2 V"].',
            )
        read = tuple(_stop(index, voltage) for index, voltage in enumerate(value))
        if len(set(read)) < len(read):
            raise MistakeError("names a voltage twice", remedy="Remove one of them.")
        return read

    @field_serializer("stops")
    def _listed(self, stops: tuple[float, ...]) -> list[float]:
        return list(stops)

    @model_validator(mode="after")
    def _ends_some_day(self) -> Protocol:
        steps = length(self.sequence)
        if steps > MOST_STEPS:
            asked = f"{steps:,}".replace(",", " ") if steps < 10**15 else "more than 1e15"
            raise MistakeError(
                f"comes to {asked} steps, repetitions counted",
                allowed=f"up to {MOST_STEPS:,}".replace(",", " "),
                remedy="Repeat less often.",
                key=("steps",),
            )
        return self

    @property
    def sequence(self) -> Group:
        """Return the sequence of steps, with its repetitions."""
        return Group(self.steps, self.repeat)

    @property
    def digests(self) -> dict[str, str]:
        """Return the digest of each current table's content, by a name for the user."""
        return {
            f"table of '{step.text}'": step.table.digest
            for step in each_step(self.steps)
            if step.table is not None
        }


def _stop(index: int, value: Any) -> float:
    try:
        return _STOP.read(value)
    except MistakeError as mistake:
        raise MistakeError(
            mistake.problem,
            allowed=mistake.allowed,
            remedy=mistake.remedy,
            key=(f"[{index}]",),
        ) from mistake


def _items(value: Any, key: tuple[str, ...]) -> tuple[Item, ...]:
    """Parse a list of steps and groups; `key` is its key."""
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise MistakeError(
            "is not a list of steps",
            allowed=FORMS,
            remedy='Write steps = ["charge at C/20 until 4.5 V"].',
            key=key,
        )
    if key.count("steps") > MOST_NESTED:
        raise MistakeError(
            f"lies in more than {MOST_NESTED} groups",
            allowed=f"groups in groups, {MOST_NESTED} deep",
            remedy="Write fewer groups, with more repetitions.",
            key=key,
        )
    if not value:
        raise MistakeError(
            "is empty: nothing would be run", allowed=FORMS, remedy="Add a step.", key=key
        )
    items: list[Item] = []
    for index, entry in enumerate(value):
        before = items[-1] if items else None
        items.append(_item(entry, (*key, f"[{index}]"), before))
    return tuple(items)


def _item(entry: Any, key: tuple[str, ...], before: Item | None) -> Item:
    if isinstance(entry, Step | Group):
        return entry
    if isinstance(entry, dict):
        return _group(entry, key)
    if not isinstance(entry, str):
        raise MistakeError("is not a text", allowed=f"{FORMS}; {_TABLES}", key=key)
    try:
        item = parse_item(entry, before)
    except StepError as error:
        raise MistakeError(
            str(error), allowed=FORMS, remedy="Rewrite the step.", key=key
        ) from error
    return _with_table(item, key) if isinstance(item, Step) else item


def _with_table(step: Step, key: tuple[str, ...]) -> Step:
    """Return a step after reading its current table."""
    if step.file is None:
        return step
    try:
        table = read_current_table(step.file, stepwise=is_stepwise(step), area=area_of(step))
        return replace(step, table=table)
    except MistakeError as mistake:
        raise MistakeError(
            f"names {step.file.name}, which {mistake.problem}",
            allowed=mistake.allowed,
            remedy=mistake.remedy,
            key=key,
        ) from mistake


def _group(entry: dict[str, Any], key: tuple[str, ...]) -> Group:
    if not {"steps"} < set(entry) <= {"steps", "repeat", "until"} or len(entry) != 2:
        raise MistakeError(
            f"has the keys {', '.join(entry) or 'of none'}",
            allowed=_TABLES,
            remedy="Give steps, and one of repeat and until.",
            key=key,
        )
    steps = _items(entry["steps"], (*key, "steps"))
    how = "repeat" if "repeat" in entry else "until"
    value = entry[how]
    try:
        if how == "until" and isinstance(value, str):
            return Group(steps, None, group_ends(value, steps), value)
        if how == "repeat" and isinstance(value, int) and not isinstance(value, bool):
            return Group(steps, parse_repeat(value))
    except StepError as error:
        raise MistakeError(
            str(error), allowed=_TABLES, remedy="Rewrite it.", key=(*key, how)
        ) from error
    raise MistakeError(
        "is not a whole number" if how == "repeat" else "is not a text",
        allowed=_TABLES,
        key=(*key, how),
    )


class Solver(Section):
    """[solver]: the accuracy of the voltage, what follows from it unless it is given, and other
    settings with defaults."""

    accuracy: Annotated[
        float,
        Physical("V", shown="mV", at_least=0.01, up_to=100, example="1 mV"),
        Source("what it costs is measured in docs/accuracy.md", "G"),
    ] = DEFAULT_ACCURACY
    """Error that the voltage may have from 0.1 s after each jump of the current on, V: half for
    space, half for time. The tolerances below follow from it unless they are given; their defaults
    are those at 1 mV."""
    layers: Annotated[Layering, _MEASURED] = "auto"
    """Layers of thin elements under the particles' surfaces: with `auto` as many as the accuracy
    requires, with `none` the mesh stays as it is. A number takes the best of that many, and a text
    like "6 from 15.625 nm, ratio 2" gives them in full; ", lumped 0.5" behind it lumps that share
    of the mass matrix below them."""

    linear_solver: Annotated[
        Literal["auto"] | Preset, Source("measured in docs/performance.md", "G")
    ] = "auto"
    """Solver of linear systems: `direct` factorises, `fieldsplit` iterates, and `auto` chooses by
    the number of unknowns."""
    degree: Annotated[Order, Source("layers make linear elements accurate enough", "G")] = 1
    """Polynomial degree of all fields."""
    fraction_tolerance: Annotated[Tolerance, _MEASURED] = 1e-4
    """Error of the lithium fraction that is allowed in each time step; it is proportional to the
    accuracy unless it is given."""
    voltage_tolerance: Annotated[
        float, Physical("V", shown="mV", at_least=1e-9, up_to=100, example="0.1 mV"), _MEASURED
    ] = 1e-4
    """Error of the voltage that is allowed in each time step, V; it is proportional to the accuracy
    unless it is given."""
    concentration_tolerance: Annotated[Tolerance, _MEASURED] = 1e-3
    """Error of c_l / c_l,initial that is allowed in each time step; it is proportional to the
    accuracy unless it is given."""
    newton_tolerance: Annotated[
        Tolerance, Source("a twentieth of what time steps may leave", "G")
    ] = 0.05
    """Error that Newton's method may leave, as a fraction of the tolerances above. Charge, lithium
    and salt are conserved to rounding whatever it is."""
    newton_iterations: Annotated[
        int, Field(ge=2, le=200), Source("more than steps that converge need", "G")
    ] = 20
    """Iterations after which Newton's method gives up, and the time step is shortened."""
    initial_step: Duration | None = None
    """First time step of a protocol step, s. If left out, it is as long as the accuracy allows, but
    at most 1e-4 of the duration of a full charge at its rate, and at most 1 s. What is written is
    used as it is, and later steps follow from their own errors alone."""
    minimum_step: Annotated[Duration, Source("no process of the model is faster", "G")] = 1e-3
    """Shortest time step, s; a run ends if even this one cannot be solved."""
    maximum_step_fraction: Annotated[
        float,
        Physical(at_least=1e-5, up_to=1, example="0.0125"),
        Source("80 points of each curve at least", "G"),
    ] = 1.0 / 80.0
    """Largest time step as a fraction of the duration of a full charge at the step's rate. The
    least value makes 100 000 time steps of a full charge: the time error is then far below the
    solver's tolerances, and a run of the smallest cell takes a quarter of an hour."""
    krylov_tolerance: Annotated[Tolerance, Source("Newton's method corrects what is left", "G")] = (
        3e-3
    )
    """Relative tolerance of each linear solve. It may be up to 0.2 where the solve then leaves no
    more than Newton's method may."""
    direct_limit: Annotated[int, Field(ge=0), Source("measured in docs/performance.md", "G")] = (
        60_000
    )
    """Degrees of freedom up to which `auto` solves directly in 2D; in 3D a tenth of them."""

    @model_validator(mode="before")
    @classmethod
    def _follow_accuracy(cls, data: Any) -> Any:
        return data | _following(data) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _lumps_linear_elements(self) -> Solver:
        layers = written_layers(self.layers)
        if layers is not None and layers.lumping and self.degree != 1:
            raise MistakeError(
                "lumps masses, which quadratic elements cannot have",
                allowed="lumped layers with solver.degree = 1",
                remedy="Leave out the lumping, or write degree = 1.",
                key=("layers",),
            )
        return self

    @property
    def space_accuracy(self) -> float:
        """Return the error of the voltage that the mesh may cause, V."""
        return self.accuracy / 2.0

    def preset(self, dofs: int, dimension: int) -> Preset:
        """Return the linear solver of a run of this size, by `linear_solver` and `direct_limit`."""
        if self.linear_solver != "auto":
            return self.linear_solver
        limit = self.direct_limit // (1 if dimension == 2 else DEARER_IN_3D)
        return "direct" if dofs <= limit else "fieldsplit"


def _following(data: dict[str, Any]) -> dict[str, float | str]:
    """Return the tolerances that are not given, as they follow from the accuracy.

    Those of time steps are proportional to it. Newton's and the linear solver's are fractions of
    others and stay.
    """
    fields = Solver.model_fields
    try:
        physical = next(m for m in fields["accuracy"].metadata if isinstance(m, Physical))
        accuracy = physical.read(data.get("accuracy", DEFAULT_ACCURACY))
    except MistakeError:
        return {}  # The field's own validation reports it.
    times = accuracy / DEFAULT_ACCURACY
    following = {name: times * fields[name].default for name in FOLLOWING_TOLERANCES}
    written: dict[str, float | str] = dict(following)
    written["voltage_tolerance"] = f"{following['voltage_tolerance']!r} V"
    return {name: value for name, value in written.items() if name not in data}


FOLLOWING_TOLERANCES = ("fraction_tolerance", "voltage_tolerance", "concentration_tolerance")
"""The tolerances of [solver] that are proportional to its accuracy."""


class Output(Section):
    """[output]: the folder (with None the command chooses), and how often fields and checkpoints
    are kept."""

    directory: Annotated[Path | None, Example("results/mine")] = None
    """Results folder if the command line names none, relative to the working folder; without it,
    results/ and the name of the parameter file."""
    fields_every: Annotated[int, Field(ge=1), Source("all are kept", "G")] = 1
    """Number of time steps between two samples of fields/; ends of protocol steps and voltage stops
    are always written."""
    particles_every: Annotated[int, Field(ge=1), Source("all are kept", "G")] = 1
    """Number of time steps between two samples of particles.h5, in the same way."""
    checkpoint_every: Annotated[
        float,
        Physical("s", shown="min", at_least=0, up_to=1e5, example="10 min"),
        Source("what a kill may cost", "G"),
    ] = 600.0
    """Wall-clock time between checkpoints, s; with 0, only those at signals and at the ends of
    protocol steps remain."""
    report: Annotated[bool, Source("a run is to be looked at", "G")] = True
    """Whether figures are drawn and the page is written at the end of a run."""

    @field_validator("directory", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.isprintable() or not value.strip():
            raise MistakeError(
                "is no name of a folder",
                allowed="printable characters, at least one",
                remedy="Choose another name.",
            )
        return Path(value)


class Seeds(Section):
    """[seeds]: one for each purpose, so that a new packing does not change the drawn penalties."""

    packing: Annotated[Seed, _ANY] = 1
    """Seed of the particles' sizes and places."""
    penalty: Annotated[Seed, _ANY] = 1
    """Seed of the penalty factors."""
    conditioning: Annotated[Seed, _ANY] = 1
    """Seed of the factors that are drawn again after each cycle."""
