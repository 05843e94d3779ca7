"""A report of the same particles in several states, and of a run in the same form beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.base.words import counted, spoken
from heterode.heterogeneity.export import jsonable
from heterode.heterogeneity.series import INACTIVE, Series, analyse_series
from heterode.points.run import read_run_particles
from heterode.points.states import Place, counterpart, find_place, read_states
from heterode.reporting.heterogeneity import save_figure, write_csv
from heterode.reporting.request import NAME, Request
from heterode.results.manifest import PROGRAM, collect_versions, write_json
from heterode.results.written import make_folder
from heterode.viewing.series import series_figure

GIVEN, SIMULATED = "given", "simulated"
"""Names of the two series in tables: that of the states, and that of the run beside them."""


@dataclass(frozen=True)
class SeriesRequest:
    """The choices for a report of a series.

    Attributes:
        places: the states, in the order of time.
        value: header of the values in tables; None looks for its usual names.
        times_h: times of the states, h, where they have none of their own.
        drop_missing: whether rows without a number are left out.
        inactive: relative rate below which a particle is inactive.
        simulated: results folder of the run beside the states; None for none.
        permutations: number of permutations for the nulls.
        seed: seed of the permutations.
    """

    places: tuple[Place, ...]
    value: str | None = None
    times_h: tuple[float, ...] | None = None
    drop_missing: bool = False
    inactive: float = INACTIVE
    simulated: Path | None = None
    permutations: int = 199
    seed: int = 1


def find_series(request: SeriesRequest) -> dict[str, Series]:
    """Read and analyse the states, and the run beside them, by name.

    Raises:
        InputError: something cannot be read or analysed; the message says why.
    """
    states = read_states(
        request.places,
        value=request.value,
        times_h=request.times_h,
        drop_missing=request.drop_missing,
    )
    analysed = partial(analyse_series, inactive=request.inactive, permutations=request.permutations)
    own, other = np.random.default_rng(request.seed).spawn(2)
    given = analysed(states, own)
    if request.simulated is None:
        return {GIVEN: given}
    beside = counterpart(read_run_particles(request.simulated), given.mean)
    return {GIVEN: given, SIMULATED: analysed(beside, other)}


def particle_series(
    *states: Path | str,
    value: str | None = None,
    times_h: Sequence[float] | None = None,
    inactive: float = INACTIVE,
    permutations: int = 199,
    seed: int = 1,
) -> Series:
    """Analyse the same particles in several states, as `heterode report --series` does.

    Args:
        states: tables with a column `particle`, in the order of time; a results folder, which gives
            samples at even steps of charge; or moments of it, as in "results/run@2h".
        value: header of the values in tables; None looks for its usual names.
        times_h: times of the states, h, where the tables hold none.
        inactive: share of the mean rate below which a particle counts as inactive.
        permutations: number of permutations for what chance gives; 0 for none.
        seed: seed of the permutations.

    Raises:
        InputError: something cannot be read or analysed; the message says why.
    """
    places = tuple(find_place(one) for one in states)
    times = None if times_h is None else tuple(times_h)
    request = SeriesRequest(
        places, value, times, inactive=inactive, permutations=permutations, seed=seed
    )
    return find_series(request)[GIVEN]


def series_outputs(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Return the files of `write_series`."""
    name = f"{NAME}_series"
    files = [f"{name}.json", f"{name}.csv", f"{name}_states.csv"]
    return [folder / file for file in (*files, *(f"{name}.{ending}" for ending in formats))]


