"""What a run leaves in its folder report/ when it ends: figures, and its heterogeneity."""

from __future__ import annotations

import sys
from pathlib import Path

from simulator.errors import InputError
from simulator.heterogeneity import Settings
from simulator.reporting.heterogeneity import write_report
from simulator.reporting.request import Request
from simulator.reporting.sources import open_source
from simulator.viewing import draw_differential, draw_particle_map, draw_spread, draw_voltage

# A run waits for this report: enough to see what is there, where `heterode report` takes more.
_BRIEF = Request(Settings(permutations=99, seeds=3), evolution=False)


def draw_after_run(folder: Path) -> None:
    """Draw the figures of a run.

    Raises:
        InputError: its files are not readable.
        OutputError: a picture cannot be written.
    """
    for draw in (draw_voltage, draw_differential, draw_spread, draw_particle_map):
        draw(folder)


def report_after_run(folder: Path) -> str:
    """Write report/heterogeneity.json and .png at the moment of the largest spread.

    A run is never spoiled by its report: what cannot be had is said, and no more.

    Returns:
        the finding in one line, or why there is none.
    """
    try:
        source = open_source(folder, _BRIEF)
        report = write_report(source, _BRIEF, source.folder, tables=False)
    except InputError as error:
        return f"no heterogeneity report: {error}"
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        line = f"no heterogeneity report, by a fault of the program ({reason})"
        print(f"heterode: warning: {line}", file=sys.stderr, flush=True)
        return line
    return "; ".join(line.strip() for line in report.lines())
