"""Observers beside the recorder: checkpoints, progress, balances."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TextIO

from heterode import __version__
from heterode.base.errors import SolveError
from heterode.progress import Display
from heterode.results.checkpoint import Checkpoint as Content
from heterode.runs.observer import Coming, Ending, Kept, Observer, Step, Wants
from heterode.runs.recorder import Recorder
from heterode.runs.setting import Setting


class Checkpoint(Observer):
    """Writes what a run goes on from into the folder of a recorder.

    It does so at the end of each protocol step, whenever output.checkpoint_every has passed by the
    clock, and where a signal or a failed solve ends the run. Where a loop is left by `break`, the
    last checkpoint is that of the last protocol step or of the clock.

    Args:
        recorder: of the run; it comes before this one in the list of observers.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._saved_at, self._saved = time.monotonic(), -1
        self._wanted = False

    def wants(self, coming: Coming) -> Wants:
        """What the run goes on from, where a checkpoint is due."""
        self._wanted = bool(coming.ended_by) or self._is_due(coming)
        return Wants(kept=self._wanted)

    def _is_due(self, coming: Coming) -> bool:
        """Whether the clock asks for a checkpoint; rank 0's alone counts."""
        every = coming.parameters.output.checkpoint_every
        if coming.accepted == 0 or coming.rank != 0:
            return False
        return 0 < every <= time.monotonic() - self._saved_at

    def begin(self, setting: Setting) -> None:
        """See that the recorder has begun.

        Raises:
            ArgumentError: it comes later.
        """
        _ = self._recorder.claimed

    def observe(self, step: Step) -> None:
        """Write a checkpoint where one is due.

        Raises:
            OutputError: the folder cannot be written to.
        """
        if self._wanted and step.kept is not None:
            self._save(step.kept, step.sample.accepted)

    def end(self, ending: Ending) -> None:
        """Write a checkpoint of the last accepted step, where the run ended early.

        Raises:
            OutputError: the folder cannot be written to.
        """
        last = ending.last
        if last is not None and last.kept is not None and last.sample.accepted != self._saved:
            self._save(last.kept, last.sample.accepted)

    def _save(self, kept: Kept, accepted: int) -> None:
        at, files = self._recorder.claimed, self._recorder.files
        # A checkpoint counts on the samples before it.
        files.make_durable()
        header = {
            "version": __version__,
            "at": {"from_time_s": kept.entries["march"]["past"][0]["time"], "from_step": accepted},
            "parameters": at.setting.parameters.to_si_dict(),
            "hashes": dict(at.setting.hashes),
            "written": asdict(files.written),
            **kept.entries,
        }
        at.claim.checkpoints.write(accepted, Content(header, kept.arrays))
        # Afterwards: readers may know of less than there is, never of more.
        self._recorder.manifest.seal("prefix", files.written.digests)
        self._saved_at, self._saved = time.monotonic(), accepted


class Progress(Observer):
    """Shows how a run goes on: a panel on a terminal, a line now and then elsewhere.

    Args:
        stream: where; None is stderr, as stdout belongs to results.
        quiet: show nothing, and no line either.
        title: of the panel; "" takes the parameters'.
    """

    def __init__(
        self, stream: TextIO | None = None, *, quiet: bool = False, title: str = ""
    ) -> None:
        self._stream, self._quiet, self._title = stream, quiet, title
        self._display = Display(sys.stderr, quiet=True)

    def begin(self, setting: Setting) -> None:
        """Open the display."""
        stream = sys.stderr if self._stream is None else self._stream
        title = self._title or setting.parameters.title
        self._display = Display(stream, quiet=self._quiet, title=title)

    def say(self, line: str) -> None:
        """Show a line that stays."""
        self._display.say(line)

    def observe(self, step: Step) -> None:
        """Show a step that took some time."""
        if step.time_step_s > 0.0:
            self._display.update(step.sample, step.time_step_s, step.done)

    def end(self, ending: Ending) -> None:
        """Leave the last state on the screen, and say once more what left its valid range."""
        self._display.close()
        if not ending.fault:
            for warning in ending.warnings:
                self._display.say(f"warning: {warning.text}")


class Balances(Observer):
    """Keeps the errors of conservation, and ends a run in which one grows too large.

    Args:
        bound: largest relative error of charge, lithium, salt and prescribed charge; None: any.

    Attributes:
        errors: the largest so far, by "charge", "lithium", "salt" and "prescribed_charge". They
            are kept on rank 0; on every rank, `Step.errors` are the same numbers.
    """

    def __init__(self, bound: float | None = None) -> None:
        self._bound = bound
        self.errors: Mapping[str, float] = {}

    def observe(self, step: Step) -> None:
        """Take a step's errors.

        Raises:
            SolveError: one is above the bound.
        """
        self.errors = dict(step.errors)
        for name, error in self.errors.items():
            if self._bound is not None and error > self._bound:
                sample = step.sample
                raise SolveError(
                    f"the balance of {name.replace('_', ' ')} is off by {error:.3g} (allowed: up "
                    f"to {self._bound:g}). Tighten the tolerances in [solver]",
                    time_s=sample.time_s,
                    step_s=step.time_step_s,
                    voltage_V=sample.voltage_V,
                )
