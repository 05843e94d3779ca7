"""The sweep file: what is varied, in the keys and units of the parameter file.

    parameters = "../quickstart.toml"      relative to the sweep file, as all paths in it
    [set]                                  for every run
    geometry.particles = 800
    [vary]                                 one factor for each key: a list, or a range with units
    penalty.shape = [1, 1.5, 3]
    active_material.rate_constant = { from = "1e-12 m/s", to = "1e-9 m/s", points = 4 }
    [levels.rate]                          a factor whose levels have names and set any keys
    "C/40" = { protocol.steps = ["charge at C/40 until x = 0.55"] }
    "1C" = { protocol.steps = ["charge at 1C until x = 0.55"] }
    [design]
    kind = "grid"
    [seeds]
    packing = 5                            seeds 1 to 5, or a list of seeds
    penalty = 4
    combine = "crossed"                    each with each; "paired": first with first

The keys of [set], [vary] and of levels may be written with dots or as tables.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.parameters.fields import Fraction, MistakeError, Physical, Section
from heterode.parameters.operation import Seed
from heterode.sweep.set_points import read_set_point

if TYPE_CHECKING:
    from heterode.heterogeneity import Settings
    from heterode.points.run import WantedInstant

Values = dict[str, Any]
"""Values as TOML has them, by dotted keys of the parameter file."""

Kind = Literal["grid", "list", "random", "latin_hypercube", "sobol", "saltelli"]

_RANGE = {"from", "to"}

MOST_POINTS = 10_000
"""Largest number of points of a range."""

_COLUMNS = {"run", "point", "block", "row", "packing_seed", "penalty_seed", "status", "reason"}
_COLUMNS |= {"particles", "unknowns", "steps", "newton_iterations", "ranks", "remark", "mesh_hash"}
_COLUMNS |= {"peak_at_end", "value_sd", "value_range", "L_star_flag", "warnings"}
_ENDINGS = ("_s", "_um", "_V", "_bytes", "_value", "_converged", "_spread", "_fraction")


def is_column(name: str) -> bool:
    """Whether the table has, or may have, a column of this name that is not a factor."""
    return name in _COLUMNS or name.endswith(_ENDINGS) or name.startswith("trend_")


def flat(table: Mapping[str, Any], above: str = "") -> Values:
    """Flatten nested tables to one with dotted keys; ranges stay whole."""
    found: Values = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and value and not set(value) >= _RANGE:
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found


class Range(Section):
    """Values from one end to another: `points` of them in a grid, any between in random draws."""

    low: Annotated[Any, Field(alias="from")]
    high: Annotated[Any, Field(alias="to")]
    points: Annotated[int, Field(ge=2, le=MOST_POINTS)] | None = None
    scale: Literal["linear", "log"] = "linear"


def _read_factor(key: str, value: Any) -> list[Any] | Range:
    if isinstance(value, Range):
        return value
    if isinstance(value, Mapping):
        unknown = set(value) - {"from", "to", "points", "scale"}
        if not unknown and set(value) >= _RANGE:
            _check_range(key, value)
            return Range.model_validate(dict(value))
    elif isinstance(value, list) and value:
        return value
    raise MistakeError(
        "is no list of values and no range",
        allowed='a list like [1, 2] or { from = "1 um", to = "9 um", points = 5, scale = "log" }',
        remedy="Rewrite it.",
        key=tuple(key.split(".")),
    )


def _check_range(key: str, value: Mapping[str, Any]) -> None:
    """Refuse mistakes that pydantic would report without naming the factor they belong to."""
    points, scale = value.get("points"), value.get("scale", "linear")
    whole = isinstance(points, int) and not isinstance(points, bool)
    if points is not None and not (whole and 2 <= points <= MOST_POINTS):
        raise MistakeError(
            "has a number of points that is out of range",
            allowed=f"whole numbers from 2 to {MOST_POINTS:,}".replace(",", " "),
            remedy="Change the number.",
            key=tuple(key.split(".")),
        )
    if scale not in ("linear", "log"):
        raise MistakeError(
            "has a scale that is not one of the choices",
            allowed="linear, log",
            remedy="Choose one of these.",
            key=tuple(key.split(".")),
        )


class Design(Section):
    """[design]: how points are chosen from the factors."""

    kind: Kind = "grid"
    draws: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Number of points of random, latin_hypercube and sobol designs.

    For saltelli it is the size of the base sample, which needs draws x (factors + 2) runs.
    """
    seed: Seed = 1

    @model_validator(mode="after")
    def _draws(self) -> Design:
        drawn = self.kind not in ("grid", "list")
        if drawn and self.draws is None:
            raise MistakeError(
                "is missing",
                allowed="whole numbers from 1; powers of 2 for sobol and saltelli",
                remedy=f'kind = "{self.kind}" needs it: add draws = 64.',
                key=("draws",),
            )
        if not drawn and self.draws is not None:
            raise MistakeError(
                f'has no meaning with kind = "{self.kind}"',
                remedy="Remove it, or choose another kind.",
                key=("draws",),
            )
        if self.kind in ("sobol", "saltelli") and self.draws and self.draws & (self.draws - 1):
            raise MistakeError(
                "is no power of 2, which Sobol' sequences are balanced for",
                allowed="2, 4, 8, 16, ...",
                remedy=f"Take {1 << self.draws.bit_length()}.",
                key=("draws",),
            )
        return self


