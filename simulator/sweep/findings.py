"""What is written for a sweep beside its table: figures, a summary of each point, statistics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.base.units import convert
from heterode.results.manifest import write_json
from heterode.results.written import make_folder, write_output
from heterode.sweep.design import Factor
from heterode.sweep.folder import RANKINGS, SweepFolder
from heterode.sweep.plan import SweepPlan
from heterode.sweep.statistics import (
    EXPLAINED,
    Split,
    completed,
    indices,
    regression,
    summary,
    variance_split,
)
from heterode.viewing import style
from heterode.viewing.ensemble import (
    MOST_LINES,
    MOST_PANELS,
    Axis,
    effect_figure,
    importance_figure,
    variance_figure,
)

BINS = 8
"""Number of bins along a factor whose values were drawn."""

_SPOKEN = {"peak_spread": "peak of the spread", "L_star_independent_um": "L*, independent marks"}


@dataclass(frozen=True)
class Findings:
    """What was found in a sweep and written to its folder.

    Attributes:
        lines: the findings as text for people.
        files: the files that were written.
    """

    lines: tuple[str, ...]
    files: tuple[Path, ...]


def write_findings(plan: SweepPlan, folder: SweepFolder, table: pd.DataFrame) -> Findings:
    """Write points.csv, statistics.json and figures/ from the table; nothing without complete runs.

    Raises:
        OutputError: the folder cannot be written.
    """
    done = completed(table)
    if done.empty:
        return Findings((), ())
    make_folder(folder.figures)
    varied = [factor for factor in plan.factors if len(table[factor.column].unique()) > 1]
    points = summary(table, ["point", *(factor.column for factor in plan.factors)])
    write_output(folder.points, points.to_csv(index=False, lineterminator="\n").encode())
    files = [folder.points]
    files += [_effect(plan, folder, table, varied, factor) for factor in varied]
    lines, entries = [], {}
    splits = {name: variance_split(table, plan, name) for name in EXPLAINED}
    found = [split for split in splits.values() if isinstance(split, Split)]
    lines += _spoken(splits)
    entries["variance"] = {
        name: vars(split) if isinstance(split, Split) else {"none": split}
        for name, split in splits.items()
    }
    if found:
        figure = variance_figure([(_SPOKEN[s.outcome], s.shares) for s in found], plan.title)
        files.append(_save(figure, folder.figures / "variance.png"))
    name, ranked = _ranked(plan, table)
    if isinstance(ranked, pd.DataFrame):
        entries[name] = ranked.to_dict("records")
        files.append(_save(importance_figure(ranked, plan.title), folder.figures / f"{name}.png"))
    elif ranked:
        lines.append(f"no {name.replace('_', ' ')}: {ranked}")
    files.append(folder.statistics)
    write_json(files[-1], {"title": plan.title, **entries})
    return Findings(tuple(lines), tuple(files))


def _ranked(plan: SweepPlan, table: pd.DataFrame) -> tuple[str, pd.DataFrame | str]:
    """Return the name of the ranking that the design allows and its table, or why there is none.

    A grid has its split of the variance for that.
    """
    kind = plan.file.design.kind
    of_indices, of_regression = RANKINGS
    if kind == "saltelli":
        return of_indices, indices(table, plan)
    return of_regression, "" if kind == "grid" else regression(table, plan)


def _spoken(splits: dict[str, Split | str]) -> list[str]:
    lines = []
    for name, split in splits.items():
        if isinstance(split, str):
            lines.append(f"variance of the {_SPOKEN[name]}: not split, {split}")
            continue
        shares = sorted(split.shares.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{source} {share:.0%}" for source, share in shares if share >= 0.005)
        lines.append(f"variance of the {_SPOKEN[name]}: {listed}")
    return lines


def _effect(
    plan: SweepPlan, folder: SweepFolder, table: pd.DataFrame, varied: list[Factor], x: Factor
) -> Path:
    """Draw the effect of one factor; others make lines and panels, and the bands hold the rest."""
    others = [factor for factor in varied if factor is not x]
    lines = panels = None
    if plan.file.design.kind in ("grid", "list"):
        named = [f for f in others if not f.numeric and table[f.column].nunique() <= MOST_PANELS]
        few = [f for f in others if table[f.column].nunique() <= MOST_PANELS]
        # Named levels become panels, so that numbers make the lines.
        panels = next(iter([*named, *few[1:]]), None)
        lines = next(
            (f for f in others if f is not panels and table[f.column].nunique() <= MOST_LINES), None
        )
        if lines is None:
            lines, panels = panels, None
    elif x.numeric and table[x.column].nunique() > BINS:
        table = table.assign(**{x.column: _binned(table[x.column])})
    chosen = [factor for factor in (x, lines, panels) if factor is not None]
    rows = summary(table, [factor.column for factor in chosen])
    axes = [None if factor is None else _axis(factor) for factor in (x, lines, panels)]
    assert axes[0] is not None
    figure = effect_figure(rows, axes[0], axes[1], axes[2], plan.title)
    return _save(figure, folder.effect(x.name))


def _binned(values: pd.Series) -> pd.Series:
    """Replace each value by the median of its bin; all bins hold equally many values."""
    bins = pd.qcut(values, BINS, labels=False, duplicates="drop")
    return values.groupby(bins).transform("median")


def _axis(factor: Factor) -> Axis:
    name = factor.name.rpartition(".")[2].replace("_", " ")
    if not factor.numeric:
        return Axis(factor.column, name, numeric=False)
    label = f"{name} / {factor.shown}" if factor.shown else name
    scale = convert(1.0, factor.unit, factor.shown) if factor.unit else 1.0
    return Axis(factor.column, label, scale, log=factor.log or _is_log(factor))


def _is_log(factor: Factor) -> bool:
    """Whether listed numbers rise by factors rather than by steps."""
    numbers = [level.coordinate for level in factor.levels]
    values = np.array([n for n in numbers if not isinstance(n, str)])
    return len(values) > 2 and bool(values.min() > 0) and bool(values.max() / values.min() > 20)


def _save(figure: Any, path: Path) -> Path:
    with style.style():
        style.save(figure, path)
    return path
