"""One run from parameters to a complete results folder.

    Parameters -> mesh -> CellModel -> march -> samples and fields on disk -> figures

All ranks take part; files, figures and progress are rank 0's alone.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from simulator.errors import CompileError, InputError, SolveError
from simulator.estimate import forecast
from simulator.geometry.cache import mesh_for
from simulator.interruption import Interruption
from simulator.parameters import Parameters
from simulator.parameters.tables import read_penalty_table
from simulator.particles import ParticleTable
from simulator.phases import Phases
from simulator.physics.penalty import draw_weibull
from simulator.progress import Journey, Progress
from simulator.ranks import on_root
from simulator.results.folder import ResultsFolder
from simulator.results.manifest import Manifest, Status, collect_versions
from simulator.results.recorder import Recorder
from simulator.results.sample import Sample
from simulator.results.storage import OutputError
from simulator.solver.balances import Balances
from simulator.solver.electrode_mesh import distribute
from simulator.solver.grids import FieldViewer
from simulator.solver.march import Marched, march
from simulator.solver.model import CellModel
from simulator.solver.stepper import State, Stepper
from simulator.viewing import draw_particle_map, draw_voltage


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: completed, stopped (by a signal) or failed.
        reason: in words.
        signal: number of the signal that stopped it, 0 otherwise.
    """

    status: Status
    reason: str
    signal: int = 0


def penalty_factors(parameters: Parameters, count: int) -> npt.NDArray[np.float64]:
    """(N,) factors as the parameters ask for: drawn from their own seed, given, or all 1.

    Raises:
        InputError: a table for another number of particles.
    """
    penalty = parameters.penalty
    if penalty.distribution == "none":
        return np.ones(count)
    if penalty.distribution == "table":
        assert penalty.file is not None
        given = read_penalty_table(penalty.file)
        if given.size != count:
            raise InputError(
                f"{parameters.source_file}: penalty.file = {penalty.file} has {given.size} rows, "
                f"but the electrode has {count} particles (allowed: one row per particle). "
                "See particles.csv of a run, or `heterode mesh`, for their numbers."
            )
        return given
    assert penalty.shape is not None
    assert penalty.scale is not None
    rng = np.random.default_rng(parameters.seeds.penalty)
    return draw_weibull(
        count,
        rng,
        shape=penalty.shape,
        scale=penalty.scale,
        minimum=penalty.minimum,
        restriction=penalty.restriction,
    )


@dataclass(frozen=True)
class Cell:
    """What marches: the model, its stepper and who watches them."""

    model: CellModel
    stepper: Stepper
    balances: Balances
    viewer: FieldViewer


