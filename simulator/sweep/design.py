"""From the factors of a sweep file to the points of its design.

grid             all combinations
list             as written
random           independent draws
latin_hypercube  as many strata of each factor as draws, one draw in each
sobol            scrambled Sobol' sequence
saltelli         two Sobol' samples A and B, and for each factor A with that column of B: what
                 Sobol' indices are computed from (Saltelli et al., Comput. Phys. Commun. 181,
                 259 (2010))
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.parameters.fields import MistakeError, Physical
from heterode.parameters.walking import physical_of
from heterode.sweep.schema import Range, SweepFile, Values

Floats = npt.NDArray[np.float64]
Coordinate = float | str


@dataclass(frozen=True)
class Level:
    """A level of a factor: the settings it makes, and its name in tables and figures.

    Attributes:
        coordinate: a number in `Factor.unit`, or a text.
    """

    settings: Values
    coordinate: Coordinate


@dataclass(frozen=True)
class Factor:
    """A quantity or group of settings that is varied.

    Attributes:
        name: the key of the parameter file, or the name of a group of levels.
        unit: the SI unit of numbers; "" if there is none.
        shown: the unit for tables and figures that people read.
        span: (low, high) of a range, in `unit`.
        log: whether the values of a range are spaced evenly in the logarithm.
        whole: whether values are whole numbers.
        levels: the levels of a list, or the points of a range in a grid.
    """

    name: str
    unit: str = ""
    shown: str = ""
    span: tuple[float, float] | None = None
    log: bool = False
    whole: bool = False
    levels: tuple[Level, ...] = ()

    @property
    def column(self) -> str:
        """The column of the table: the factor's name with its unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    @property
    def numeric(self) -> bool:
        """Whether coordinates are numbers."""
        return self.span is not None or all(
            not isinstance(level.coordinate, str) for level in self.levels
        )

    def level(self, u: float) -> Level:
        """Return the level at u in [0, 1), spaced evenly over a range or taken from the list."""
        if self.span is None:
            return self.levels[min(int(u * len(self.levels)), len(self.levels) - 1)]
        low, high = self.span
        value = low * (high / low) ** u if self.log else low + (high - low) * u
        return self._at(value)

    def _at(self, value: float) -> Level:
        if self.whole:
            value = round(value)
        number = int(value) if self.whole else _rounded(value)
        text: Any = f"{number!r} {self.unit}" if self.unit else number
        return Level({self.name: text}, float(number))

    def spread(self, count: int) -> tuple[Level, ...]:
        """Return `count` values of a range from end to end."""
        assert self.span is not None
        low, high = self.span
        even = np.geomspace if self.log else np.linspace
        return tuple(self._at(float(value)) for value in even(low, high, count))


@dataclass(frozen=True)
class Point:
    """A point of the design.

    Attributes:
        settings: values by dotted keys of the parameter file.
        coordinates: the position of the point, by the names of the factors.
        block: "A", "B" or the name of the exchanged factor in a saltelli design; "" otherwise.
        row: the row within the block, from 0.
    """

    settings: Values
    coordinates: dict[str, Coordinate]
    block: str = ""
    row: int = 0


def _rounded(value: float) -> float:
    """Round to 12 digits, since rounding errors of a unit conversion are not part of a design."""
    return float(f"{value:.12g}")


def factors_of(file: SweepFile) -> list[Factor]:
    """Return the factors of a sweep file, in the order of the file.

    Raises:
        MistakeError: a range is not allowed for its key.
    """
    found = [_of_key(key, entry) for key, entry in file.vary.items()]
    for name, levels in file.levels.items():
        listed = tuple(Level(settings, label) for label, settings in levels.items())
        found.append(Factor(name, levels=listed))
    if file.design.kind == "list":
        keys = dict.fromkeys(key for point in file.points for key in point)
        for key in keys:
            found.append(_of_key(key, [point[key] for point in file.points if key in point]))
    return found


def points_of(file: SweepFile, factors: Sequence[Factor]) -> list[Point]:
    """Return the points of a design; a design without factors has one, the base file itself."""
    design = file.design
    if design.kind == "grid":
        combinations = itertools.product(*(factor.levels for factor in factors))
        return [_point(factors, levels) for levels in combinations]
    if design.kind == "list":
        return [_listed(factors, point) for point in file.points]
    assert design.draws is not None
    if design.kind == "saltelli":
        return _saltelli(factors, design.draws, design.seed)
    sample = _sample(design.kind, len(factors), design.draws, design.seed)
    return [_drawn(factors, row, index=index) for index, row in enumerate(sample)]


def _sample(kind: str, d: int, draws: int, seed: int) -> Floats:
    """Return draws in [0, 1), shape (draws, d)."""
    rng = np.random.default_rng(seed)
    if kind == "random":
        return np.asarray(rng.random((draws, d)))
    # SciPy takes half a second to load, and a grid does not use it.
    from scipy.stats import qmc

    engine = (qmc.LatinHypercube if kind == "latin_hypercube" else qmc.Sobol)(d, rng=rng)
    return np.asarray(engine.random(draws), dtype=np.float64)


