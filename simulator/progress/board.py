"""The progress of a sweep: a live table of runs on a terminal, otherwise a line for each run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from heterode.progress.lines import wall_time

_REDRAW_S = 0.25
_COLOURS = {"completed": "green", "failed": "red", "stopped": "yellow"}
_LAST = 5
"""Number of ended runs that the table shows."""


@dataclass
class _Going:
    label: str
    since: float
    line: str = ""


@dataclass
class _Count:
    """The number of runs with one status in this call, and the time they took."""

    ended: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Board:
    """Shows the runs of a sweep; used by one thread only.

    Args:
        stream: usually stderr.
        title: the sweep's title.
        total: the number of runs of the sweep.
        before: the number of runs that earlier calls completed.
        at_once: the number of simultaneous runs.
        quiet: whether to show nothing.
        clock: function that returns seconds, replaced in tests.
    """

    def __init__(
        self,
        stream: TextIO,
        title: str,
        total: int,
        *,
        before: int = 0,
        at_once: int = 1,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._title, self._total = stream, title, total
        self._before, self._at_once, self._quiet, self._clock = before, at_once, quiet, clock
        self._going: dict[str, _Going] = {}
        self._last: list[tuple[str, str, str, float, str]] = []
        self._count = _Count()
        self._drawn_at = -float("inf")
        self._live: Live | None = None
        if not quiet and stream.isatty() and os.environ.get("TERM") != "dumb":
            console = Console(file=stream, highlight=False)
            self._live = Live(
                console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()

    def begin(self, name: str, label: str) -> None:
        """Show that a run begins."""
        self._going[name] = _Going(label, self._clock())
        self.draw()

    def line(self, name: str, text: str) -> None:
        """Show the latest line of a run's own output."""
        if name in self._going:
            self._going[name].line = text

    def end(self, name: str, status: str, reason: str) -> None:
        """Show that a run ended."""
        going = self._going.pop(name, _Going("", self._clock()))
        seconds = self._clock() - going.since
        self._count.ended[status] = self._count.ended.get(status, 0) + 1
        self._count.seconds += seconds
        self._last = [*self._last, (name, going.label, status, seconds, reason)][-_LAST:]
        if self._live is None:
            explained = f": {reason}" if status == "failed" else ""
            done = self._before + sum(self._count.ended.values())
            took = f"{status} in {wall_time(seconds)} ({going.label}){explained}"
            self._print(f"{done}/{self._total} {name} {took}{self._left()}")
        self.draw()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        if self._live is None:
            self._print(f"heterode: {text}")
        elif not self._quiet:
            self._live.console.print(f"heterode: {text}", markup=False, soft_wrap=True)

    def draw(self, *, now: bool = False) -> None:
        """Redraw the table, if there is one and it is time."""
        if self._live is None:
            return
        if now or self._clock() - self._drawn_at >= _REDRAW_S:
            self._drawn_at = self._clock()
            try:
                self._live.update(self._table(), refresh=True)
            except (OSError, ValueError):
                # The terminal is gone, which does not concern the sweep.
                self._live = None
                self._quiet = True

    def close(self) -> None:
        """Draw the last state, which stays."""
        self.draw(now=True)
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _left(self) -> str:
        count = sum(self._count.ended.values())
        left = self._total - self._before - count
        if not count or not left:
            return ""
        return f", left {wall_time(self._count.seconds / count * left / self._at_once)}"

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._quiet = True

    def _table(self) -> Group:
        done = self._before + sum(self._count.ended.values())
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self._total, completed=done, width=30)
        head.add_row(Text(self._title, "bold"), bar, f"{done}/{self._total}{self._left()}")
        return Group(head, self._rows(), Text(_counts(self._count.ended), "dim"))

    def _rows(self) -> Table:
        rows = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
        for name, width in (("run", 10), ("", 10), ("time", 10)):
            rows.add_column(name, no_wrap=True, width=width)
        rows.add_column("where", overflow="fold")
        rows.add_column("state", overflow="ellipsis", no_wrap=True)
        for name, label, status, seconds, reason in self._last:
            explained = reason if status == "failed" else ""
            colour = _COLOURS.get(status, "")
            rows.add_row(
                name, Text(status, colour), wall_time(seconds), Text(label, "dim"), Text(explained)
            )
        now = self._clock()
        for name, going in self._going.items():
            state = Text(going.line, "dim")
            rows.add_row(name, "running", wall_time(now - going.since), Text(going.label), state)
        return rows


def _counts(ended: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in ended.items())
