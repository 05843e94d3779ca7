"""Observers in addition to the recorder: checkpoints, progress, balances."""

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
    """Writes checkpoints, from which a run can be resumed, into the folder of a recorder.

    A checkpoint is written at the end of each protocol step, whenever output.checkpoint_every has
    passed by the clock, and when a signal or a failed solve ends the run. If a loop is left by
    `break`, the last checkpoint is that of the last protocol step or of the clock.

    Args:
        recorder: the recorder of the run, which precedes this observer in the list of observers.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._saved_at, self._saved = time.monotonic(), -1
        self._wanted = False

    def wants(self, coming: Coming) -> Wants:
        """Want what the run resumes from, if a checkpoint is due."""
        self._wanted = bool(coming.ended_by) or self._is_due(coming)
        return Wants(kept=self._wanted)

    def _is_due(self, coming: Coming) -> bool:
        """Whether a checkpoint is due by the clock, which only rank 0 decides."""
        every = coming.parameters.output.checkpoint_every
        if coming.accepted == 0 or coming.rank != 0:
            return False
        return 0 < every <= time.monotonic() - self._saved_at

    def begin(self, setting: Setting) -> None:
        """Check that the recorder has begun.

        Raises:
            ArgumentError: the recorder comes later in the list.
        """
        _ = self._recorder.claimed

    def observe(self, step: Step) -> None:
        """Write a checkpoint if one is due.

        Raises:
            OutputError: the folder cannot be written to.
        """
        if self._wanted and step.kept is not None:
            self._save(step.kept, step.sample.accepted)

    def end(self, ending: Ending) -> None:
        """Write a checkpoint of the last accepted step, if the run ended early.

        Raises:
            OutputError: the folder cannot be written to.
        """
        last = ending.last
        if last is not None and last.kept is not None and last.sample.accepted != self._saved:
            self._save(last.kept, last.sample.accepted)

    def _save(self, kept: Kept, accepted: int) -> None:
        at, files = self._recorder.claimed, self._recorder.files
        # A checkpoint relies on the samples before it.
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
        # The manifest comes last: readers may rely on less than there is, but never on more.
        self._recorder.manifest.seal("prefix", files.written.digests)
        self._saved_at, self._saved = time.monotonic(), accepted


class Progress(Observer):
    """Shows the progress of a run: a panel on a terminal, otherwise a line from time to time.

    Args:
        stream: where it is shown; None takes stderr, as stdout belongs to results.
        quiet: whether to show nothing at all.
        title: the title of the panel; "" takes that of the parameters.
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
        """Leave the last state on the screen, and repeat what left its range of validity."""
        self._display.close()
        if not ending.fault:
            for warning in ending.warnings:
                self._display.say(f"warning: {warning.text}")


class Balances(Observer):
    """Keeps the errors of conservation, and ends a run in which one becomes too large.

    Args:
        bound: largest relative error of charge, lithium, salt and prescribed charge; None for no
            bound.

    Attributes:
        errors: the largest errors so far, by "charge", "lithium", "salt" and "prescribed_charge".
            They are kept on rank 0; `Step.errors` has the same numbers on every rank.
    """

    def __init__(self, bound: float | None = None) -> None:
        self._bound = bound
        self.errors: Mapping[str, float] = {}

    def observe(self, step: Step) -> None:
        """Take the errors of a step.

        Raises:
            SolveError: an error exceeds the bound.
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
