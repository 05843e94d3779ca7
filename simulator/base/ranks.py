"""Actions done on one rank, or agreed on by all, when several ranks run one command.

All ranks learn of a failure on one of them before any raises, because a rank that left alone would
leave the others waiting for ever.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")
Raised = TypeVar("Raised", bound=BaseException)

_SIZE_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS")
_RANK_VARIABLES = (
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
    "PMIX_RANK",
    "MPI_LOCALRANKID",
    "SLURM_PROCID",
)


def launched_in_parallel() -> bool:
    """Whether a launcher started several ranks, judged by the environment and without MPI."""
    sizes = (os.environ.get(name, "") for name in _SIZE_VARIABLES)
    if any(size.isdecimal() and int(size) > 1 for size in sizes):
        return True
    # SLURM_NTASKS is set in batch scripts of one process too, this variable only within a step.
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "")
    return tasks.isdecimal() and int(tasks) > 1


def launched_as() -> int:
    """Return the rank that the launcher gave this process, without MPI; 0 if it gave none."""
    if not launched_in_parallel():
        return 0
    ranks = (os.environ.get(name, "") for name in _RANK_VARIABLES)
    return next((int(rank) for rank in ranks if rank.isdecimal()), 0)


def on_root(comm: Any, action: Callable[[], Result]) -> Result | None:
    """Run `action` on rank 0; raise its exception on every rank. Collective.

    Returns:
        Its result on rank 0, None elsewhere.
    """
    result, error = None, None
    if comm.rank == 0:
        try:
            result = action()
        except Exception as caught:
            error = caught
    shared = comm.bcast(_portable(error), root=0)
    _raise(error, shared)
    return result


def from_root(comm: Any, action: Callable[[], Result]) -> Result:
    """Run `action` on rank 0 as `on_root` does, and return its result on every rank. Collective."""
    result: Result = comm.bcast(on_root(comm, action), root=0)
    return result


def together(comm: Any, action: Callable[[], Result]) -> Result:
    """Run `action` on every rank, and raise on all ranks if it fails on any. Collective.

    The action itself must not communicate.
    """
    result: Result | None = None
    error = None
    try:
        result = action()
    except Exception as caught:
        error = caught
    errors = comm.allgather(_portable(error))
    _raise(error, next((e for e in errors if e is not None), None))
    return result  # type: ignore[return-value]


_AGREED = "_raised_on_all_ranks"


def is_agreed(error: BaseException) -> bool:
    """Whether every rank raises this error, or an equivalent one, at the same point."""
    return bool(getattr(error, _AGREED, False))


def as_agreed(error: Raised) -> Raised:
    """Mark an error as one that every rank raises at this point, and return it."""
    setattr(error, _AGREED, True)
    return error


def _raise(own: Exception | None, others: Exception | None) -> None:
    """Raise this rank's own error, or else that of another rank."""
    error = own if own is not None else others
    if error is not None:
        raise as_agreed(error)


def _portable(error: Exception | None) -> Exception | None:
    """Return the exception in a form that can be sent, as its own class if possible."""
    if error is None:
        return None
    try:
        sent: Any = pickle.loads(pickle.dumps(error))
        if type(sent) is type(error) and str(sent) == str(error):
            return error
    except Exception:
        # The class takes other arguments than those that the exception stores.
        pass
    try:
        return type(error)(str(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


FORWARDING_S = 0.5
"""Time that a launcher on a busy machine needs to forward the last output of a rank, s."""


def end_all(comm: Any, code: int) -> None:
    """End all ranks, since the others may wait for this one for ever."""
    if comm.size > 1:
        # A launcher drops output that ranks wrote just before it ends them.
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(FORWARDING_S)
        comm.Abort(code)


def end_all_if_uncaught(comm: Any) -> None:
    """From now on, end all ranks if an exception is not caught on any of them.

    An exception that all ranks raise is shown by rank 0 only.
    """
    shown = sys.excepthook
    if comm.size == 1 or isinstance(shown, _EndingAll):
        return
    sys.excepthook = _EndingAll(shown, comm)


class _EndingAll:
    """Shows an exception, and ends all ranks."""

    def __init__(self, shown: Callable[..., Any], comm: Any) -> None:
        self._shown, self._comm = shown, comm

    def __call__(self, kind: Any, error: BaseException, trace: Any) -> None:
        if self._comm.rank == 0 or not is_agreed(error):
            self._shown(kind, error, trace)
        else:
            # Rank 0 has to print first.
            time.sleep(FORWARDING_S)
        end_all(self._comm, 1)
