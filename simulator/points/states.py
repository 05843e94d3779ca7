"""States of the same particles, for a series: from tables, and from the moments of a run.

A table has a column `particle`, which names each particle, and one of values; with a column of
times (`time_s`, `time_min`, `time_h`) it may hold several states. A run gives some of its samples,
or a moment: `results/run@2h`, in the words of `heterode.points.run`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heterode.base.csv_table import CsvTable, read_csv_table, what_is_wrong
from heterode.base.csv_text import TableError, harmless, shown_columns
from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.heterogeneity.marks import Floats
from heterode.heterogeneity.series import State
from heterode.points.columns import find_time, find_value
from heterode.points.evolution import evenly_charged
from heterode.points.run import RunParticles, find_instant, parse_instant, read_run_particles

MOST_SAMPLES = 25
"""Samples of a run that make a series, at about equal steps of the charge passed."""

_SECONDS = 3600.0


@dataclass(frozen=True)
class Place:
    """Where states are from.

    Attributes:
        path: a table, or a results folder.
        moment: the moment of a run; None for samples at even steps of charge.
    """

    path: Path
    moment: str | None = None


def find_place(text: Path | str) -> Place:
    """Return what an argument means: a path, or a results folder with a moment after an @.

    Raises:
        InputError: there is no such file or folder.
    """
    path = Path(text)
    if path.exists():
        return Place(path)
    folder, sign, moment = str(text).rpartition("@")
    if sign and Path(folder).is_dir():
        return Place(Path(folder), moment)
    raise InputError(
        f"{text}: no such file or folder. Give tables of states, results folders, or a folder and "
        "a moment as in results/run@2h"
    )


def read_states(
    places: Sequence[Place],
    *,
    value: str | None = None,
    times_h: Sequence[float] | None = None,
    drop_missing: bool = False,
) -> list[State]:
    """Read states in the order of the places.

    Args:
        places: tables and runs.
        value: header of the values in tables; None looks for its usual names.
        times_h: times of the states, h, where tables hold none.
        drop_missing: whether rows without a number are left out.

    Raises:
        InputError: something cannot be read, a column is missing, or times and states differ in
            number.
    """
    states: list[State] = []
    for place in places:
        if place.path.is_dir():
            states += _of_run(place)
        else:
            states += _of_table(place.path, value, drop_missing)
    if times_h is None:
        return states
    if any(np.isfinite(state.time_h) for state in states):
        raise ArgumentError(
            "{times}, but the states have times of their own. Leave it out", times="given"
        )
    if len(times_h) != len(states):
        raise ArgumentError(
            f"{{times}}: {counted(len(times_h), 'time')} for {counted(len(states), 'state')}",
            times="given",
        )
    return [
        State(state.name, state.particle, state.value, float(time))
        for state, time in zip(states, times_h, strict=True)
    ]


def _of_table(path: Path, value: str | None, drop_missing: bool) -> list[State]:
    table = read_csv_table(path)
    column = next((c for c in table.columns if c.strip().lower() == "particle"), None)
    if not table.separator or column is None:
        has = shown_columns(table.columns)
        raise InputError(
            f"{path}: no column 'particle' (it has: {has}). Give each particle its number or name "
            "there, the same in all states"
        )
    header = find_value(table.columns, path, value)
    numbers = _whole(table, header, drop_missing)
    names = np.array([_plain(text) for text in table.texts(column)], dtype=object)
    for row in np.flatnonzero(names == "")[:1]:
        raise TableError(path, f"line {table.lines[row]}: no particle is named in '{column}'")
    kept = np.isfinite(numbers)
    if not kept.any():
        raise InputError(f"{path}: no row is complete. Give a value to each particle")
    found = find_time(table.columns)
    time_h: Floats = np.full(len(names), np.nan)
    if found is not None:
        time_h = table.numbers(found[0]) * found[1]
    moments = [np.nan] if found is None else list(dict.fromkeys(time_h[kept]))
    states = []
    for moment in moments:
        rows = kept if found is None else kept & (time_h == moment)
        name = str(path) if len(moments) == 1 else f"{path} at {moment:g} h"
        states.append(State(name, tuple(names[rows]), numbers[rows], float(moment)))
    return states


def _whole(table: CsvTable, column: str, drop_missing: bool) -> Floats:
    numbers = table.numbers_or_nan(column)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size and not drop_missing:
        what = what_is_wrong(table.texts(column)[bad[0]])
        raise ArgumentError(
            f"{table.path}: line {table.lines[bad[0]]}, column '{harmless(column)}' {what}. "
            "Complete the table or pass {drop_missing}",
            drop_missing=...,
        )
    return numbers


def _plain(text: str) -> str:
    """Return an identifier in one form, since programs write the same number as 3 or 3.0."""
    word = text.strip()
    try:
        number = float(word)
    except ValueError:
        return word
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e15 else word


def _of_run(place: Place) -> list[State]:
    run = read_run_particles(place.path)
    if place.moment is None:
        indices: Sequence[int] = [int(k) for k in evenly_charged(run, MOST_SAMPLES)]
    else:
        indices = [find_instant(run, parse_instant(place.moment)).index]
    names = tuple(f"{one}" for one in run.table.particle)
    return [
        State(
            f"{place.path} at {run.series.time_s[k] / _SECONDS:g} h",
            names,
            run.series.lithium_fraction[k],
            float(run.series.time_s[k]) / _SECONDS,
        )
        for k in indices
    ]


def counterpart(run: RunParticles, means: Floats) -> list[State]:
    """Return the states of a run at given mean lithium fractions, one after another.

    Between two samples the particles' lithium fractions are interpolated linearly.

    Args:
        run: the run.
        means: (S,) means over particles, by number.

    Raises:
        InputError: the run does not pass the means in this order.
    """
    mean = run.series.lithium_fraction.mean(axis=1)
    names = tuple(f"{one}" for one in run.table.particle)
    states, begin = [], 0.0
    for wanted in means:
        at = _passage(mean, float(wanted), begin)
        if at is None:
            raise InputError(
                f"{run.path}: its mean lithium fraction does not pass {wanted:.6g} in the order of "
                f"the states (it goes from {mean.min():.6g} to {mean.max():.6g}). Compare with a "
                "run over these states"
            )
        begin, low = at, min(int(at), len(mean) - 2)
        part = at - low
        value = (1 - part) * run.series.lithium_fraction[low]
        value = value + part * run.series.lithium_fraction[low + 1]
        seconds = np.interp(at, np.arange(len(mean)), run.series.time_s)
        hours = float(seconds) / _SECONDS
        states.append(State(f"{run.path} at {hours:.6g} h", names, value, hours))
    return states


def _passage(mean: Floats, wanted: float, begin: float) -> float | None:
    """Return the first place at or after `begin`, in samples, at which the mean is as wanted."""
    for k in range(int(begin), len(mean) - 1):
        away, then = mean[k] - wanted, mean[k + 1] - wanted
        if away * then <= 0.0:
            place = float(k) if away == then else k + float(away / (away - then))
            if place >= begin:
                return place
    return None