Seeds = Annotated[tuple[int, ...], Field()]


class Replicates(Section):
    """[seeds]: the seeds of each point, the same at every point."""

    packing: Seeds | None = None
    penalty: Seeds | None = None
    combine: Literal["crossed", "paired"] = "crossed"

    @field_validator("packing", "penalty", mode="plain")
    @classmethod
    def _read(cls, value: Any) -> tuple[int, ...] | None:
        if value is None or isinstance(value, tuple):
            return value
        if isinstance(value, bool) or not isinstance(value, int | list):
            raise _seeds("is no number and no list of seeds")
        if isinstance(value, int):
            if not 1 <= value <= 100_000:
                raise _seeds("is out of range")
            return tuple(range(1, value + 1))
        right = all(isinstance(s, int) and not isinstance(s, bool) for s in value)
        if not value or not right or not all(0 <= s < 2**32 for s in value):
            raise _seeds("is no list of seeds")
        if len(set(value)) < len(value):
            raise _seeds("names a seed twice")
        return tuple(value)

    @model_validator(mode="after")
    def _paired(self) -> Replicates:
        packing, penalty = self.packing or (), self.penalty or ()
        if self.combine == "paired" and len(packing) != len(penalty):
            raise MistakeError(
                f'is "paired", but there are {counted(len(packing), "seed")} of packing '
                f"and {len(penalty)} "
                "of penalty",
                allowed="as many of one as of the other",
                remedy='Give both the same number, or write combine = "crossed".',
                key=("combine",),
            )
        return self

    @property
    def pairs(self) -> list[dict[str, int]]:
        """The seeds to set in each replicate."""
        packing = [{"seeds.packing": seed} for seed in self.packing or ()] or [{}]
        penalty = [{"seeds.penalty": seed} for seed in self.penalty or ()] or [{}]
        if self.combine == "paired":
            return [a | b for a, b in zip(packing, penalty, strict=True)]
        # Packings change fastest, so that runs that start together create different meshes.
        return [a | b for b in penalty for a in packing]


def _seeds(problem: str) -> MistakeError:
    return MistakeError(
        problem,
        allowed="how many, from 1 to 100000, or a list of different seeds from 0 to 2^32 - 1",
        remedy="Write for example 5, or [3, 7, 8].",
    )


class Measure(Section):
    """[measure]: what is measured of each run; see `heterode report`."""

    at: str = "spread"
    """The moment at which heterogeneity is measured."""
    permutations: Annotated[int, Field(ge=0, le=100_000)] = 99
    clusterings: Annotated[int, Field(ge=1, le=100)] = 3
    band: Fraction = 0.02
    voltage_at: tuple[str, ...] = ()
    """Mean lithium fractions "x = 0.6" or capacities "10 A h/m^2" at which the voltage is given."""

    @field_validator("at")
    @classmethod
    def _moment(cls, value: str) -> str:
        if value == cls.model_fields["at"].default:
            return value
        # The module brings compiled loops, so it is imported only when needed.
        from heterode.points.run import FORMS, parse_instant

        try:
            parse_instant(value)
        except InputError as error:
            raise MistakeError("is no moment", allowed=FORMS, remedy="Rewrite it.") from error
        return value

    @field_validator("voltage_at", mode="plain")
    @classmethod
    def _points(cls, value: Any) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise MistakeError("is no list", remedy='Write voltage_at = ["x = 0.6"].')
        for text in value:
            read_set_point(text)
        return tuple(value)

    @property
    def asked(self) -> dict[str, Any]:
        """What the numbers of a run depend on, in a form that JSON can hold."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | {"voltage_at": list(self.voltage_at)}

    @property
    def wanted(self) -> WantedInstant:
        """The moment at which heterogeneity is measured."""
        from heterode.points.run import parse_instant

        return parse_instant(self.at)

    @property
    def settings(self) -> Settings:
        """The settings of the estimators."""
        from heterode.heterogeneity import Settings

        return Settings(permutations=self.permutations, seeds=self.clusterings, band=self.band)


class Slurm(Section):
    """[slurm]: resources of an element of the array job, and how heterode is started there."""

    time: Annotated[float, Physical("s", shown="h", at_least=0.01, up_to=8760, example="24 h")] = (
        86400.0
    )
    memory_GB: Annotated[float, Physical(at_least=0.01, up_to=1e6, example="4")] = 4.0
    partition: str | None = None
    account: str | None = None
    at_once: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Largest number of elements that run at the same time."""
    requeues: Annotated[int, Field(ge=0, le=1000)] = 100
    """How often an element may be requeued after its time ran out."""
    python: str | None = None
    """The words that start Python on a node, such as "apptainer exec heterode.sif python3".

    None takes the Python in use.
    """
    options: dict[str, str | int] = Field(default_factory=dict)
    """Further options of sbatch, by their long names."""

    @field_validator("partition", "account")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        name = r"[A-Za-z0-9][A-Za-z0-9_.,:@+=-]{0,199}"
        if value is not None and not re.fullmatch(name, value):
            raise MistakeError(
                "is no name that Slurm gives",
                allowed="letters, digits and _ . , : @ + = -",
                remedy="Take one that sinfo or sacctmgr shows.",
            )
        return value

    @field_validator("python")
    @classmethod
    def _are_words(cls, value: str | None) -> str | None:
        if value is not None:
            _refuse_control_characters(value, ())
            try:
                words = shlex.split(value)
            except ValueError as error:
                raise MistakeError(
                    f"cannot be split into words ({error})", remedy="Close the quotation."
                ) from None
            if not words:
                raise MistakeError("is empty", remedy='Write python = "python3", or remove it.')
        return value

    @field_validator("options")
    @classmethod
    def _are_options(cls, value: dict[str, str | int]) -> dict[str, str | int]:
        for name, setting in value.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", name):
                raise MistakeError(
                    "is no long option of sbatch",
                    allowed="small letters, digits and -",
                    remedy="Write its long name without the dashes before it.",
                    key=(name,),
                )
            _refuse_control_characters(str(setting), (name,))
        return value


