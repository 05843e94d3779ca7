"""The figures, the heterogeneity and the page that are made when a run has ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heterode.base.errors import InputError
from heterode.reporting.page import write_page
from heterode.results.folder import ResultsFolder
from heterode.results.manifest import read_manifest
from heterode.results.marks import leave_note, marking
from heterode.results.trust import earlier_alterations
from heterode.viewing import draw_figures


@dataclass(frozen=True)
class Finished:
    """The report of a run that has ended.

    Attributes:
        finding: the heterogeneity in one line, or why there is none.
        problems: a line for each figure, statistic or page that could not be made.
    """

    finding: str
    problems: tuple[str, ...]


def finish_report(folder: Path) -> Finished:
    """Draw all figures of a run into report/, and write its heterogeneity and its page.

    Failures are reported but do no harm, since the results are already on disk.

    Args:
        folder: the results folder, however the run ended.
    """
    # The report of a run that was resumed with altered files mentions them.
    with marking(earlier_alterations(read_manifest(ResultsFolder(folder).manifest))):
        finished = _finished(folder)
        leave_note(ResultsFolder(folder).report)
    return finished


def _finished(folder: Path) -> Finished:
    problems = [
        f"report/{drawn.drawing.name}.png: {drawn.problem}"
        for drawn in draw_figures(folder)
        if drawn.problem
    ]
    finding = ""
    try:
        finding = brief_heterogeneity(folder)
    except InputError as error:
        finding = f"no heterogeneity report: {error}"
    except Exception as error:
        problems.append(f"report/heterogeneity.json: {_one_line(error)}")
    try:
        write_page(folder)
    except Exception as error:
        problems.append(f"report/index.html: {_one_line(error)}")
    return Finished(finding, tuple(problems))


def brief_heterogeneity(folder: Path) -> str:
    """Write report/heterogeneity.json and .png at the moment of the largest spread.

    The numbers are those of `heterode report` without options, which adds the curves as tables and
    the course over the run.

    Returns:
        the finding in one line.

    Raises:
        InputError: there are too few particles, or all values are the same.
    """
    # The solver needs neither compiled loops nor clustering, so they are imported only here.
    from heterode.reporting.heterogeneity import write_report
    from heterode.reporting.request import Request
    from heterode.reporting.sources import open_source

    request = Request()
    source = open_source(folder, request)
    report = write_report(source, request, source.folder, tables=False)
    return "; ".join(line.strip() for line in report.lines()[:4])


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
