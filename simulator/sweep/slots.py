"""Slots that do runs: a persistent worker process, or MPI ranks that are started for each run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from heterode.sweep.folder import Ended, SweepFolder
from heterode.sweep.worker import STOP, Task, end_with_parent, serve

Said = Callable[[str], None]

MOST_RUNS = 200
"""Number of runs after which a worker is replaced, since libraries keep some memory of each."""


class DiedError(Exception):
    """The process of a run ended without reporting; the message says how."""


class Slot(Protocol):
    """Does one run at a time."""

    def prepare(self) -> None:
        """Get ready for the first run."""

    def run(self, task: Task, said: Said) -> Ended:
        """Do a run and pass on its output; an error of the run is described in the result.

        Args:
            task: what to do.
            said: called with each line of output.

        Raises:
            DiedError: the run's process ended without reporting.
        """

    def stop(self) -> None:
        """Ask the run to stop at a checkpoint; may be called from any thread."""

    def kill(self) -> None:
        """End the run at once; may be called from any thread."""

    def close(self) -> None:
        """End the slot; no more runs follow."""


class WorkerSlot:
    """A persistent process that is replaced when it dies.

    Args:
        folder: the sweep's folder.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._runs = 0

    def prepare(self) -> None:
        """Start the process, so that it loads its libraries in the meantime."""
        self._ready()

    def run(self, task: Task, said: Said) -> Ended:
        """Do a run in the worker; see `Slot.run`."""
        try:
            pipe = self._ready()
            pipe.send(task)
            while not isinstance(answer := pipe.recv(), Ended):
                said(answer)
            self._runs += 1
            return answer
        except (EOFError, OSError):
            raise self._died(self._folder, task) from None

    def stop(self) -> None:
        """Ask the worker's run to stop at a checkpoint."""
        self._signal(STOP)

    def kill(self) -> None:
        """End the worker at once."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """End the worker; no more runs follow."""
        if self._pipe is not None:
            with suppress(OSError):
                self._pipe.send(None)
            self._pipe.close()
        if self._process is not None:
            self._process.join()
        self._process = self._pipe = None

    def _ready(self) -> Connection:
        died = self._process is not None and not self._process.is_alive()
        if died or self._runs >= MOST_RUNS:
            # A process that died between two runs has lost none.
            self.close()
        if self._process is None or self._pipe is None:
            # The process is not forked, since MPI and threads do not survive a fork.
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs, self._folder.path))
            with _imports_nothing_from_here():
                self._process.start()
            theirs.close()
            self._runs = 0
        return self._pipe

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.pid is not None:
            _send(self._process.pid, number)

    def _died(self, folder: SweepFolder, task: Task) -> DiedError:
        assert self._process is not None
        assert self._pipe is not None
        self._pipe.close()
        self._process.join()
        code = self._process.exitcode or 0
        self._process = self._pipe = None
        return DiedError(_ended_by(code, folder, task))


class RanksSlot:
    """Starts each run on MPI ranks of its own.

    Args:
        folder: the sweep's folder.
        command: the words that start a run, up to its id.
    """

    def __init__(self, folder: SweepFolder, command: Sequence[str]) -> None:
        self._folder, self._command = folder, tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Do nothing, since ranks are started for each run."""
        return

    def run(self, task: Task, said: Said) -> Ended:
        """Do a run on new ranks; see `Slot.run`."""
        outcome = self._folder.outcome(task.run.id)
        before = _written_at(outcome)
        words = [*self._command, task.run.id, *(["--retry-failed"] if task.again else [])]
        with open(self._folder.log(task.run.id), "ab") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=end_with_parent,
            )
            code = self._process.wait()
        self._process = None
        ended = self._folder.ended(task.run.id)
        if ended is not None and _written_at(outcome) != before:
            return ended
        if code in (128 + STOP, 128 + signal.SIGTERM):
            return Ended("stopped", f"stopped by signal {code - 128}")
        raise DiedError(_ended_by(code, self._folder, task))

    def stop(self) -> None:
        """Ask the run to stop at a checkpoint."""
        self._signal(STOP)

    def kill(self) -> None:
        """End the ranks at once."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Do nothing, since the ranks of a run end with it."""
        return

    def _signal(self, number: int) -> None:
        if self._process is not None:
            _send(self._process.pid, number)


def command_of(folder: Path, ranks: int, python: Sequence[str] = (sys.executable,)) -> list[str]:
    """Return the words that do one run of a sweep, up to its id.

    The option -P keeps a folder called `heterode` in the working directory from taking the
    package's place.
    """
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return [*launcher, *python, "-P", "-m", "heterode", "sweep", str(folder), "--run"]


@contextmanager
def _imports_nothing_from_here() -> Iterator[None]:
    """Context in which a new Python does not import modules from the working directory."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _written_at(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _ended_by(code: int, folder: SweepFolder, task: Task) -> str:
    """Return why a process ended that did not report the reason itself."""
    number = -code if code < 0 else code - 128
    how = f"with code {code}"
    if number in set(signal.Signals):
        how = f"by signal {number} ({signal.Signals(number).name})"
        how += ", often for want of memory" if number == signal.SIGKILL else ""
    log = folder.log(task.run.id)
    see = f"; see {log}" if log.is_file() and log.stat().st_size else ""
    return f"its process was ended {how}{see}"
