"""The progress line of a run: time, voltage, mean lithium fraction, step, time still to wait."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import TextIO

import numpy as np
import numpy.typing as npt

from simulator.protocol import Cutoff, Group, Item
from simulator.protocol.sequence import Place, unit_at, whole
from simulator.results.sample import Sample

Floats = npt.NDArray[np.float64]

_REDRAW_S = 0.1
_PLAIN_SHARE = 0.1  # without a terminal: a line per tenth of the run ...
_PLAIN_S = 10.0  # ... but none sooner than this after another, except the last
_FORGET = 0.3


class Progress:
    """Shows how a run goes on; used on rank 0 alone.

    On a terminal one line is redrawn in place; otherwise (a file, a pipe, a batch job's log) a
    plain line is printed at each tenth of the run, and at most every ten seconds.

    Args:
        stream: usually stderr, as stdout belongs to results.
        total_hint: simulated time the protocol is expected to take, s; None if unknown. Used only
            where `update` is not told the fraction done.
        quiet: print nothing at all.
        clock: seconds, for the tests.
    """

    def __init__(
        self,
        stream: TextIO,
        total_hint: float | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._total = total_hint
        self._quiet = quiet
        self._clock = clock
        self._live = stream.isatty()
        self._remaining = _Remaining(clock())
        self._line = ""
        self._drawn_at = -float("inf")
        self._tenth = 0

    def update(self, sample: Sample, step_size: float, fraction_done: float | None = None) -> None:
        """Show the state after an accepted step.

        Args:
            sample: the state.
            step_size: the time step just taken, s.
            fraction_done: share of the run that is done, 0 to 1; None takes it from `total_hint`.
        """
        if self._quiet:
            return
        now = self._clock()
        done = self._fraction(sample, fraction_done)
        remaining = self._remaining.estimate(now, done)
        self._line = progress_line(sample, step_size, done, remaining)
        if self._live:
            if now - self._drawn_at >= _REDRAW_S:
                self._draw(now)
        elif self._due(now, done):
            self._print(now)

    def close(self) -> None:
        """The last state stays on the screen, or becomes the last plain line."""
        if self._quiet or not self._line:
            return
        if self._live:
            self._draw(self._clock())
            self._write("\n")
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
        # Within rounding: 0.3 / 0.1 is 2.9999999999999996.
        tenth = 0 if done is None else int(done / _PLAIN_SHARE + 1e-9)
        if done is not None and tenth <= self._tenth:
            return False
        self._tenth = tenth
        return True

    def _draw(self, now: float) -> None:
        # A line that wraps could not be redrawn in place.
        width = shutil.get_terminal_size().columns - 1
        self._write("\r" + self._line[:width] + "\x1b[K")
        self._drawn_at = now

    def _print(self, now: float) -> None:
        self._write(self._line + "\n")
        self._drawn_at = now

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody listens any more (a closed terminal or pipe); the run itself is not concerned.
            self._quiet = True


class Journey:
    """How far a protocol has come, as the user sees it: evenly over its steps.

    Within a step it is the share of its duration or, where a voltage or a lithium fraction ends it,
    of the way of the mean lithium fraction there (at a voltage the open-circuit value). Steps that
    repeat until something happens count as one.

    Args:
        protocol: the steps, or the group that repeats them.
        lithium_fraction: open-circuit lithium fraction of voltages, V.
    """

    def __init__(
        self, protocol: Group | Sequence[Item], lithium_fraction: Callable[[Floats], Floats]
    ) -> None:
        self._root, self._fraction = whole(protocol), lithium_fraction
        self._unit, self._begin = "", 0.0

    def fraction_done(
        self, sample: Sample, of_duration: float | None, place: Place | None = None
    ) -> float | None:
        """0 to 1, or None where nothing tells.

        Args:
            sample: the state.
            of_duration: share of the step that has passed; None if it cannot tell.
            place: of the step; None takes the sample's number, where nothing repeats.
        """
        unit, at, before, share = unit_at(self._root, place or ((sample.step, 0),))
        if str(at) != self._unit:
            self._unit, self._begin = str(at), sample.lithium_fraction_mean
        inside = of_duration
        if isinstance(unit, Group):
            inside = self._of_way(sample, unit.until)
        elif inside is None:
            inside = self._of_way(sample, unit.cutoffs)
        return None if inside is None else before + share * inside

    @property
    def memory(self) -> tuple[str, float]:
        """What is under way, and the mean lithium fraction it began at."""
        return self._unit, self._begin

    def recall(self, memory: tuple[str, float]) -> None:
        """Go on from the memory of an earlier run's journey."""
        self._unit, self._begin = str(memory[0]), memory[1]

    def _of_way(self, sample: Sample, cutoffs: Sequence[Cutoff]) -> float | None:
        for cutoff in cutoffs:
            if cutoff.quantity not in ("voltage", "lithium fraction"):
                continue
            assert isinstance(cutoff.value, float)
            goal = cutoff.value
            if cutoff.quantity == "voltage":
                goal = float(self._fraction(np.array([goal]))[0])
            way = self._begin - goal
            if way != 0.0:
                done = (self._begin - sample.lithium_fraction_mean) / way
                return float(np.clip(done, 0.0, 1.0))
        return None


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
            # A ratio of faded sums, not a mean of ratios: the first steps gain next to nothing,
            # and their own pace would rule the estimate long after them.
            fading = (1 - _FORGET) ** (100 * gained)
            self._spent = fading * self._spent + now - self._at
            self._gained = fading * self._gained + gained
        if self._done is None or done > self._done:
            self._at, self._done = now, done
        return self._spent / self._gained * (1 - done) if self._gained > 0 else None


def progress_line(
    sample: Sample, step_size: float, done: float | None, remaining: float | None
) -> str:
    """The line's text, such as
    ` 42 %  t = 3.52 h  V = 3.8421 V  x = 0.6132  step 312 s  left 1 min 10 s`.
    """
    parts = [
        "" if done is None else f"{100 * done:3.0f} %",
        f"t = {simulated_time(sample.time_s)}",
        f"V = {sample.voltage_V:.4f} V",
        f"x = {sample.lithium_fraction_mean:.4f}",
        f"step {simulated_time(step_size)}",
        "" if remaining is None else f"left {wall_time(remaining)}",
    ]
    return "  ".join(part for part in parts if part)


def simulated_time(seconds: float) -> str:
    """Simulated time: "0.25 s", "312 s", "3.52 h"."""
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds / 3600:.3g} h"


def wall_time(seconds: float) -> str:
    """Time to wait: "48 s", "1 min 10 s", "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
