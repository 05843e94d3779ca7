"""The display of a run's progress: up to ten times a second, or rarely without a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from heterode.progress.lines import progress_line
from heterode.results.sample import Sample

if TYPE_CHECKING:
    from heterode.progress.panel import LivePanel

_REDRAW_S = 0.1
_PLAIN_SHARE = 0.1  # without a terminal: a line at each tenth of the run ...
_PLAIN_S = 10.0  # ... but at least this long after the previous one, except for the last
_FORGET = 0.3


class Display:
    """Shows the progress of a run; used on rank 0 only.

    On a terminal a panel is redrawn in place. Otherwise (a file, a pipe, a batch job's log, a
    terminal that cannot move its cursor) a plain line is printed at each tenth of the run, and at
    most every ten seconds.

    Args:
        stream: usually stderr, as stdout belongs to results.
        total_hint: simulated time that the protocol is expected to take, s; None if unknown. It is
            used only if `update` is not given the fraction done.
        quiet: whether to print nothing at all.
        clock: function that returns seconds, replaced in tests.
        title: the run's title, for the panel.
    """

    def __init__(
        self,
        stream: TextIO,
        total_hint: float | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        title: str = "",
    ) -> None:
        self._stream = stream
        self._total = total_hint
        self._quiet = quiet
        self._clock = clock
        self._panel: LivePanel | None = None
        if not quiet and stream.isatty() and os.environ.get("TERM") != "dumb":
            # The panel is imported only for a terminal, which most runs of a sweep do not have.
            from heterode.progress.panel import LivePanel

            self._panel = LivePanel(stream, title)
        self._remaining = _Remaining(clock())
        self._line = ""
        self._drawn_at = -float("inf")
        self._tenth = 0

    def say(self, text: str) -> None:
        """Print a line that stays, above the panel or among the plain lines."""
        if self._panel is None:
            self._write(f"heterode: {text}\n")
        else:
            self._unless_closed(lambda panel: panel.say(f"heterode: {text}"))

    def update(self, sample: Sample, step_size: float, fraction_done: float | None = None) -> None:
        """Show the state after an accepted step.

        Args:
            sample: the state.
            step_size: the time step just taken, s.
            fraction_done: share of the run that is done, 0 to 1; None derives it from `total_hint`.
        """
        if self._quiet:
            return
        now = self._clock()
        done = self._fraction(sample, fraction_done)
        remaining = self._remaining.estimate(now, done)
        self._line = progress_line(sample, step_size, done, remaining)
        if self._panel is not None:
            self._panel.take(sample, step_size, done, remaining)
            if now - self._drawn_at >= _REDRAW_S:
                self._drawn_at = now
                self._unless_closed(lambda panel: panel.draw())
        elif self._due(now, done):
            self._print(now)

    def close(self) -> None:
        """Leave the last state on the screen, or print it as the last plain line."""
        if self._quiet or not self._line:
            return
        if self._panel is not None:
            self._unless_closed(lambda panel: panel.close())
        else:
            self._print(self._clock())
        self._line = ""

    def _fraction(self, sample: Sample, given: float | None) -> float | None:
        if given is None and self._total:
            given = sample.time_s / self._total
        return None if given is None else min(max(given, 0.0), 1.0)

    def _due(self, now: float, done: float | None) -> bool:
        if now - self._drawn_at < _PLAIN_S:
            return False
        # The tolerance covers rounding: 0.3 / 0.1 is 2.9999999999999996.
        tenth = 0 if done is None else int(done / _PLAIN_SHARE + 1e-9)
        if done is not None and tenth <= self._tenth:
            return False
        self._tenth = tenth
        return True

    def _print(self, now: float) -> None:
        self._write(self._line + "\n")
        self._drawn_at = now

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads the output any more (a closed terminal or pipe), which does not concern
            # the run.
            self._quiet = True

    def _unless_closed(self, show: Callable[[LivePanel], None]) -> None:
        if self._quiet or self._panel is None:
            return
        try:
            show(self._panel)
        except (OSError, ValueError):
            self._quiet = True


class _Remaining:
    """Estimates the wall time still needed from the recent pace.

    The pace of an adaptive run changes along the charge, so recent progress counts most.
    """

    def __init__(self, start: float) -> None:
        self._at = start
        self._done: float | None = None
        self._spent = self._gained = 0.0

    def estimate(self, now: float, done: float | None) -> float | None:
        if done is None:
            return None
        if self._done is not None and done > self._done:
            gained = done - self._done
            # The pace is a ratio of fading sums, not a mean of ratios: the first steps progress
            # very little, and their own pace would dominate the estimate long afterwards.
            fading = (1 - _FORGET) ** (100 * gained)
            self._spent = fading * self._spent + now - self._at
            self._gained = fading * self._gained + gained
        if self._done is None or done > self._done:
            self._at, self._done = now, done
        return self._spent / self._gained * (1 - done) if self._gained > 0 else None
