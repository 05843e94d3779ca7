"""docs/verification.md and its plots, which every full run writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from heterode import __version__
from heterode.results.written import RECORD
from heterode.viewing.legends import lay_out
from heterode.viewing.style import CHARGE, DISCHARGE, new_figure, save, style
from verification.claim import Plot, Verified
from verification.pages import markdown
from verification.table import CONTROL_HEADING, HEADING, Row, control_rows, rows

COLOURS = (CHARGE, DISCHARGE, "#3c9152", "#8a5bb0", "#7a7a76", "#c79a1b", "#17202a", "#d472a8")
MARKS = "osD^vPX*"

INTRODUCTION = """\
# Verification

Written by `scripts/verify`, which measures every claim below, prints the same table and ends
with code 1 unless all of them pass. `scripts/verify --damage` measures each claim again with one
thing damaged, which must be noticed. `scripts/verify --list` names the claims; with names it
measures these alone and leaves this page as it is, or with `--page docs/verification.md` renews
what it says of them; the rest is then of an earlier run. PyBaMM and NGSolve are installed on first
use in virtual environments of their own, beside the set-up, and are no dependencies. A claim that
cannot be measured counts as "not run", never as passed.
"""

DAMAGED = "## With one thing damaged\n"


def write_page(found: Sequence[Verified], page: Path, order: Sequence[str] = ()) -> None:
    """Write the page and, beside it, a picture for each claim that has plots.

    If no controls were run, the page keeps those that it has.

    Args:
        found: claims, and controls if they were run.
        page: docs/verification.md; pictures go into the folder docs/verification.
        order: names of claims in the order of the page, on which those that were not measured keep
            what the page says of them; empty if the page is of the measured ones alone.
    """
    measured = list(dict.fromkeys(result.claim.name for result in found))
    before = Page.read(page)
    kept = [name for name in order if name in before.sections and name not in measured]
    names = [name for name in order if name in {*measured, *kept}] or measured
    pictures = page.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    for stale in pictures.glob("*.png"):
        if stale.stem not in kept:
            stale.unlink()
    controls = control_rows(found)
    of_claims = _merged(rows(found), before.claims, names, kept)
    of_damages = _merged(controls, before.damages, names, kept if controls else names)
    sections = {name: before.sections[name] for name in kept}
    for result in found:
        if not result.damage:
            sections[result.claim.name] = "\n".join(_section(result, pictures)).strip()
    parts = [INTRODUCTION, "## Claims\n", markdown(HEADING, of_claims) + "\n"]
    if of_damages:
        parts += [DAMAGED, markdown(CONTROL_HEADING, of_damages) + "\n"]
    parts += [f"{sections[name]}\n" for name in names]
    parts.append(_programs(found, before.versions if kept else {}))
    page.write_text("\n".join(parts), encoding="utf-8")
    # Users' folders have a record of what was written; git has these.
    (pictures / RECORD).unlink(missing_ok=True)


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes:
        claims, damages: rows of its two tables.
        sections: the text of each claim's section, by name.
        versions: versions of programs.
    """

    claims: list[Row]
    damages: list[Row]
    sections: Mapping[str, str]
    versions: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read a page; one that is not there says nothing."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        parts = {
            part.partition("\n")[0]: f"## {part}".strip() for part in f"\n{text}".split("\n## ")[1:]
        }
        tables = [_rows_in(parts.pop(title, "")) for title in ("Claims", "With one thing damaged")]
        programs = parts.pop("Programs", "").partition("Measured with ")[2].rstrip(".")
        versions = dict(text.split(" ", 1) for text in programs.split(", ") if " " in text)
        return cls(tables[0], tables[1], parts, versions)


def _rows_in(text: str) -> list[Row]:
    """Return the rows of a table in Markdown, without its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells = (re.split(r"(?<!\\)\|", line)[1:-1] for line in lines)
    return [tuple(cell.strip().replace("\\|", "|") for cell in row) for row in cells]


def _merged(
    new: Sequence[Row], old: Sequence[Row], names: Sequence[str], kept: Sequence[str]
) -> list[Row]:
    """Return the rows of all names, in their order; those that are kept from the old ones."""
    return [row for name in names for row in (old if name in kept else new) if row[0] == name]


def _section(result: Verified, pictures: Path) -> list[str]:
    claim = result.claim
    parts = [f"## {claim.name}\n", f"{claim.text}.\n"]
    damages = "; ".join(claim.controls)
    parts.append(f"Damaged by: {damages}.\n")
    if claim.note:
        parts.append(f"{claim.note}\n")
    if result.outcome is None:
        parts.append(f"Not run: {result.reason}\n")
    elif result.outcome.plots:
        draw(result.outcome.plots, pictures / f"{claim.name}.png")
        parts.append(f"![{claim.text}]({pictures.name}/{claim.name}.png)\n")
    return parts


def _programs(found: Sequence[Verified], before: Mapping[str, str]) -> str:
    versions = {"heterode": __version__}
    for name, distribution in (("DOLFINx", "fenics-dolfinx"), ("PETSc", "petsc4py")):
        try:
            versions[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            versions[name] = "of unknown version"
    versions = {**before, **versions}
    for result in found:
        if result.outcome is not None:
            versions |= result.outcome.versions
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"## Programs\n\nMeasured with {listed}.\n"


def draw(plots: Sequence[Plot], path: Path) -> None:
    """Draw plots side by side as one picture."""
    with style():
        figure = new_figure(4.2 * len(plots), 2.9)
        for axes, plot in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots, strict=True):
            for k, curve in enumerate(plot.curves):
                colour, mark = COLOURS[k % len(COLOURS)], MARKS[k % len(MARKS)]
                few = len(curve.x) <= 20
                axes.plot(
                    curve.x,
                    curve.y,
                    color=colour,
                    linestyle="-" if curve.line else "none",
                    marker=mark if few or not curve.line else "",
                    markersize=4 if few else 2,
                    label=curve.label,
                )
            if plot.logarithmic:
                axes.set_yscale("log")
                if all(min(curve.x) > 0 for curve in plot.curves) and (_few(plot) or _wide(plot)):
                    axes.set_xscale("log")
            axes.set_xlabel(plot.x_label)
            axes.set_ylabel(plot.y_label)
            if len(plot.curves) > 1:
                axes.legend(ncols=2 if len(plot.curves) > 4 else 1)
        lay_out(figure)
        save(figure, path)


def _wide(plot: Plot) -> bool:
    """Whether what the plot shows happens at times of all orders of magnitude."""
    return all(max(curve.x) > 500 * min(curve.x) for curve in plot.curves)


def _few(plot: Plot) -> bool:
    """Whether the plot is that of a convergence study."""
    return all(len(curve.x) <= 6 for curve in plot.curves)
