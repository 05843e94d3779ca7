"""The observer that writes a run's results folder."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heterode.base.errors import ArgumentError, InputError
from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.results.checkpoint import Checkpoint as Found
from heterode.results.manifest import Manifest, Outcome
from heterode.results.run_files import RunFiles
from heterode.results.storage import OutputError
from heterode.results.written import writing
from heterode.runs.entries import begin_manifest, given_entries, open_files
from heterode.runs.observer import Coming, Ending, Kept, Observer, Start, Step, Wants
from heterode.runs.outcomes import UnfinishedError, outcome_of
from heterode.runs.resuming import Claim, Intent
from heterode.runs.setting import Setting
from heterode.runs.skipped import SkippedSteps


@dataclass(frozen=True)
class Claimed:
    """A folder that is a run's to write to.

    Attributes:
        setting: of the run.
        claim: of the folder.
        manifest: of the run.
    """

    setting: Setting
    claim: Claim
    manifest: Manifest


class Recorder(Observer):
    """Writes the results folder of a run: manifest, history, particles, fields, report.

    Args:
        out: the folder; missing or empty, or an earlier run's with `overwrite` or `resume`.
        overwrite: replace an earlier run's results; files of the user's stay, those that were
            changed since under another name.
        resume: go on with the run that is in the folder, if there is one, from its last
            checkpoint; see `heterode.Checkpoint`.
        accept_altered: also where its files are not as it wrote them; the manifest says so.

    Raises:
        ArgumentError: these do not go together.
    """

    def __init__(
        self,
        out: Path | str,
        *,
        overwrite: bool = False,
        resume: bool = False,
        accept_altered: bool = False,
    ) -> None:
        if resume and overwrite:
            raise ArgumentError(
                "{resume} goes on with the run in the folder, {overwrite} replaces it. Pass one of "
                "them",
                resume=...,
                overwrite=...,
            )
        if accept_altered and not resume:
            raise ArgumentError(
                "{accept_altered} goes with {resume}: a new run reads no results",
                accept_altered=...,
                resume=...,
            )
        self.out = Path(out)
        self._overwrite, self._resume, self._accept = overwrite, resume, accept_altered
        self._claimed: Claimed | None = None
        self._files: RunFiles | None = None
        self._codes: list[str] = []
        self._skipped = 0

    def _intent(self, parameters: Parameters) -> Intent:
        return Intent(self.out, parameters, self._overwrite, self._resume, self._accept)

    @property
    def claimed(self) -> Claimed:
        """The folder, from `begin` on.

        Raises:
            ArgumentError: the run has not begun.
        """
        if self._claimed is None:
            raise ArgumentError(
                "{observers}: a Recorder comes before what counts on its files", observers=...
            )
        return self._claimed

    @property
    def files(self) -> RunFiles:
        """The files of the samples, from `start` on.

        Raises:
            ArgumentError: the run has not started.
        """
        if self._files is None:
            raise ArgumentError("{recorder} writes no run yet", recorder=...)
        return self._files

    # -- as an observer ---------------------------------------------------------------------

    def check(self, parameters: Parameters) -> None:
        """Refuse a folder that cannot be this run's, changing nothing.

        Raises:
            InputError: it holds something else, or cannot be written to.
        """
        self._intent(parameters).check()

    def wants(self, coming: Coming) -> Wants:
        """The fields of samples that are written with them."""
        every = coming.parameters.output.fields_every
        whole = _is_told(coming.ended_by, coming.stop_V)
        return Wants(fields=whole or coming.accepted % every == 0)

    def begin(self, setting: Setting) -> Kept | None:
        """Claim the folder, and write the manifest.

        Raises:
            InputError: the folder cannot be had, and nothing was written.
            ResumeError: its checkpoints are damaged; likewise.
            OutputError: it cannot be written to.
        """
        try:
            claim = self._intent(setting.parameters).claim(setting.hashes)
        except OutputError as error:
            raise InputError(str(error)) from error
        try:
            kept = None if claim.found is None else _kept(claim.found.checkpoint)
            for remark in () if claim.found is None else claim.found.remarks:
                _warn(remark)
            self._claimed = Claimed(setting, claim, _manifest(setting, claim, kept))
        except BaseException:
            claim.release()
            raise
        self._files, self._codes, self._skipped = None, [], 0
        return kept

    def start(self, start: Start) -> None:
        """Open the files of the samples.

        Raises:
            OutputError: the folder cannot be written to.
        """
        at = self.claimed
        self._files = open_files(at.claim, at.setting.particles, start.grids, at.manifest)
        # The arrays of a checkpoint are as large as the cell's whole state.
        self._claimed = Claimed(at.setting, at.claim.without_found, at.manifest)

    def observe(self, step: Step) -> None:
        """Write a sample, at a stop with its table of the particles.

        Raises:
            OutputError: the disk is full or the folder gone; the samples before are intact.
        """
        manifest, output = self.claimed.manifest, self.claimed.setting.parameters.output
        codes = [warning.code for warning in step.warnings]
        if codes != self._codes:
            manifest.warn(*step.warnings)
            self._codes = codes
        if step.skipped.count != self._skipped:
            manifest.update(**step.skipped.entries)
            self._skipped = step.skipped.count
        whole, accepted = _is_told(step.ended_by, step.stop_V), step.sample.accepted
        self.files.record(
            step.sample,
            step.fields if whole or accepted % output.fields_every == 0 else None,
            particles=whole or accepted % output.particles_every == 0,
            stop=step.stop_V,
        )

    def end(self, ending: Ending) -> None:
        """Close the files, say how the run ended, draw.

        Raises:
            OutputError: the disk is full or the folder gone; the samples before are intact.
            UnfinishedError: a run that was completed cannot be finished.
        """
        at = self.claimed
        try:
            if ending.fault:
                self._abandon(ending)
            else:
                self._finish(ending)
        finally:
            at.claim.release()
            self._claimed = self._files = None

    # -- the end ----------------------------------------------------------------------------

    def _finish(self, ending: Ending) -> None:
        at, outcome = self.claimed, ending.outcome
        problem: OutputError | None = None
        try:
            self._complete(ending)
        except OutputError as error:
            # The first failure is the telling one.
            if outcome.status != "failed":
                problem, outcome = error, outcome_of(error)
        try:
            self._close(outcome, ending)
            with at.setting.phases.timed("report"):
                self._draw(ending)
        except InputError as error:
            if outcome.status == "completed":
                problem = UnfinishedError(f"the results cannot be completed: {error}")
                outcome = outcome_of(problem)
        with suppress(OutputError):
            wall_s = at.setting.phases.seconds
            at.manifest.finish(outcome.status, outcome.reason, wall_s=wall_s)
        if outcome.status == "completed":
            at.claim.checkpoints.delete()
        if problem is not None:
            raise problem

    def _complete(self, ending: Ending) -> None:
        """Write what output.*_every skipped of the last sample."""
        last = ending.last
        if self._files is not None and last is not None and last.fields is not None:
            self._files.complete(last.sample, last.fields)

    def _close(self, outcome: Outcome, ending: Ending) -> None:
        at = self.claimed
        try:
            if self._files is not None:
                self._files.close()
                at.manifest.seal("whole", self._files.list_finished())
        finally:
            # Figures that fail, or take long, must not leave a run that seems to go on.
            at.manifest.warn(*ending.warnings)
            entries = {**ending.numbers, **ending.skipped.entries}
            if ending.peak_memory_bytes is not None:
                entries["peak_memory_bytes"] = ending.peak_memory_bytes
            wall_s = at.setting.phases.seconds
            at.manifest.finish(outcome.status, outcome.reason, wall_s=wall_s, **entries)

    def _draw(self, ending: Ending) -> None:
        at = self.claimed
        if self._files is None or not at.setting.parameters.output.report:
            return
        # Loads pictures and pages: half a second, that runs without a report need not wait.
        from heterode.reporting.ended import finish_report

        # The user's own files in report/ stay: as they are, or under another name.
        with writing(overwrite=self._overwrite or None):
            finished = finish_report(at.claim.folder.path)
        ending.say(finished.finding)
        for problem in finished.problems:
            _warn(problem)

    def _abandon(self, ending: Ending) -> None:
        """Leave the folder in order after a fault in the program."""
        at, outcome = self.claimed, ending.outcome
        with suppress(Exception):
            if self._files is not None:
                self._files.close()
                at.manifest.seal("whole", self._files.list_finished())
        with suppress(Exception):
            at.manifest.finish(outcome.status, outcome.reason, **ending.numbers)


def _is_told(ended_by: str, stop_V: float | None) -> bool:
    """Whether a sample is written with all there is: at the end of a protocol step, or a stop."""
    return bool(ended_by) or stop_V is not None


def _manifest(setting: Setting, claim: Claim, kept: Kept | None) -> Manifest:
    """The manifest, with the steps skipped and the warnings met up to the checkpoint."""
    entries = given_entries(setting)
    met: list[RunWarning] = []
    if kept is not None:
        # Steps skipped after the checkpoint are yet to come.
        entries |= SkippedSteps.of_entries(kept.entries).entries
        met = [RunWarning.from_dict(entry) for entry in kept.entries.get("warnings", [])]
    manifest = begin_manifest(claim, setting.particles, entries)
    # What was met after the checkpoint is not part of the run any more.
    before = [e for e in manifest.content["warnings"] if e.get("first_time_s") is None]
    manifest.update(warnings=before)
    manifest.warn(*setting.before.holding, *met)
    return manifest


def _kept(found: Found) -> Kept:
    return Kept(found.header, found.arrays)


def _warn(line: str) -> None:
    print(f"heterode: warning: {line}", file=sys.stderr, flush=True)
