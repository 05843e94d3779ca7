"""The observer that writes a run's results folder."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heterode.base.errors import ArgumentError, InputError
from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.results.manifest import Manifest, Outcome
from heterode.results.sample_files import SampleFiles
from heterode.results.storage import OutputError
from heterode.runs.entries import begin_manifest, draw_report, given_entries, open_files
from heterode.runs.observer import Coming, Ending, Kept, Observer, Start, Step, Wants
from heterode.runs.outcomes import UnfinishedError, outcome_of
from heterode.runs.resuming import Claim, Intent
from heterode.runs.setting import Setting
from heterode.runs.skipped import SkippedSteps


@dataclass(frozen=True)
class Claimed:
    """A folder that a run may write to.

    Attributes:
        setting: the setting of the run.
        claim: the claim to the folder.
        kept: what the run resumes from; None for a new run.
    """

    setting: Setting
    claim: Claim
    kept: Kept | None


class Recorder(Observer):
    """Writes the results folder of a run: manifest, history, particles, fields, report.

    Args:
        out: a folder that is missing or empty, or an earlier run's with `overwrite` or `resume`.
        overwrite: whether to replace an earlier run's results; the user's files stay, and files
            that were changed since are kept under another name.
        resume: whether to resume the run in the folder, if there is one, from its last checkpoint;
            see `heterode.Checkpoint`.
        accept_altered: whether to resume even if its files are not as it wrote them, which the
            manifest then records.

    Raises:
        ArgumentError: these arguments exclude each other.
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
        self._manifest: Manifest | None = None
        self._files: SampleFiles | None = None
        self._codes: list[str] = []
        self._skipped, self._begun = SkippedSteps(), False

    def _intent(self, parameters: Parameters) -> Intent:
        return Intent(self.out, parameters, self._overwrite, self._resume, self._accept)

    @property
    def claimed(self) -> Claimed:
        """The claimed folder, from `begin` onwards.

        Raises:
            ArgumentError: the run has not begun.
        """
        if self._claimed is None:
            raise ArgumentError(
                "{observers}: a Recorder comes before what counts on its files", observers=...
            )
        return self._claimed

    @property
    def manifest(self) -> Manifest:
        """The manifest of the run, from its first file onwards.

        Raises:
            ArgumentError: the run has not begun to write.
        """
        if self._manifest is None:
            raise ArgumentError("{recorder} writes no run yet", recorder=...)
        return self._manifest

    @property
    def begun(self) -> bool:
        """Whether anything in the folder was written or deleted; known on rank 0 only."""
        return self._begun

    @property
    def files(self) -> SampleFiles:
        """The files of the samples, from `start` onwards.

        Raises:
            ArgumentError: the run has not started.
        """
        if self._files is None:
            raise ArgumentError("{recorder} writes no run yet", recorder=...)
        return self._files

    # -- as an observer ---------------------------------------------------------------------

    def check(self, parameters: Parameters) -> None:
        """Refuse a folder that cannot be this run's, without changing anything.

        Raises:
            InputError: the folder holds something else, or cannot be written to.
        """
        self._intent(parameters).check()

    def wants(self, coming: Coming) -> Wants:
        """Want the fields for samples that are written with them."""
        every = coming.parameters.output.fields_every
        whole = _is_kept_whole(coming.ended_by, coming.stop_V)
        return Wants(fields=whole or coming.accepted % every == 0)

    def begin(self, setting: Setting) -> Kept | None:
        """Claim the folder, and write the manifest.

        Raises:
            InputError: the folder cannot be claimed, and nothing was written.
            ResumeError: its checkpoints are damaged, and nothing was written.
            OutputError: the folder cannot be written to.
        """
        try:
            claim = self._intent(setting.parameters).claim(setting.hashes)
        except OutputError as error:
            raise InputError(str(error)) from error
        try:
            found, kept = claim.found, None
            if found is not None:
                kept = Kept(found.checkpoint.header, found.checkpoint.arrays)
                for remark in found.remarks:
                    print(f"heterode: warning: {remark}", file=sys.stderr, flush=True)
            at = self._claimed = Claimed(setting, claim, kept)
            self._manifest = self._files = None
            self._codes, self._skipped, self._begun = [], SkippedSteps(), False
            if not claim.replaces:
                self._write_manifest(at)
        except BaseException:
            claim.release()
            raise
        return kept

    def _write_manifest(self, at: Claimed) -> None:
        """Write the run's first file, with the warnings and skipped steps of a checkpoint."""
        self._begun = True
        entries = given_entries(at.setting)
        met: list[RunWarning] = []
        if at.kept is not None:
            # Steps that were skipped after the checkpoint will be met again.
            self._skipped = SkippedSteps.of_entries(at.kept.entries)
            entries |= self._skipped.entries
            met = [RunWarning.from_dict(entry) for entry in at.kept.entries.get("warnings", [])]
        manifest = begin_manifest(at.claim, at.setting.particles, entries)
        # Warnings that occurred after the checkpoint are no longer part of the run.
        before = [e for e in manifest.content["warnings"] if e.get("first_time_s") is None]
        manifest.update(warnings=before)
        manifest.warn(*at.setting.before.holding, *met)
        self._manifest = manifest

    def start(self, start: Start) -> None:
        """Open the files of the samples.

        Raises:
            OutputError: the folder cannot be written to.
        """
        at = self.claimed
        if at.claim.replaces:
            # If the equations had failed to compile, the earlier results would still be intact.
            self._write_manifest(at)
        self._files = open_files(at.claim, at.setting.particles, start.grids, self.manifest)
        # The arrays of a checkpoint are as large as the cell's whole state.
        self._claimed = Claimed(at.setting, at.claim.without_found, None)

    def observe(self, step: Step) -> None:
        """Write a sample, and at a stop also its table of the particles.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier samples are intact.
        """
        manifest, output = self.manifest, self.claimed.setting.parameters.output
        codes = [warning.code for warning in step.warnings]
        if codes != self._codes:
            manifest.warn(*step.warnings)
            self._codes = codes
        if step.skipped != self._skipped:
            manifest.update(**step.skipped.entries)
            self._skipped = step.skipped
        whole, accepted = _is_kept_whole(step.ended_by, step.stop_V), step.sample.accepted
        self.files.record(
            step.sample,
            step.fields if whole or accepted % output.fields_every == 0 else None,
            particles=whole or accepted % output.particles_every == 0,
            stop=step.stop_V,
        )

    def end(self, ending: Ending) -> None:
        """Close the files, record how the run ended, and draw the report.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier samples are intact.
            UnfinishedError: a run that was completed cannot be finished.
        """
        at = self.claimed
        try:
            if self._manifest is not None and ending.fault:
                self._abandon(self._manifest, ending)
            elif self._manifest is not None:
                self._finish(self._manifest, ending)
        finally:
            at.claim.release()
            self._claimed = self._manifest = self._files = None

    # -- the end ----------------------------------------------------------------------------

    def _finish(self, manifest: Manifest, ending: Ending) -> None:
        at, outcome = self.claimed, ending.outcome
        problem: OutputError | None = None
        try:
            self._complete(ending)
        except OutputError as error:
            # The first failure is the informative one.
            if outcome.status != "failed":
                problem, outcome = error, outcome_of(error)
        try:
            self._close(manifest, outcome, ending)
            with at.setting.phases.timed("report"):
                self._draw(ending)
        except InputError as error:
            if outcome.status == "completed":
                problem = UnfinishedError(f"the results cannot be completed: {error}")
                outcome = outcome_of(problem)
        with suppress(OutputError):
            wall_s = at.setting.phases.seconds
            manifest.finish(outcome.status, outcome.reason, wall_s=wall_s)
        if outcome.status == "completed":
            at.claim.checkpoints.delete()
        if problem is not None:
            raise problem

    def _complete(self, ending: Ending) -> None:
        """Write the parts of the last sample that output.*_every skipped."""
        last = ending.last
        if self._files is not None and last is not None and last.fields is not None:
            self._files.complete(last.sample, last.fields)

    def _close(self, manifest: Manifest, outcome: Outcome, ending: Ending) -> None:
        try:
            if self._files is not None:
                self._files.close()
                manifest.seal("whole", self._files.list_finished())
        finally:
            # If figures fail or take long, the run must not appear to be still going on.
            manifest.warn(*ending.warnings)
            entries = {**ending.numbers, **ending.skipped.entries}
            if ending.peak_memory_bytes is not None:
                entries["peak_memory_bytes"] = ending.peak_memory_bytes
            wall_s = self.claimed.setting.phases.seconds
            manifest.finish(outcome.status, outcome.reason, wall_s=wall_s, **entries)

    def _draw(self, ending: Ending) -> None:
        at = self.claimed
        if self._files is not None and at.setting.parameters.output.report:
            ending.say(draw_report(at.claim.folder.path, overwrite=self._overwrite))

    def _abandon(self, manifest: Manifest, ending: Ending) -> None:
        """Leave the folder in order after a fault in the program."""
        with suppress(Exception):
            if self._files is not None:
                self._files.close()
                manifest.seal("whole", self._files.list_finished())
        with suppress(Exception):
            manifest.finish(ending.outcome.status, ending.outcome.reason, **ending.numbers)


def _is_kept_whole(ended_by: str, stop_V: float | None) -> bool:
    """Whether a sample is written completely: at the end of a protocol step, or at a stop."""
    return bool(ended_by) or stop_V is not None