def _saltelli(factors: Sequence[Factor], draws: int, seed: int) -> list[Point]:
    d = len(factors)
    both = _sample("sobol", 2 * d, draws, seed)
    blocks = {"A": both[:, :d], "B": both[:, d:]}
    for index, factor in enumerate(factors):
        exchanged = blocks["A"].copy()
        exchanged[:, index] = blocks["B"][:, index]
        blocks[factor.name] = exchanged
    return [
        _drawn(factors, row, block, index)
        for block, rows in blocks.items()
        for index, row in enumerate(rows)
    ]


def _drawn(factors: Sequence[Factor], row: Floats, block: str = "", index: int = 0) -> Point:
    levels = [factor.level(float(u)) for factor, u in zip(factors, row, strict=True)]
    return _point(factors, levels, block, index)


def _point(
    factors: Sequence[Factor], levels: Sequence[Level], block: str = "", row: int = 0
) -> Point:
    settings: Values = {}
    coordinates: dict[str, Coordinate] = {}
    for factor, level in zip(factors, levels, strict=True):
        settings |= level.settings
        coordinates[factor.name] = level.coordinate
    return Point(settings, coordinates, block, row)


def _listed(factors: Sequence[Factor], point: Values) -> Point:
    by_name = {factor.name: factor for factor in factors}
    coordinates = {key: _coordinate(by_name[key], value) for key, value in point.items()}
    return Point(dict(point), coordinates)


# -- values of a key ---------------------------------------------------------------------------


def _of_key(key: str, entry: list[Any] | Range) -> Factor:
    physical = physical_of(key)
    unit, shown = ("", "") if physical is None else (physical.unit, physical.display_unit)
    if isinstance(entry, Range):
        return _range(key, entry, physical)
    bare = Factor(key, unit, shown)
    return Factor(
        key,
        unit,
        shown,
        levels=tuple(Level({key: value}, _coordinate(bare, value)) for value in entry),
    )


def _coordinate(factor: Factor, value: Any) -> Coordinate:
    """Return the value as a number if its key takes numbers, otherwise as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    physical = physical_of(factor.name)
    if physical is not None and physical.unit and isinstance(value, str):
        try:
            return _rounded(physical.read(value))
        except MistakeError:
            # The validation of the parameter file reports what is wrong with it.
            return value
    if isinstance(value, list) and len(value) == 1:
        return _coordinate(Factor(""), value[0])
    return value if isinstance(value, str) else str(value)


def _range(key: str, entry: Range, physical: Physical | None) -> Factor:
    whole = physical is None and isinstance(entry.low, int) and isinstance(entry.high, int)
    low, high = (_end(key, end, physical) for end in (entry.low, entry.high))
    if not low < high:
        raise _mistake(key, "does not rise", "Give the smaller value as from.")
    if entry.scale == "log" and low <= 0:
        raise _mistake(key, "begins at or below 0, where there is no logarithm", "Raise from.")
    unit, shown = ("", "") if physical is None else (physical.unit, physical.display_unit)
    factor = Factor(key, unit, shown, (low, high), entry.scale == "log", whole)
    if entry.points is None:
        return factor
    levels = factor.spread(entry.points)
    return Factor(key, unit, shown, (low, high), entry.scale == "log", whole, levels)


def _end(key: str, value: Any, physical: Physical | None) -> float:
    if physical is not None:
        try:
            return physical.read(value)
        except MistakeError as mistake:
            raise MistakeError(
                f"has an end {value!r} that {mistake.problem}",
                allowed=mistake.allowed,
                remedy=mistake.remedy,
                key=("vary", *key.split(".")),
            ) from mistake
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _mistake(key, f"has an end {value!r} that is no number", "List its values instead.")
    return float(value)


def _mistake(key: str, problem: str, remedy: str) -> MistakeError:
    return MistakeError(problem, remedy=remedy, key=("vary", *key.split(".")))


def check_grid(factors: Sequence[Factor]) -> None:
    """Refuse ranges without a number of points in a grid.

    Raises:
        MistakeError: the first such range.
    """
    for factor in factors:
        if factor.span is not None and not factor.levels:
            raise _mistake(
                factor.name,
                "has no points, which a grid needs",
                "Add points = 5, or choose another design.kind.",
            )


def merged(*settings: Mapping[str, Any]) -> Values:
    """Merge settings; a later key replaces any earlier key that contains it or that it contains."""
    found: Values = {}
    for table in settings:
        for key, value in table.items():
            for other in list(found):
                if other.startswith(f"{key}.") or key.startswith(f"{other}."):
                    del found[other]
            found[key] = value
    return found