def _refuse_control_characters(text: str, key: tuple[str, ...]) -> None:
    """Refuse line breaks, which would begin a directive of their own in the batch script."""
    if not text.isprintable() or len(text) > 1000:
        raise MistakeError(
            "holds a line break or another control character, or is too long",
            allowed="one line of at most 1000 characters",
            remedy="Write it in one line.",
            key=key,
        )


class SweepFile(Section):
    """The validated content of a sweep file."""

    title: str = ""
    parameters: Path
    set: Values = Field(default_factory=dict)
    vary: dict[str, list[Any] | Range] = Field(default_factory=dict)
    levels: dict[str, dict[str, Values]] = Field(default_factory=dict)
    points: tuple[Values, ...] = ()
    """The settings of each point of a list."""
    design: Design = Design()
    seeds: Replicates = Replicates()
    ranks: Annotated[int, Field(ge=1, le=100_000)] = 1
    """MPI ranks of each run."""
    measure: Measure = Measure()
    slurm: Slurm = Slurm()

    @field_validator("parameters", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return Path(value) if isinstance(value, str) else value

    @field_validator("set", mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        return flat(value) if isinstance(value, Mapping) else value

    @field_validator("vary", mode="plain")
    @classmethod
    def _factors(cls, value: Any) -> dict[str, list[Any] | Range]:
        if not isinstance(value, Mapping):
            raise MistakeError("is not a section", remedy="Write a table [vary].")
        return {key: _read_factor(key, entry) for key, entry in flat(value).items()}

    @field_validator("levels", mode="plain")
    @classmethod
    def _levels(cls, value: Any) -> dict[str, dict[str, Values]]:
        found: dict[str, dict[str, Values]] = {}
        for name, levels in value.items() if isinstance(value, Mapping) else ():
            tables = isinstance(levels, Mapping) and all(
                isinstance(level, Mapping) and level for level in levels.values()
            )
            if not tables or not levels:
                raise MistakeError(
                    "has no levels",
                    allowed='tables of keys, like "1C" = { protocol.steps = [...] }',
                    remedy="Give at least one.",
                    key=(name,),
                )
            if is_column(name) or not name.isidentifier():
                raise MistakeError(
                    "is no name for a factor: the table has a column like it"
                    if is_column(name)
                    else "is no name for a column",
                    allowed="words of letters, digits and _",
                    remedy="Choose another name.",
                    key=(name,),
                )
            found[name] = {level: flat(keys) for level, keys in levels.items()}
        return found

    @field_validator("points", mode="plain")
    @classmethod
    def _listed(cls, value: Any) -> tuple[Values, ...]:
        right = isinstance(value, list | tuple) and all(isinstance(p, Mapping) for p in value)
        if not right:
            raise MistakeError("is no list of tables", remedy="Write [[points]] before each.")
        return tuple(flat(point) for point in value)

    @model_validator(mode="after")
    def _fits(self) -> SweepFile:
        listed = self.design.kind == "list"
        if listed and (self.vary or self.levels):
            section = "vary" if self.vary else "levels"
            raise MistakeError(
                'is given together with design.kind = "list"',
                remedy="Write the points as [[points]], or choose another kind.",
                key=(section,),
            )
        if bool(self.points) != listed:
            raise MistakeError(
                "is missing" if listed else f'has no meaning with kind = "{self.design.kind}"',
                remedy="Add [[points]], a table of keys each."
                if listed
                else 'Add kind = "list" to [design], or remove it.',
                key=("points",),
            )
        if not listed and self.design.kind != "grid" and not (self.vary or self.levels):
            raise MistakeError("is missing", remedy="Add a section [vary].", key=("vary",))
        return self
