"""A process that does one simulation after another, so that its libraries are loaded only once.

It has a process group of its own: ^C at the terminal reaches only the pool, which then asks its
workers to stop. Runs print into log files of their own. A worker ends when its pool ends, for
whatever reason.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from heterode.sweep.folder import Ended, SweepFolder

if TYPE_CHECKING:
    from heterode.sweep.plan import PlannedRun, SweepPlan

_PR_SET_PDEATHSIG = 1
STOP = signal.SIGUSR1
"""The signal that asks a run to stop; unlike the others, a second one does no harm."""


@dataclass(frozen=True)
class Task:
    """A task of a worker.

    Attributes:
        run: the run, from the plan that the worker was started with.
        again: whether to start from the beginning if the run failed before.
    """

    run: PlannedRun
    again: bool = False


def end_with_parent() -> None:
    """Have the kernel ask this process to stop when the process that started it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Asked:
    """Records whether a signal asked this process to stop while no run was listening."""

    def __init__(self) -> None:
        self.stop = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (STOP, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.stop = True

    def __call__(self) -> bool:
        return self.stop


class _Lines:
    """A stream for `Progress` that passes on the latest line."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        return

    def write(self, text: str) -> int:
        line = text.strip()
        if not line.startswith("heterode:"):
            self._pipe.send(line)
        return len(text)


@contextmanager
def lasting() -> Iterator[None]:
    """Keep what is loaded inside from being searched by the garbage collector, then or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def serve(pipe: Connection, folder: Path) -> None:
    """Serve the pool, and exit without the libraries' clean-up, which takes most of a second."""
    _serve(pipe, folder)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _serve(pipe: Connection, folder: Path) -> None:
    """Take tasks from the pipe until it closes; answer each with lines and then an `Ended`."""
    with suppress(OSError):
        os.setpgid(0, 0)
    end_with_parent()
    asked = Asked()
    place = SweepFolder(folder)
    with lasting():
        from mpi4py import MPI

        from heterode.base.accounting import forget_peak_memory
        from heterode.heterogeneity.compiled import limit_threads
        from heterode.sweep.work import work

    # The pool distributes the cores, one for each worker.
    limit_threads(1)
    plan: SweepPlan | None = None
    stream: Any = _Lines(pipe)
    while not asked():
        try:
            task: Task | None = pipe.recv()
        except (EOFError, OSError):
            return
        if task is None:
            return
        # The plan is not read earlier, since a pool starts its workers while it validates the
        # design.
        plan = plan or place.read()
        forget_peak_memory()
        with _log(place.log(task.run.id)):
            try:
                ended = work(
                    plan,
                    task.run,
                    place,
                    MPI.COMM_SELF,
                    again=task.again,
                    stream=stream,
                    asked_to_stop=asked,
                )
            except Exception as error:
                import traceback

                traceback.print_exc()
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                ended = Ended("failed", f"a fault of the program ({reason})")
                place.end(task.run.id, ended)
        pipe.send(ended)


@contextmanager
def _log(path: Path) -> Iterator[None]:
    """Write all that this process prints to a file, which is removed if it stays empty."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for handle in kept:
            os.close(handle)
        with suppress(OSError):
            if path.stat().st_size == 0:
                path.unlink()
