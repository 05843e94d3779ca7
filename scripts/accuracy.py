"""Measures the error of the voltage against its cost: scripts/accuracy [--only CASES] [--write].

Each case is run as it was before there were layers, and with solver.accuracy from 5 to 0.1 mV. The
voltages are compared with a reference: 25 layers on a mesh that is 4 times finer in 2D, on the same
mesh in 3D, with time steps that are 20 times as accurate. References are kept in
docs/accuracy/references; --references computes them again, and those that are missing or belong to
another case are computed in any case. The runs' own estimate of their space error is compared with
25 layers on the same mesh, with time steps as accurate as the reference's.

--write keeps the rows in docs/accuracy/measured.csv, beside those of the other cases, and writes
table and figures of docs/accuracy.md. Without names all cases are measured, in about half an hour
on an idle core, and as long again for all references. Processor times are those of the time steps
alone, and of one process.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The folder holds `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.accuracy_cases import BY_NAME, CASES, Case
from helpers.accuracy_runs import FINE_IN_TIME, Measured, measure, reference
from helpers.paths import ROOT
from helpers.voltage_curve import difference
from heterode.viewing.style import new_figure, save, style
from verification.pages import markdown, put_on_page

PAGE = ROOT / "docs" / "accuracy.md"
FOLDER = ROOT / "docs" / "accuracy"
MEASURED = FOLDER / "measured.csv"

BEFORE = "none"
ACCURACIES = ("5 mV", "1 mV", "0.2 mV", "0.1 mV")
SETTINGS = (BEFORE, *ACCURACIES)
ESTIMATED = (BEFORE, "5 mV", "1 mV")
"""Settings whose estimate of the space error is judged, by a run of its own each."""

Row = dict[str, str]
Note = Callable[[str], None]


def changes(case: Case, setting: str) -> tuple[str, ...]:
    """Return the settings of the solver of a row."""
    if setting == BEFORE:
        return ("solver.layers=none", f"solver.initial_step={case.first_step_s} s")
    return (f"solver.accuracy={setting}",)


# -- measuring --------------------------------------------------------------------------------


def layers_of(run: Measured) -> str:
    """Return the layers of a run as its manifest has them."""
    layers = run.manifest.get("accuracy", {}).get("layers") or {}
    if not layers.get("count"):
        return "none"
    return f"{layers['count']}, {layers['first_um']:.4g} um, {layers['ratio']:g}"


def estimate(case: Case, setting: str) -> Row:
    """Compare the estimate of the space error with the error against 25 layers on this mesh."""
    run = measure(case, [*changes(case, setting), *FINE_IN_TIME])
    true = difference(run.curve, reference(case, 1)).largest
    return {
        "estimate_mV": f"{1e3 * run.largest_estimate:.3g}",
        "true_space_error_mV": f"{1e3 * true:.3g}",
        "estimate_over_true": f"{run.largest_estimate / true:.2f}",
    }


def measured(
    case: Case, settings: Sequence[str], estimated: Sequence[str], note: Note
) -> list[Row]:
    """Return a row for each of some settings of a case; some have their estimate judged."""
    rows: list[Row] = []
    wanted = reference(case, case.finer)
    for setting in settings:
        run = measure(case, changes(case, setting))
        found = difference(run.curve, wanted)
        row = {
            "case": case.name,
            "setting": setting,
            "layers": layers_of(run),
            "unknowns": str(run.unknowns),
            "largest_error_mV": f"{1e3 * found.largest:.3g}",
            "at_s": f"{found.at_s:.3g}",
            "rms_error_mV": f"{1e3 * found.rms:.3g}",
            "capacity_error_percent": f"{100 * found.capacity:.2g}",
            "steps": str(run.manifest["steps"]),
            "newton": str(run.manifest["newton_iterations"]),
            "krylov_per_newton": f"{run.krylov_per_newton:.2f}",
            "cpu_s": f"{run.cpu_s:.2f}",
        }
        if setting in estimated:
            row |= estimate(case, setting)
        rows.append(row)
        note("  ".join(row.values()))
    return rows


# -- keeping ----------------------------------------------------------------------------------


def kept() -> list[Row]:
    """Return the rows that were measured before."""
    if not MEASURED.is_file():
        return []
    with open(MEASURED, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def keep(rows: Sequence[Row]) -> list[Row]:
    """Put rows in the place of those of the same cases and settings, and return all in order."""
    new = {(row["case"], row["setting"]) for row in rows}
    together = [*(row for row in kept() if (row["case"], row["setting"]) not in new), *rows]
    names = list(BY_NAME)
    together.sort(key=lambda row: (names.index(row["case"]), SETTINGS.index(row["setting"])))
    columns = list(dict.fromkeys(key for row in together for key in row))
    with open(MEASURED, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(together)
    return together


# -- table and figures ------------------------------------------------------------------------


@dataclass(frozen=True)
class Ratio:
    """What a row costs against the row of its case without layers."""

    unknowns: float
    cpu: float


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """Return the cost of each row."""
    before = {row["case"]: row for row in rows if row["setting"] == BEFORE}
    return [
        Ratio(*(float(row[key]) / float(before[row["case"]][key]) for key in ("unknowns", "cpu_s")))
        for row in rows
    ]


HEADING = (
    *("case", "accuracy", "layers", "unknowns", "times", "largest error mV", "at s", "rms mV"),
    *("capacity %", "estimate mV", "over true", "steps", "Newton", "Krylov each", "CPU times"),
)


def table(rows: Sequence[Row]) -> str:
    """Return the table in Markdown."""
    lines = []
    for row, ratio in zip(rows, ratios(rows), strict=True):
        krylov = row["krylov_per_newton"]
        lines.append(
            [
                *(row[key] for key in ("case", "setting", "layers", "unknowns")),
                f"{ratio.unknowns:.2f}",
                *(row[key] for key in ("largest_error_mV", "at_s", "rms_error_mV")),
                *(row[key] for key in ("capacity_error_percent",)),
                *(row.get(key, "") for key in ("estimate_mV", "estimate_over_true")),
                *(row[key] for key in ("steps", "newton")),
                "" if float(krylov) == 0 else krylov,
                f"{ratio.cpu:.2f}",
            ]
        )
    return markdown(HEADING, lines)


def draw_work_precision(rows: Sequence[Row]) -> None:
    """Draw the largest error against unknowns and processor time, both relative to before."""
    marks = "osD^vPX*h"
    with style():
        figure = new_figure(7.2, 3.4)
        axes = figure.subplots(1, 2, sharey=True)
        cost = ratios(rows)
        for mark, case in zip(marks, CASES, strict=True):
            mine = [k for k, row in enumerate(rows) if row["case"] == case.name]
            if not mine:
                continue
            errors = [float(rows[k]["largest_error_mV"]) for k in mine]
            for axis, key in zip(axes, ("unknowns", "cpu"), strict=True):
                x = [getattr(cost[k], key) for k in mine]
                axis.loglog(x, errors, marker=mark, markersize=4, label=case.name)
        for axis, label in zip(axes, ("unknowns", "processor time"), strict=True):
            axis.set_xlabel(f"{label}, in those without layers")
            axis.axhline(1.0, color="#7a7a76", linewidth=0.6, linestyle=":")
            ticks = (1, 1.5, 2, 3, 4, 6)
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_xticks([], minor=True)
        axes[0].set_ylabel("largest error of the voltage, mV")
        axes[1].legend(title="case", ncols=2)
        (FOLDER / "work-precision.png").unlink(missing_ok=True)
        save(figure, FOLDER / "work-precision.png")
        # The mark by which a user's folder is told from the simulator's has no place in docs/.
        (FOLDER / ".heterode-written").unlink(missing_ok=True)


def main() -> None:
    """Measure the cases asked for and print the table."""
    parser = argparse.ArgumentParser(
        prog="scripts/accuracy", description="Measure the error of the voltage against its cost."
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BY_NAME),
        metavar="CASE",
        help=f"this case alone (may be repeated), of {', '.join(BY_NAME)}",
    )
    parser.add_argument(
        "--accuracy",
        action="append",
        choices=ACCURACIES,
        help="this accuracy alone (may be repeated), beside the run without layers",
    )
    parser.add_argument(
        "--no-estimate", action="store_true", help="leave out the runs that judge the estimate"
    )
    parser.add_argument("--references", action="store_true", help="compute references again")
    parser.add_argument("--write", action="store_true", help="keep the results in docs/ as well")
    parser.add_argument(
        "--page", action="store_true", help="measure nothing: table and figures of what is kept"
    )
    options = parser.parse_args()
    rows = kept() if options.page else []
    for name in () if options.page else (options.only or BY_NAME):
        case = BY_NAME[name]
        if options.references:
            for finer in sorted({1, case.finer}):
                reference(case, finer, anew=True)
        settings = [s for s in SETTINGS if s in (BEFORE, *(options.accuracy or ACCURACIES))]
        estimated = () if options.no_estimate else ESTIMATED
        found = measured(
            case, settings, estimated, lambda text: print(text, file=sys.stderr, flush=True)
        )
        # Each case is kept as soon as it is measured: an end in between loses nothing.
        rows = keep(found) if options.write else [*rows, *found]
    text = table(rows)
    print(text)
    if options.write or options.page:
        draw_work_precision(rows)
        put_on_page(PAGE, "work-precision", text)


if __name__ == "__main__":
    main()
