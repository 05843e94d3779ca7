"""The runs that a sweep file asks for, each validated before any is started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from heterode.base.errors import InputError, MistakesError
from heterode.base.reading import read_regular
from heterode.base.run_warnings import RunWarning
from heterode.base.toml_text import toml_value
from heterode.forecast.planned import planned
from heterode.parameters import Parameters, load_parameters
from heterode.parameters.fields import MistakeError
from heterode.parameters.idle import keys_without_effect
from heterode.parameters.loading import with_paths
from heterode.parameters.messages import first_line, mistake_line
from heterode.parameters.toml_file import read_toml
from heterode.sweep.design import (
    Coordinate,
    Factor,
    Point,
    check_grid,
    factors_of,
    merged,
    points_of,
)
from heterode.sweep.schema import SweepFile, Values
from heterode.sweep.validity import Rescaled

DEFAULTS: Values = {"output.report": False, "output.fields_every": 1_000_000}
"""Settings of every run, unless the sweep file sets them otherwise.

Figures and fields would cost more than they are worth in a sweep. Fields are kept at the beginning
and at the end.
"""

PLANNED = 6
"""Points of a design for which layers are planned; a plan takes some ten milliseconds."""

_FILES = {
    "file",
    "mesh_file",
    "table",
    "diffusivity_table",
    "exchange_current_table",
    "electronic_conductivity_table",
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        id: hash of the run's parameters, 10 hexadecimal digits.
        point: number of the design's point, from 0.
        overrides: settings in the form that `load_parameters` takes.
        coordinates: the coordinates of the point, by factor.
        packing_seed, penalty_seed: the seeds that the run uses.
        block, row: the run's place in a saltelli design; see `Point`.
    """

    id: str
    point: int
    overrides: tuple[str, ...]
    coordinates: dict[str, Coordinate]
    packing_seed: int
    penalty_seed: int
    block: str = ""
    row: int = 0

    @property
    def label(self) -> str:
        """The run's place in the design, in words."""
        where = [f"{name.rpartition('.')[2]} {_short(at)}" for name, at in self.coordinates.items()]
        return ", ".join([*where, f"packing {self.packing_seed}", f"penalty {self.penalty_seed}"])


