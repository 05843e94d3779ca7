"""What follows the end of a run: its figures and its page."""

from __future__ import annotations

from pathlib import Path

from simulator.reporting.page import write_page
from simulator.viewing import draw_figures


def finish_report(folder: Path) -> list[str]:
    """Draw all figures of a run into report/, and write its page.

    What fails is told and does no harm: the results are there already.

    Args:
        folder: of the results, however the run ended.

    Returns:
        a line per picture, or page, that could not be made.
    """
    problems = [
        f"report/{drawn.drawing.name}.png: {drawn.problem}"
        for drawn in draw_figures(folder)
        if drawn.problem
    ]
    try:
        write_page(folder)
    except Exception as error:
        problems.append(f"report/index.html: {' '.join(str(error).split())}")
    return problems
