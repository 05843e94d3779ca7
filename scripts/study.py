"""Tables and figures of docs/study.md from the folders of its sweeps.

    scripts/run -- heterode sweep params/sweeps/weibull.toml --out results/weibull
    scripts/run -- heterode sweep params/sweeps/check.toml --out results/weibull-check
    scripts/run -- python3 scripts/study.py results/weibull results/weibull-check [--write]

Prints the tables; --write puts them into docs/study.md and the figures into docs/study/. The second
folder holds the same electrodes on a fine mesh with tight tolerances, for the table of errors.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from heterode.sweep.folder import SweepFolder
from heterode.sweep.statistics import completed, summary
from heterode.sweep.table import collect
from verification.pages import put_on_page

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "study.md"
FIGURES = ROOT / "docs" / "study"
FACTORS = ["rate", "penalty.shape", "penalty.scale"]


def main() -> None:
    """Read the folders, print the tables, and write them on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path)
    parser.add_argument("fine", type=Path, nargs="?")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    folder = SweepFolder(options.sweep)
    table = collect(folder.read(), folder)
    tables = {"cost": cost(table), "answer": answer(table), "tests": tests(table)}
    tables["variance"] = variance(options.sweep)
    if options.fine is not None:
        fine = SweepFolder(options.fine)
        tables["errors"] = errors(table, collect(fine.read(), fine))
    for name, text in tables.items():
        print(f"\n{name}\n{text}")
        if options.write:
            put_on_page(PAGE, name, text)
    if options.write:
        FIGURES.mkdir(exist_ok=True)
        for figure in sorted((options.sweep / "figures").glob("*.png")):
            shutil.copy(figure, FIGURES / figure.name)


def markdown(rows: list[dict[str, str]]) -> str:
    """Return rows as a table in Markdown."""
    frame = pd.DataFrame(rows).fillna("")
    lines = [list(frame.columns), ["---"] * len(frame.columns), *frame.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def cost(table: pd.DataFrame) -> str:
    """Return the number of runs and their cost."""
    done = completed(table)
    hours = float(done["wall_s"].sum() + done["measure_s"].sum()) / 3600
    return markdown(
        [
            {
                "runs": str(len(table)),
                "complete": str(len(done)),
                "particles": f"{done['particles'].median():.0f}",
                "unknowns": f"{done['unknowns'].median():.0f}",
                "time steps": f"{done['steps'].median():.0f}",
                "s a run": f"{done['wall_s'].median():.1f}",
                "core hours": f"{hours:.2f}",
                "GB a run": f"{done['memory_bytes'].max() / 1e9:.2f}",
            }
        ]
    )


def answer(table: pd.DataFrame) -> str:
    """Return medians and bands at each point."""
    rows = []
    for _, row in summary(table, FACTORS).sort_values(FACTORS).iterrows():
        rows.append(
            {
                "rate": row["rate"],
                "shape": f"{row['penalty.shape']:g}",
                "scale": f"{row['penalty.scale']:g}",
                "runs": str(row["runs"]),
                "L* / um": banded(row, "L_star_um", "{:.0f}"),
                "converged": f"{row['L_star_converged']:.0%}",
                "independent / um": banded(row, "L_star_independent_um", "{:.0f}"),
                "shuffled / um": f"{row['L_star_null_median_um']:.0f}",
                "peak spread": banded(row, "peak_spread", "{:.4f}"),
                "at x": f"{row['peak_lithium_fraction']:.2f}",
            }
        )
    return markdown(rows)


def banded(row: pd.Series, name: str, form: str) -> str:
    """Format a median with its band, such as "61 (55 to > 84)"."""

    def number(ending: str) -> str:
        mark = "> " if row.get(f"{name}{ending}_is_bound", False) else ""
        return mark + form.format(row[name + ending])

    return f"{number('')} ({number('_low')} to {number('_high')})"


def tests(table: pd.DataFrame) -> str:
    """Return how often L* and the pair correlation differ from chance."""
    rows = []
    for rate, group in completed(table).groupby("rate"):
        converged = group[group["L_star_flag"] == "ok"]
        ratio = converged["L_star_um"] / converged["L_star_independent_um"]
        low, middle, high = np.quantile(ratio, [0.16, 0.5, 0.84])
        above = (group["L_star_p_value"] < 0.05).mean()
        identified = group["correlation_length_um"].notna().mean()
        rows.append(
            {
                "rate": str(rate),
                "runs": str(len(group)),
                "L* converged": f"{len(converged) / len(group):.0%}",
                "L* above shuffled values, p < 0.05": f"{above:.1%}",
                "correlation length identified": f"{identified:.0%}",
                "L*/independent, where converged": f"{middle:.2f} ({low:.2f} to {high:.2f})",
            }
        )
    return markdown(rows)


def variance(folder: Path) -> str:
    """Return shares of the variance, over all runs and within the points."""
    splits = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))["variance"]
    rows = []
    for name, split in splits.items():
        row = {"number": name.replace("_", " ")}
        row |= {source: f"{share:.0%}" for source, share in split["shares"].items()}
        row |= {f"within a point: {k}": f"{share:.0%}" for k, share in split["within"].items()}
        rows.append(row)
    return markdown(rows)


def errors(table: pd.DataFrame, fine: pd.DataFrame) -> str:
    """Return the study's numbers beside those of a fine mesh and tight tolerances."""
    keys = [*FACTORS, "packing_seed", "penalty_seed"]
    both = completed(table).merge(completed(fine), on=keys, suffixes=("", "_fine"))
    numbers: dict[str, Callable[[float], str]] = {
        "peak_spread": "{:.4f}".format,
        "L_star_um": "{:.1f}".format,
        "L_star_independent_um": "{:.1f}".format,
        "voltage_at_x_0.7_V": "{:.4f}".format,
    }
    rows = []
    for _, row in both.sort_values(keys).iterrows():
        line = {
            "rate": row["rate"],
            "shape": f"{row['penalty.shape']:g}",
            "scale": f"{row['penalty.scale']:g}",
            "unknowns": f"{row['unknowns']:.0f}, {row['unknowns_fine']:.0f}",
            "steps": f"{row['steps']:.0f}, {row['steps_fine']:.0f}",
        }
        for name, form in numbers.items():
            line[name.replace("_", " ")] = f"{form(row[name])}, {form(row[f'{name}_fine'])}"
        rows.append(line)
    return markdown(rows)


if __name__ == "__main__":
    main()