class Simulation:
    """A run. Construction is collective: it finds what is wrong with the input, and meshes.

    Args:
        parameters: validated.
        folder: where the results go; missing or empty, or an earlier run's with `overwrite`.
        comm: the ranks.
        stream: for progress, on rank 0; None is stderr.
        quiet: no progress.
        overwrite: replace an earlier run's results.

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
    ) -> None:
        self.parameters, self.comm, self.phases = parameters, comm, Phases()
        self._path, self._overwrite = folder, overwrite
        stream = sys.stderr if stream is None else stream
        self._say = _speaker(stream, quiet or comm.rank != 0)
        self._progress = Progress(stream, quiet=quiet or comm.rank != 0)
        self._folder: ResultsFolder | None = None
        self._manifest: Manifest | None = None
        self._recorder: Recorder | None = None
        self._cell: Cell | None = None
        on_root(comm, lambda: ResultsFolder.check(folder, overwrite=overwrite))
        with self.phases.timed("mesh"):
            data = on_root(comm, lambda: mesh_for(parameters))
            self.mesh = distribute(comm, data)
        self.particles = self._with_penalties()

    def _with_penalties(self) -> ParticleTable:
        table = self.mesh.particle_table
        return table.with_penalty(penalty_factors(self.parameters, len(table)))

    def run(self) -> Outcome:
        """Claim the folder, march the protocol, finish the folder whatever happens. Collective.

        Returns:
            How it ended; a failed solve is an outcome, not an exception.

        Raises:
            InputError: the folder cannot be had; on every rank, and nothing has been written.
        """
        with Interruption(self.comm) as interruption:
            self._folder = on_root(self.comm, self._claim)
            try:
                outcome = self._solve(interruption)
            except (SolveError, CompileError) as error:
                outcome = Outcome("failed", str(error))
            except OutputError as error:
                outcome = Outcome("failed", f"the results cannot be written: {error}")
            except BaseException as error:
                self._abandon(error)
                raise
            # A compiler that was interrupted at the keyboard fails, too.
            signal = interruption.agreed()
            if signal != 0 and outcome.status == "failed":
                outcome = stopped_by(signal)
            return self._finish(outcome)

    # -- preparation ------------------------------------------------------------------------

    def _claim(self) -> ResultsFolder:
        return ResultsFolder.create(self._path, overwrite=self._overwrite)

    def _solve(self, interruption: Interruption) -> Outcome:
        self._manifest = on_root(self.comm, self._first_entries)
        with self.phases.timed("setup"):
            self._say("compiling the equations")
            self._cell = cell = self._build()
        self._recorder = self._open_recorder(cell.viewer)
        model, ranks = cell.model, self.comm.size
        one_C = model.one_C / self.mesh.collector_area
        self._say(
            f"{len(self.particles)} particles, {model.layout.total} unknowns on "
            f"{ranks} rank{'s' if ranks > 1 else ''}, {model.preset} solver, "
            f"1C = {one_C:.4g} A/m^2"
        )
        for line in forecast(self.parameters, model.layout.total, ranks, model.preset):
            self._say(line)
        return self._march(cell, interruption)

    def _first_entries(self) -> Manifest:
        assert self._folder is not None
        manifest = self._folder.start_manifest(
            title=self.parameters.title,
            parameters=self.parameters.to_si_dict(),
            parameter_file=str(self.parameters.source_file),
            seeds=self.parameters.seeds.model_dump(),
            versions=collect_versions(),
            mesh_hash=self.mesh.mesh_hash,
            ranks=self.comm.size,
            particles=len(self.particles),
        )
        self._folder.write_particles(self.particles)
        return manifest

    def _build(self) -> Cell:
        model = CellModel(self.mesh, self.parameters, self.particles.penalty)
        start = model.start()
        balances = Balances(model.system, start)
        return Cell(model, model.stepper(start), balances, model.viewer())

    def _open_recorder(self, viewer: FieldViewer) -> Recorder | None:
        grids = viewer.grids()

        def create() -> Recorder:
            assert self._folder is not None
            return Recorder(self._folder, len(self.particles), grids)

        return on_root(self.comm, create)

    # -- running ----------------------------------------------------------------------------

    def _march(self, cell: Cell, interruption: Interruption) -> Outcome:
        steps = self.parameters.protocol.steps
        journey = Journey(steps, cell.model.curve.lithium_fraction)
        self._record(cell.stepper.state, 0, last=False)
        ended = ""
        marching = march(cell.stepper, steps, cell.model.pace)
        while (marched := self._next(marching)) is not None:
            ended = marched.ended_by or ended
            if marched.time_step == 0.0:
                self._say(f"'{steps[marched.protocol_step].text}' {ended}")
                continue
            cell.balances.update(marched.state)
            signal = interruption.agreed()
            # What is skipped by output.*_every must not be lost with the rest of the run.
            last = bool(marched.ended_by) or signal != 0
            sample = self._record(marched.state, marched.protocol_step, last=last)
            done = journey.fraction_done(sample, marched.progress)
            self._progress.update(sample, marched.time_step, done)
            if signal != 0:
                return stopped_by(signal)
        return Outcome("completed", f"protocol done: {steps[-1].text}, {ended}")

    def _next(self, marching: Iterator[Marched]) -> Marched | None:
        with self.phases.timed("solve"):
            return next(marching, None)

    def _record(self, state: State, step: int, *, last: bool) -> Sample:
        """Write a sample. Collective."""
        assert self._cell is not None
        model, viewer = self._cell.model, self._cell.viewer
        with self.phases.timed("output"):
            output, accepted = self.parameters.output, self._cell.stepper.steps
            sample = model.sample(state, step=step, accepted=accepted)
            fields = None
            if last or accepted % output.fields_every == 0:
                fields = viewer.values(state.V)
            particles = last or accepted % output.particles_every == 0

            def write() -> None:
                assert self._recorder is not None
                self._recorder.record(sample, fields, particles=particles)

            on_root(self.comm, write)
        return sample

    # -- the end ----------------------------------------------------------------------------

    def _finish(self, outcome: Outcome) -> Outcome:
        """Close the files, say how it ended, draw. Returns the outcome, worse if this failed."""
        peak = self.comm.allreduce(_peak_memory(), op=MPI.SUM)
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
        return outcome

    def _close(self, outcome: Outcome, peak: int) -> None:
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            # Figures that fail, or take long, must not leave a run that seems to go on.
            if self._manifest is not None:
                self._manifest.finish(
                    outcome.status,
                    outcome.reason,
                    wall_s=self.phases.seconds,
                    peak_memory_bytes=peak,
                    **self._numbers(),
                )

    def _numbers(self) -> dict[str, Any]:
        if self._cell is None:
            return {}
        model, stepper = self._cell.model, self._cell.stepper
        return {
            "dofs": model.layout.total,
            "linear_solver": model.preset,
            "steps": stepper.steps,
            "rejected_steps": stepper.rejected,
            "newton_iterations": model.newton.iterations,
            "linearisations": model.bordered.linearisations,
            "krylov_iterations": model.linear.iterations,
            "solve_s": dict(model.phases.seconds),
            "balance": self._cell.balances.as_dict(),
        }

    def _draw(self) -> None:
        assert self._folder is not None
        if self._recorder is not None:
            draw_voltage(self._folder.path)
            draw_particle_map(self._folder.path)

    def _last_entries(self, outcome: Outcome) -> None:
        if self._manifest is not None:
            with suppress(OutputError):
                self._manifest.finish(outcome.status, outcome.reason, wall_s=self.phases.seconds)

    def _abandon(self, error: BaseException) -> None:
        """Leave the folder in order after a fault in the program. Not collective: ranks differ."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        with suppress(Exception):
            if self._recorder is not None:
                self._recorder.close()
        with suppress(Exception):
            if self._manifest is not None:
                self._manifest.finish("failed", reason, **self._numbers())


def stopped_by(signal: int) -> Outcome:
    """The outcome of a run that a signal ended."""
    return Outcome("stopped", f"stopped by signal {signal}", signal)


def _speaker(stream: TextIO, silent: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not silent:
            print(f"heterode: {text}", file=stream, flush=True)

    return say


def _peak_memory() -> int:
    """Largest resident memory of this rank so far, bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(kilobytes * (1 if sys.platform == "darwin" else 1024))
