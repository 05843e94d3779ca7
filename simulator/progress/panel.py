"""The live panel of a run on a terminal: progress, and the course of voltage and spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.box import ROUNDED
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from heterode.progress.lines import simulated_time, wall_time
from heterode.results.sample import Sample

_BLOCKS = "▁▂▃▄▅▆▇█"
_COURSE = 28  # width of a course in columns
_WIDEST = 78
_MOST_KEPT = 2048


class LivePanel:
    """Redraws itself in place; other lines are printed above it.

    The panel appears with the first `draw` and ends with `close`.

    Args:
        stream: a terminal.
        title: the run's title.
    """

    def __init__(self, stream: TextIO, title: str = "") -> None:
        self._console = Console(file=stream, highlight=False)
        self._title = title
        self._blocks = _BLOCKS if self._console.encoding.startswith("utf") else ""
        self._live: Live | None = None
        self._content: RenderableType = ""
        self._voltage: list[float] = []
        self._spread: list[float] = []

    def take(
        self, sample: Sample, step_size: float, done: float | None, remaining: float | None
    ) -> None:
        """Take a state for the next `draw`.

        Args:
            sample: the state.
            step_size: the time step just taken, s.
            done: share of the run that is done; None if unknown.
            remaining: wall time still needed, s; None if unknown.
        """
        self._voltage.append(sample.voltage_V)
        self._spread.append(sample.lithium_fraction_sd)
        if len(self._voltage) > _MOST_KEPT:
            self._voltage, self._spread = self._voltage[::2], self._spread[::2]
        self._content = self._panel(sample, step_size, done, remaining)

    def draw(self) -> None:
        """Show the last state taken."""
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(self._content, refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the panel."""
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Draw the last state, which stays."""
        self.draw()
        assert self._live is not None
        self._live.stop()
        self._live = None

    def _panel(
        self, sample: Sample, step_size: float, done: float | None, remaining: float | None
    ) -> Panel:
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=1.0, completed=done or 0.0, width=34, pulse=done is None)
        share = "" if done is None else f"{100 * done:3.0f} %"
        left = "" if remaining is None else f"left {wall_time(remaining)}"
        head.add_row(bar, share, left)
        body = Table.grid(padding=(0, 2))
        for name, value, course in (
            ("voltage", f"{sample.voltage_V:.4f} V", self._voltage),
            ("spread", f"{sample.lithium_fraction_sd:.4f}", self._spread),
        ):
            body.add_row(Text(name, "dim"), value, Text(self._drawn(course), "cyan"))
        foot = Text(
            f"t {simulated_time(sample.time_s)}   mean x {sample.lithium_fraction_mean:.4f}   "
            f"step {simulated_time(step_size)}",
            "dim",
            no_wrap=True,
            overflow="ellipsis",
        )
        return Panel(
            Group(head, body, foot),
            title=Text(self._title) if self._title else None,
            title_align="left",
            box=ROUNDED,
            width=min(_WIDEST, self._console.width),
        )

    def _drawn(self, values: Sequence[float]) -> str:
        return sparkline(values, _COURSE, self._blocks)


def sparkline(values: Sequence[float], width: int, blocks: str = _BLOCKS) -> str:
    """Draw values as a line of blocks, the smallest value as the lowest block; "" without blocks.

    Args:
        values: at least one value.
        width: largest number of blocks; more values are thinned out evenly, and the last is kept.
        blocks: the blocks from low to high.
    """
    if not blocks:
        return ""
    count = min(width, len(values))
    last = len(values) - 1
    shown = [values[round(k * last / max(count - 1, 1))] for k in range(count)] or [values[-1]]
    low, high = min(shown), max(shown)
    span = high - low or 1.0
    return "".join(blocks[min(int((v - low) / span * len(blocks)), len(blocks) - 1)] for v in shown)
