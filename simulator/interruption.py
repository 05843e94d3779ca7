"""Ending a run when a signal asks for it, with all ranks at the same point."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

import numpy as np
from mpi4py import MPI

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""SIGUSR1 is for mpirun and batch systems, which only pass it on: half a second after SIGINT or
SIGTERM, Open MPI's mpirun kills the ranks."""

ECHO_S = 1.0
"""A signal that comes again this soon is the same one, delivered on two ways: Slurm signals every
process of a step, and a container's own process passes what it gets on to the program inside."""


class Interruption:
    """Notes `SIGNALS` while it is entered, for all ranks to agree on later.

    A second SIGINT or SIGTERM has its usual effect, unless it is an echo of the first. A second
    SIGUSR1 has none: its usual effect would cost the run the orderly end that the first asked for.

    Args:
        comm: the ranks.
    """

    def __init__(self, comm: MPI.Comm) -> None:
        self._comm = comm
        self._noted = 0
        self._before: dict[int, Any] = {}
        self._first_at: dict[int, float] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = number
        now = time.monotonic()
        first_at = self._first_at.setdefault(number, now)
        if first_at < now - ECHO_S and number != signal.SIGUSR1:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agreed(self) -> int:
        """The signal any rank has received, 0 for none. Collective."""
        return self.agreed_with(False)[0]

    def agreed_with(self, wish: bool) -> tuple[int, bool]:
        """The signal any rank has received, and whether any rank has this wish. Collective."""
        local = np.array([self._noted, int(wish)], dtype=np.int64)
        found = np.empty_like(local)
        self._comm.Allreduce(local, found, op=MPI.MAX)
        return int(found[0]), bool(found[1])
