"""docs/verification.md and its plots, which every full run writes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from heterode import __version__
from heterode.viewing.legends import lay_out
from heterode.viewing.style import CHARGE, DISCHARGE, new_figure, save, style
from verification.claim import Plot, Verified
from verification.pages import markdown
from verification.table import CONTROL_HEADING, HEADING, control_rows, rows

COLOURS = (CHARGE, DISCHARGE, "#3c9152", "#8a5bb0", "#7a7a76", "#c79a1b", "#17202a", "#d472a8")
MARKS = "osD^vPX*"

INTRODUCTION = """\
# Verification

Written by `scripts/verify`, which measures every claim below, prints the same table and ends
with code 1 unless all of them pass. `scripts/verify --damage` measures each claim again with one
thing damaged, which must be noticed. `scripts/verify --list` names the claims; with names it
measures these alone and leaves this page as it is. PyBaMM and NGSolve are installed on first use
in virtual environments of their own, beside the set-up, and are no dependencies. A claim that
cannot be measured counts as "not run", never as passed.
"""

DAMAGED = "## With one thing damaged\n"


def write_page(found: Sequence[Verified], page: Path) -> None:
    """Write the page and, beside it, a picture for each claim that has plots.

    If no controls were run, the page keeps those that it has.

    Args:
        found: claims, and controls if they were run.
        page: docs/verification.md; pictures go into the folder docs/verification.
    """
    pictures = page.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    for stale in pictures.glob("*.png"):
        stale.unlink()
    parts = [INTRODUCTION, "## Claims\n", markdown(HEADING, rows(found)) + "\n"]
    controls = control_rows(found)
    table = markdown(CONTROL_HEADING, controls) if controls else _controls_on(page)
    if table:
        parts += [DAMAGED, table + "\n"]
    for result in found:
        if not result.damage:
            parts += _section(result, pictures)
    parts.append(_programs(found))
    page.write_text("\n".join(parts), encoding="utf-8")


def _controls_on(page: Path) -> str:
    """Return the table of damages that a page has; empty if it has none."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return text.partition(DAMAGED)[2].partition("\n## ")[0].strip()


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


def _programs(found: Sequence[Verified]) -> str:
    versions = {"heterode": __version__}
    for name, distribution in (("DOLFINx", "fenics-dolfinx"), ("PETSc", "petsc4py")):
        try:
            versions[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            versions[name] = "of unknown version"
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
                if all(min(curve.x) > 0 for curve in plot.curves) and _few(plot):
                    axes.set_xscale("log")
            axes.set_xlabel(plot.x_label)
            axes.set_ylabel(plot.y_label)
            if len(plot.curves) > 1:
                axes.legend(ncols=2 if len(plot.curves) > 4 else 1)
        lay_out(figure)
        save(figure, path)


def _few(plot: Plot) -> bool:
    """Whether the plot is that of a convergence study."""
    return all(len(curve.x) <= 6 for curve in plot.curves)