def write_series(
    request: SeriesRequest, look: Request, folder: Path
) -> tuple[list[Path], list[str]]:
    """Analyse a series and write heterogeneity_series.json, .csv, _states.csv and a figure.

    Returns:
        the files, and the findings as lines of text.

    Raises:
        InputError: something cannot be read or analysed; nothing is written then.
        OutputError: the folder cannot be written.
    """
    found = find_series(request)
    make_folder(folder)
    name = f"{NAME}_series"
    files = [folder / f"{name}.json"]
    write_json(files[0], _content(request, found))
    for file, tables in (
        (f"{name}.csv", {key: one.particles() for key, one in found.items()}),
        (f"{name}_states.csv", {key: one.states() for key, one in found.items()}),
    ):
        parts = [pd.DataFrame({"series": key}, index=one.index).join(one)
                 for key, one in tables.items()]  # fmt: skip
        files.append(write_csv(folder / file, pd.concat(parts, ignore_index=True)))
    value = "value" if request.value is None else request.value.replace("_", " ")
    given = found[GIVEN]
    title = f"{counted(len(given.particle), 'particle')} in {counted(len(given.names), 'state')}"
    files += save_figure(series_figure(found, value, title), folder, name, look)
    return files, [line for key, one in found.items() for line in _lines(key, one, len(found))]


def _content(request: SeriesRequest, found: Mapping[str, Series]) -> dict[str, Any]:
    return {
        "program": PROGRAM,
        "versions": collect_versions(),
        "seed": request.seed,
        "options": {
            "inputs": [
                str(place.path) if place.moment is None else f"{place.path}@{place.moment}"
                for place in request.places
            ],
            "value": request.value,
            "times_h": request.times_h,
            "inactive": request.inactive,
            "simulated": None if request.simulated is None else str(request.simulated),
            "permutations": request.permutations,
        },
        "series": {
            key: {
                "particles": len(one.particle),
                "particles_left_out": one.missing,
                "rank_null": one.rank_null,
                "states": {
                    name: jsonable(column.to_numpy()) for name, column in one.states().items()
                },
            }
            for key, one in found.items()
        },
    }


def _lines(key: str, found: Series, count: int) -> list[str]:
    """Return the findings of a series as lines of text."""
    head = "" if count == 1 else f"{key}: "
    lines = [
        f"{head}{counted(len(found.particle), 'particle')} in {counted(len(found.names), 'state')},"
        f" mean value {spoken(found.mean[0])} to {spoken(found.mean[-1])}"
    ]
    if found.missing:
        lines.append(
            f"  note: {counted(found.missing, 'particle', 'is')} not in every state and left out"
        )
    spread = found.relative.std(axis=1, ddof=1)
    rate = found.rate.mean(axis=1)
    if np.isfinite(rate).all():
        text = _range(rate)
        lines.append(f"  mean rate {text} per h; s.d. over particles {_range(spread)} of it")
    else:
        lines.append(f"  no times; s.d. of the rates over particles {_range(spread)} of their mean")
    lag = found.lag[-1]
    if np.isfinite(lag).all():
        hours = found.lag_h[-1]
        late = f" ({spoken(float(np.nanmax(hours)))} h)" if np.isfinite(hours).any() else ""
        lines.append(
            f"  lag behind the mean at the end: s.d. {spoken(float(lag.std(ddof=1)))}, at most"
            f" {spoken(float(lag.max()))}{late}"
        )
    lines.append(
        f"  inactive (below {found.threshold:g} of the mean rate): {_share(found.share)} of the"
        f" particles{_null(found.share_null, 'if particles were exchanged')}"
    )
    known = np.flatnonzero(np.isfinite(found.resting_p))
    if known.size:
        last = known[-1]
        lines.append(
            f"  inactive in every interval: {found.resting[last]:.1%}; by chance"
            f" {found.resting_null[0, last]:.1%} to {found.resting_null[2, last]:.1%}, p ="
            f" {found.resting_p[last]:.2g}"
        )
    lines.append(
        f"  rank correlation with the state before {_range(found.rank_before)}, of rates with those"
        f" before {_range(found.rank_rates)} (unrelated: within {found.rank_null:.2g})"
    )
    return lines


def _range(values: Any) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "unknown"
    low, high = spoken(float(known.min())), spoken(float(known.max()))
    return low if low == high else f"{low} to {high}"


def _share(values: Any) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "none"
    low, high = f"{known.min():.1%}", f"{known.max():.1%}"
    return low if low == high else f"{low} to {high}"


def _null(null: Any, what: str) -> str:
    return f"; {_share(null[1])} {what}" if np.isfinite(null[1]).any() else ""
