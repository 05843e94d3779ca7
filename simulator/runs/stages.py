"""One run from parameters to a complete results folder.

    Parameters -> mesh -> CellModel -> march -> samples and fields on disk -> figures

All ranks take part; files, figures and progress are rank 0's alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO, cast

from mpi4py import MPI

from heterode import __version__
from heterode.base.accounting import Phases, peak_memory
from heterode.base.errors import CompileError, InputError, SolveError
from heterode.base.interruption import Interruption
from heterode.base.ranks import from_root, on_root
from heterode.base.words import counted
from heterode.forecast.estimate import forecast, refuse_endless
from heterode.geometry.cache import mesh_for
from heterode.geometry.mesh_data import MeshData
from heterode.parameters import Parameters
from heterode.particles.drawn_penalties import factors_of_cycle, penalty_factors
from heterode.progress import Journey, Progress
from heterode.results.checkpoint import Checkpoint
from heterode.results.manifest import Manifest, Outcome, stopped_by
from heterode.results.recorder import Recorder
from heterode.results.sample import Sample
from heterode.results.storage import OutputError
from heterode.runs.description import describe_tables
from heterode.runs.entries import (
    begin_manifest,
    draw_report,
    given_entries,
    input_hashes,
    numbers_of,
    open_recorder,
)
from heterode.runs.resuming import Claim, Intent
from heterode.runs.skipped import SkippedSteps, told
from heterode.solver.cell import Cell, build_cell
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.discretisation.grids import FieldViewer
from heterode.solver.snapshot import Snapshot
from heterode.solver.time.march import BEGINNING, Marched, Position, march
from heterode.solver.time.newton import StepAbandonedError
from heterode.solver.time.stepper import State
from heterode.validity import Ledger, MeshFacts, before_run, facts_of, valid_ranges


class Simulation:
    """A run. Construction is collective: it finds what is wrong with the input, and meshes.

    Args:
        parameters: validated.
        folder: where the results go; missing or empty, or an earlier run's with `overwrite`.
        comm: the ranks.
        stream: for progress, on rank 0; None is stderr.
        quiet: no progress.
        overwrite: replace an earlier run's results; files of the user's stay, those that were
            changed since under another name.
        resume: go on with the run that is in the folder, if there is one.
        accept_altered: also where its files are not as it wrote them; the manifest says so.

    Raises:
        InputError: on every rank; nothing has been written then.
    """

    def __init__(
        self,
        parameters: Parameters,
        folder: Path,
        comm: MPI.Comm = MPI.COMM_WORLD,
        *,
        stream: TextIO | None = None,
        quiet: bool = False,
        overwrite: bool = False,
        resume: bool = False,
        accept_altered: bool = False,
    ) -> None:
        self.parameters, self.comm, self.phases = parameters, comm, Phases()
        stream = sys.stderr if stream is None else stream
        self._progress = Progress(
            stream, quiet=quiet or comm.rank != 0, title=parameters.title or folder.name
        )
        self._say = self._progress.say
        self._intent = Intent(folder, parameters, overwrite, resume, accept_altered)
        self._claimed: Claim | None = None
        self._manifest: Manifest | None = None
        self._recorder: Recorder | None = None
        self._cell: Cell | None = None
        self._ended, self._saved_at, self._peak_before = "", time.monotonic(), 0
        self._skipped, self._begun = SkippedSteps(), False
        on_root(comm, self._intent.check)
        on_root(comm, lambda: refuse_endless(parameters))
        with self.phases.timed("mesh"):
            data = on_root(comm, lambda: mesh_for(parameters))
            facts: MeshFacts = from_root(comm, lambda: facts_of(cast(MeshData, data)))
            self.mesh = distribute(comm, data)
        before = before_run(parameters, facts)
        self._warnings = Ledger(before, valid_ranges(parameters), self._say)
        self.summary = None if parameters.geometry.mesh_file is None else facts.summary
        table = self.mesh.particle_table
        factors = from_root(comm, lambda: penalty_factors(parameters, table))
        self.particles = table.with_penalty(factors)

    def run(self) -> Outcome:
        """Claim the folder, march the protocol, finish the folder whatever happens. Collective.

        Returns:
            How it ended; a failed solve is an outcome, not an exception.

        Raises:
            InputError: the folder cannot be had; on every rank, and nothing has been written.
            ResumeError: its checkpoints are damaged; likewise.
        """
        with Interruption(self.comm) as interruption:
            try:
                self._claimed = on_root(self.comm, self._claim)
                return self._finish(self._outcome(interruption))
            finally:
                if self._claimed is not None:
                    self._claimed.release()

    def _outcome(self, interruption: Interruption) -> Outcome:
        try:
            return self._solve(interruption)
        except (SolveError, CompileError) as error:
            # A compiler that was interrupted at the keyboard fails, too.
            signal = interruption.agreed()
            solving = isinstance(error, SolveError)
            reason = self._warnings.explained(str(error)) if solving else str(error)
            return stopped_by(signal) if signal != 0 else Outcome("failed", reason)
        except OutputError as error:
            return Outcome("failed", f"the results cannot be written: {error}")
        except BaseException as error:
            self._abandon(error)
            raise

    # -- preparation ------------------------------------------------------------------------

    def _claim(self) -> Claim:
        claim = self._intent.claim(input_hashes(self.parameters, self.mesh, self.particles))
        if claim.found is not None:
            for remark in claim.found.remarks:
                print(f"heterode: warning: {remark}", file=sys.stderr, flush=True)
            for phase, seconds in claim.found.checkpoint.header["wall_s"].items():
                self.phases.add(phase, seconds)
            self._peak_before = claim.found.checkpoint.header.get("peak_memory_bytes", 0)
        return claim

    def _solve(self, interruption: Interruption) -> Outcome:
        replaces = from_root(self.comm, lambda: cast(Claim, self._claimed).replaces)
        if not replaces:
            self._open_manifest()
        with self.phases.timed("setup"):
            self._say("compiling the equations")
            mesh, p, penalty = self.mesh, self.parameters, self.particles.penalty
            cell = build_cell(mesh, p, penalty, lambda: interruption.agreed() != 0)
            self._cell = cell
        if replaces:
            # Had the equations not compiled, the earlier results would still be all there is.
            self._open_manifest()
        with self.phases.timed("output"):
            self._recorder = self._open_recorder(cell.viewer)
        model, ranks = cell.model, self.comm.size
        one_C = model.one_C / self.mesh.collector_area
        self._say(
            f"{counted(len(self.particles), 'particle')}, {model.layout.total} unknowns on "
            f"{counted(ranks, 'rank')}, {model.preset} solver, "
            f"1C = {one_C:.4g} A/m^2"
        )
        lines = forecast(self.parameters, model.layout.total, ranks, model.preset)
        for line in [*describe_tables(self.parameters), *lines]:
            self._say(line)
        try:
            return self._march(cell, interruption)
        except StepAbandonedError:
            self._leave_off()
            return stopped_by(interruption.agreed())
        except SolveError:
            # Where the disk is full as well, the failed solve is the telling reason.
            with suppress(OutputError):
                self._leave_off()
            raise

    def _open_manifest(self) -> None:
        """The run's first file. Collective."""
        self._begun = True
        with self.phases.timed("output"):
            self._manifest = on_root(self.comm, self._first_entries)
            claimed = self._claimed
            met = self.comm.bcast(None if claimed is None else claimed.warnings, root=0)
            self._warnings.open(self._manifest, met)

    def _first_entries(self) -> Manifest:
        assert self._claimed is not None
        entries = given_entries(self.parameters, self.mesh, self.comm.size, self.summary)
        if self._claimed.found is not None:
            # Steps skipped after the checkpoint are yet to come.
            self._skipped.recall(self._claimed.found.checkpoint.header)
            entries |= self._skipped.entries
        return begin_manifest(self._claimed, self.particles, entries)

    def _open_recorder(self, viewer: FieldViewer) -> Recorder | None:
        grids = viewer.grids()

        def create() -> Recorder:
            assert self._claimed is not None
            assert self._manifest is not None
            return open_recorder(self._claimed, self.particles, grids, self._manifest)

        return on_root(self.comm, create)

    # -- running ----------------------------------------------------------------------------

    def _march(self, cell: Cell, interruption: Interruption) -> Outcome:
        protocol = self.parameters.protocol
        self._journey = Journey(protocol.sequence, cell.model.curve.lithium_fraction)
        position = self._begin(cell)
        pace, stops = cell.model.pace, protocol.stops
        changes = self._begin_cycle if self.parameters.penalty.conditioning is not None else None
        marching = march(cell.stepper, protocol.sequence, pace, position, stops, changes)
        while (marched := self._next(marching, cell)) is not None:
            self._ended = marched.ended_by or self._ended
            self._tell(marched)
            if marched.time_step == 0.0:
                continue
            signal, due = interruption.agreed_with(self._due())
            sample = self._record(
                marched.state,
                marched.protocol_step,
                last=bool(marched.ended_by),
                cycle=marched.cycle,
                stop=marched.stop,
            )
            done = self._journey.fraction_done(sample, marched.progress, marched.place)
            self._progress.update(sample, marched.time_step, done)
            if signal != 0:
                self._leave_off()
                return stopped_by(signal)
            if due or marched.ended_by:
                self._save()
        return Outcome("completed", f"protocol done: {protocol.steps[-1].text}, {self._ended}")

    def _begin(self, cell: Cell) -> Position:
        """Write the first sample, or put everything where the checkpoint has it. Collective."""
        found = None if self._claimed is None else self._claimed.found
        kept = None if found is None else found.checkpoint
        header = self.comm.bcast(None if kept is None else dict(kept.header), root=0)
        if header is None:
            self._record(cell.stepper.state, 0, last=False)
            return BEGINNING
        with self.phases.timed("setup"):
            self._begin_cycle(header["march"]["position"]["cycle"])
            snapshot = None if kept is None else Snapshot(kept.header["march"], kept.arrays)
            position = cell.snapshots.restore(snapshot)
        if self._claimed is not None:
            # Its arrays are as large as the cell's whole state.
            self._claimed = replace(self._claimed, found=None)
        self._ended = header["ended"]
        self._journey.recall(header["journey"])
        state = cell.stepper.state
        self._say(f"going on from t = {state.time:.6g} s, V = {state.V:.4f} V")
        return position

    def _tell(self, marched: Marched) -> None:
        """Say and note what was skipped: a protocol step, the rest of it, or stops. Collective."""
        lines = told(marched)
        for line in lines:
            self._say(line)
        if lines:
            on_root(self.comm, lambda: self._skipped.note(marched, self._manifest))

    def _begin_cycle(self, cycle: int) -> None:
        """Give the particles the penalties of a cycle. Collective."""
        if self.parameters.penalty.conditioning is not None:
            assert self._cell is not None
            p, table = self.parameters, self.particles
            factors = from_root(self.comm, lambda: factors_of_cycle(p, table, cycle))
            self._cell.model.set_penalty(factors)

    def _next(self, marching: Iterator[Marched], cell: Cell) -> Marched | None:
        """The next piece of the march, accounted for; None at its end. Collective."""
        with self.phases.timed("solve"):
            marched = next(marching, None)
            if marched is not None:
                if marched.time_step > 0.0:
                    state = marched.state
                    cell.balances.update(state, marched.prescribed)
                    self._warnings.look(
                        state.extremes, state.time, lambda *which: cell.model.place(state, *which)
                    )
                cell.snapshots.note(marched.position)
            return marched

    def _record(
        self, state: State, step: int, *, last: bool, cycle: int = 0, stop: float | None = None
    ) -> Sample:
        """Write a sample, at a stop with its table of the particles. Collective."""
        assert self._cell is not None
        model, viewer = self._cell.model, self._cell.viewer
        with self.phases.timed("output"):
            output, accepted = self.parameters.output, self._cell.stepper.steps
            sample = model.sample(state, step=step, accepted=accepted, cycle=cycle)
            fields, told = None, last or stop is not None
            if told or accepted % output.fields_every == 0:
                fields = viewer.values(state.V)
            particles = told or accepted % output.particles_every == 0

            def write() -> None:
                assert self._recorder is not None
                self._recorder.record(sample, fields, particles=particles, stop=stop)

            on_root(self.comm, write)
        return sample

    # -- checkpoints ------------------------------------------------------------------------

    def _due(self) -> bool:
        """Whether the clock asks for a checkpoint; rank 0's alone counts."""
        every = self.parameters.output.checkpoint_every
        return self.comm.rank == 0 and 0 < every <= time.monotonic() - self._saved_at

    def _save(self) -> None:
        """Write a checkpoint of the last accepted state. Collective."""
        assert self._cell is not None
        with self.phases.timed("output"):
            snapshot, peak = self._cell.snapshots.take(), self._peak()
            on_root(self.comm, lambda: self._write_checkpoint(snapshot, peak))
        self._saved_at = time.monotonic()

    def _peak(self) -> int:
        """The most memory of all ranks together, of any piece of the run. Collective."""
        return max(int(self.comm.allreduce(peak_memory(), op=MPI.SUM)), self._peak_before)

    def _write_checkpoint(self, snapshot: Snapshot | None, peak: int) -> None:
        assert snapshot is not None
        assert self._recorder is not None
        assert self._claimed is not None
        # A checkpoint counts on the samples before it.
        self._recorder.make_durable()
        steps, time_s = snapshot.entries["counts"]["steps"], snapshot.entries["past"][0]["time"]
        header = {
            "version": __version__,
            "at": {"from_time_s": time_s, "from_step": steps},
            "parameters": self.parameters.to_si_dict(),
            "hashes": input_hashes(self.parameters, self.mesh, self.particles),
            "written": asdict(self._recorder.written),
            "wall_s": self.phases.seconds,
            "peak_memory_bytes": peak,
            "ended": self._ended,
            "warnings": self._warnings.memory,
            "journey": self._journey.memory,
            **self._skipped.entries,
            "march": snapshot.entries,
        }
        self._claimed.checkpoints.write(steps, Checkpoint(header, snapshot.arrays))
        # Afterwards: readers may know of less than there is, never of more.
        assert self._manifest is not None
        self._manifest.seal("prefix", self._recorder.written.digests)

    def _leave_off(self) -> None:
        """Save the last accepted state, and what output.*_every skipped of it. Collective."""
        assert self._cell is not None
        self._save()
        model, stepper = self._cell.model, self._cell.stepper
        with self.phases.timed("output"):
            # Its row is there already: the number of the protocol step goes nowhere.
            sample = model.sample(stepper.state, step=0, accepted=stepper.steps)
            fields = self._cell.viewer.values(stepper.state.V)

            def write() -> None:
                assert self._recorder is not None
                assert fields is not None
                self._recorder.complete(sample, fields)

            on_root(self.comm, write)

    # -- the end ----------------------------------------------------------------------------

    def _finish(self, outcome: Outcome) -> Outcome:
        """Close the files, say how it ended, draw. Returns the outcome, worse if this failed."""
        peak = self._peak()
        self._progress.close()
        try:
            on_root(self.comm, lambda: self._close(outcome, peak))
            with self.phases.timed("report"):
                on_root(self.comm, self._draw)
        except InputError as error:
            # The first failure is the telling one.
            if outcome.status == "completed":
                outcome = Outcome("failed", f"the results cannot be completed: {error}")
        on_root(self.comm, lambda: self._last_entries(outcome))
        return replace(outcome, begun=self._begun)

    def _close(self, outcome: Outcome, peak: int) -> None:
        try:
            if self._recorder is not None:
                self._recorder.close()
                if self._manifest is not None:
                    self._manifest.seal("whole", self._recorder.list_finished())
        finally:
            # Figures that fail, or take long, must not leave a run that seems to go on.
            if self._manifest is not None:
                self._warnings.close()
                self._manifest.finish(
                    outcome.status,
                    outcome.reason,
                    wall_s=self.phases.seconds,
                    peak_memory_bytes=peak,
                    **numbers_of(self._cell),
                )

    def _draw(self) -> None:
        assert self._claimed is not None
        if self._recorder is not None and self.parameters.output.report:
            self._say(draw_report(self._claimed.folder.path, overwrite=self._intent.overwrite))

    def _last_entries(self, outcome: Outcome) -> None:
        if self._manifest is not None:
            with suppress(OutputError):
                self._manifest.finish(outcome.status, outcome.reason, wall_s=self.phases.seconds)
        if self._claimed is not None and outcome.status == "completed":
            self._claimed.checkpoints.delete()

    def _abandon(self, error: BaseException) -> None:
        """Leave the folder in order after a fault in the program. Not collective: ranks differ."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        with suppress(Exception):
            # Gives the terminal its cursor back.
            self._progress.close()
        with suppress(Exception):
            if self._recorder is not None:
                self._recorder.close()
                if self._manifest is not None:
                    self._manifest.seal("whole", self._recorder.list_finished())
        with suppress(Exception):
            if self._manifest is not None:
                self._manifest.finish("failed", reason, **numbers_of(self._cell))