@dataclass(frozen=True)
class SweepPlan:
    """A sweep file that was read, and its runs.

    Attributes:
        source: the sweep file.
        base: the parameter file.
        file: the content of the sweep file, validated.
        data: the same content as plain TOML tables.
        factors: the factors that are varied.
        runs: one for each row of the table; equal points share a run and its id.
        warnings: warnings that concern the sweep as a whole.
    """

    source: Path
    base: Path
    file: SweepFile
    data: dict[str, Any]
    factors: tuple[Factor, ...]
    runs: tuple[PlannedRun, ...]
    warnings: tuple[RunWarning, ...] = ()

    @property
    def title(self) -> str:
        """The title of the sweep."""
        return self.file.title or self.source.stem

    @property
    def remarks(self) -> list[str]:
        """A line for each set of points that have fewer runs than the others, with the reason."""
        counts: dict[int, int] = {}
        for run in self.runs:
            counts[run.point] = counts.get(run.point, 0) + 1
        most = max(counts.values())
        lines: dict[int, list[str]] = {}
        coordinates = {run.point: run.coordinates for run in self.runs}
        for point, count in counts.items():
            if count < most:
                at = coordinates[point].items()
                where = ", ".join(f"{name} = {_short(value)}" for name, value in at)
                lines.setdefault(count, []).append(where)
        return [
            f"{len(places)} of {len(counts)} points ({places[0]}"
            f"{', ...' if len(places) > 1 else ''}) have {count} run{'s' if count > 1 else ''}"
            f" each, not {most}: seeds without effect there are not repeated"
            for count, places in lines.items()
        ]

    def unique(self) -> list[PlannedRun]:
        """Return each run once, in order."""
        return list({run.id: run for run in self.runs}.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the content of sweep.json, which `plan_of` reads."""
        return {
            "title": self.title,
            "source": str(self.source.absolute()),
            "base": str(self.base.absolute()),
            "file": self.data,
            "runs": [asdict(run) for run in self.runs],
            "warnings": [warning.as_dict() for warning in self.warnings],
            "remarks": self.remarks,
        }


def plan_of(content: Mapping[str, Any]) -> SweepPlan:
    """Return the plan that `as_dict` recorded; its runs are not derived from the sweep file again.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the content is not such a record.
    """
    file = SweepFile.model_validate(content["file"])
    if not isinstance(content["runs"], list) or not content["runs"]:
        raise ValueError("it lists no runs")
    runs = tuple(_run_of(run) for run in content["runs"])
    source, base = Path(content["source"]), Path(content["base"])
    warnings = tuple(RunWarning.from_dict(entry) for entry in content.get("warnings", []))
    factors = tuple(factors_of(file))
    return SweepPlan(source, base, file, dict(content["file"]), factors, runs, warnings)


def _run_of(entry: Mapping[str, Any]) -> PlannedRun:
    run = PlannedRun(**{**entry, "overrides": tuple(entry["overrides"])})
    numbers = (run.point, run.packing_seed, run.penalty_seed, run.row)
    texts = (run.id, run.block, *run.overrides)
    known = all(isinstance(number, int) for number in numbers)
    known = known and all(isinstance(text, str) for text in texts)
    # The id becomes a part of file names.
    if not known or not isinstance(run.coordinates, dict) or not run.id.isalnum():
        raise ValueError(f"run {str(run.id)[:20]!r} is none")
    return run


@dataclass(frozen=True)
class Draft:
    """A sweep file that was read but whose points are not validated yet.

    Attributes:
        source, data, file, factors: as in `SweepPlan`.
        points: the points of the design.
    """

    source: Path
    data: dict[str, Any]
    file: SweepFile
    factors: tuple[Factor, ...]
    points: tuple[Point, ...]


def read_sweep(source: Path) -> Draft:
    """Read a sweep file and choose the points of its design.

    Raises:
        InputError: the file has a mistake; the one line names file, key, value, what is allowed and
            the remedy.
    """
    data = read_toml(source)
    try:
        file = SweepFile.model_validate(data)
    except ValidationError as error:
        raise MistakesError(first_line(error, data, source, root=SweepFile)) from None
    try:
        factors = factors_of(file)
        if file.design.kind == "grid":
            check_grid(factors)
        _check_seeds(file, factors)
        points = points_of(file, factors)
    except MistakeError as mistake:
        raise InputError(mistake_line(mistake, mistake.key, data, str(source))) from None
    return Draft(source, data, file, tuple(factors), tuple(points))


def lay_out(draft: Draft) -> SweepPlan:
    """Validate every point of a design, with all its seeds.

    Raises:
        InputError: a point is not valid; the one line names the point and what is wrong there.
    """
    source, file = draft.source, draft.file
    base = source.parent / file.parameters
    rescaled = Rescaled()
    plain = _Plain(source, base, file, draft.points)
    runs = tuple(_runs(plain, rescaled, _shared_layers(plain)))
    return SweepPlan(source, base, file, draft.data, draft.factors, runs, rescaled.warnings())


def _check_seeds(file: SweepFile, factors: Sequence[Factor]) -> None:
    given = {"packing": file.seeds.packing, "penalty": file.seeds.penalty}
    keys = {key for factor in factors for level in factor.levels for key in level.settings}
    for name, seeds in given.items():
        key = f"seeds.{name}"
        if seeds is not None and key in keys | {factor.name for factor in factors} | set(file.set):
            raise MistakeError(
                "is given, and the same seeds are set or varied as well",
                remedy=f"Remove {key} from [set], [vary], levels and points, or from [seeds].",
                key=("seeds", name),
            )


class _Plain:
    """The parameters of a design's points, without the seeds and layers that are added to them.

    Those of the points for which layers are planned are kept, so that none is loaded twice.
    """

    def __init__(self, source: Path, base: Path, file: SweepFile, points: Sequence[Point]) -> None:
        self.source, self.base, self.file, self.points = source, base, file, points
        step = max(1, -(-len(points) // PLANNED))
        chosen = sorted({*range(0, len(points), step), len(points) - 1})
        self._kept = {number: self.with_values(number, {})[1] for number in chosen}

    @property
    def planned(self) -> list[Parameters]:
        """The parameters of the points for which layers are planned."""
        return list(self._kept.values())

    def of(self, number: int) -> Parameters:
        """Return the parameters of a point."""
        kept = self._kept.get(number)
        return self.with_values(number, {})[1] if kept is None else kept

    def with_values(self, number: int, values: Values) -> tuple[tuple[str, ...], Parameters]:
        """Return the settings of a point with further values, and the resulting parameters."""
        point = self.points[number]
        settings = merged(DEFAULTS, self.file.set, point.settings, values)
        overrides = override_texts(settings, self.source.parent)
        try:
            return overrides, load_parameters(self.base, overrides)
        except InputError as error:
            raise InputError(_at_point(self.source, point, str(error))) from None


def _runs(plain: _Plain, rescaled: Rescaled, shared: Values) -> Iterator[PlannedRun]:
    file, idle = plain.file, _idle_seeds(plain)
    seen: set[tuple[int, tuple[tuple[str, int], ...]]] = set()
    for seeds in file.seeds.pairs:
        for number, point in enumerate(plain.points):
            used = {key: seed for key, seed in seeds.items() if key not in idle[number]}
            if (number, tuple(used.items())) in seen:
                continue
            seen.add((number, tuple(used.items())))
            overrides, parameters = plain.with_values(number, {**used, **shared})
            rescaled.see(parameters)
            yield PlannedRun(
                fingerprint(parameters),
                number,
                overrides,
                point.coordinates,
                parameters.seeds.packing,
                parameters.seeds.penalty,
                point.block,
                point.row,
            )


def _shared_layers(plain: _Plain) -> dict[str, Any]:
    """Return the setting of the layers that all runs share, so that their results are comparable.

    They are those of the run that needs most and that do for all, among PLANNED points spread
    evenly over the design. They are written out even if all need the same, so that a design that
    grows by points that need no more keeps its runs. Nothing is shared if the sweep itself sets or
    varies the layers or the accuracy from point to point.
    """
    parameters = plain.planned
    if any(p.solver.layers != "auto" or p.geometry.mesh_file for p in parameters):
        return {}
    if len({p.solver.accuracy for p in parameters}) > 1:
        return {}
    plans = sorted((planned(p) for p in parameters), key=lambda plan: plan.fineness, reverse=True)
    for written in dict.fromkeys(plan.written for plan in plans):
        # Neither the count nor the first thickness alone says which layers are enough for others.
        if all(planned(p.with_values({"solver.layers": written})).is_met for p in parameters):
            return {"solver.layers": written}
    return {"solver.layers": plans[0].written}


def _idle_seeds(plain: _Plain) -> list[frozenset[str]]:
    """Return for each point the keys of [seeds] that have no effect there, as in a control.

    A seed that has no effect at any point is a mistake; it is kept, so that validation refuses it
    with the reason.
    """
    seeds, count = plain.file.seeds, len(plain.points)
    given = {f"seeds.{name}" for name in ("packing", "penalty") if getattr(seeds, name)}
    if not given:
        return [frozenset()] * count
    found = []
    for number in range(count):
        idle = {".".join(key) for key in keys_without_effect(plain.of(number))}
        found.append(frozenset(given & idle))
    everywhere = frozenset.intersection(*found) if found else frozenset()
    return [idle - everywhere for idle in found]


def _at_point(source: Path, point: Point, problem: str) -> str:
    if not point.coordinates:
        return f"{source}: {problem}"
    where = ", ".join(f"{name} = {_short(at)}" for name, at in point.coordinates.items())
    return f"{source}: at {where}: {problem.replace(' with --set', '')}"


def override_texts(settings: Values, folder: Path) -> tuple[str, ...]:
    """Return settings in the form that `--set` takes; their paths are relative to `folder`."""
    resolved = with_paths(settings, folder.absolute())
    return tuple(f"{key}={toml_value(value)}" for key, value in resolved.items())


def fingerprint(parameters: Parameters) -> str:
    """Return the hash of all that affects a run's numbers, 10 hexadecimal digits.

    The title and [output] are left out. Files enter by their content.
    """
    si = parameters.to_si_dict()
    kept = {name: value for name, value in si.items() if name not in ("title", "output")}
    content = [_by_content(kept), parameters.protocol.digests]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _by_content(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _by_content(item, key) for key, item in value.items()}
    if name in _FILES and isinstance(value, str):
        return hashlib.sha256(read_regular(value)).hexdigest()
    return value


def _short(coordinate: Coordinate) -> str:
    return f"{coordinate:.4g}" if isinstance(coordinate, float) else str(coordinate)
