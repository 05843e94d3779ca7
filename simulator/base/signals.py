"""Noting a signal that asks for an end, for a program to look at when it can."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""SIGUSR1 is for mpirun and batch systems, which only pass it on: half a second after SIGINT or
SIGTERM, Open MPI's mpirun kills the ranks."""

ECHO_S = 1.0
"""A signal that comes again this soon is the same one, delivered on two ways: Slurm signals every
process of a step, and a container's own process passes what it gets on to the program inside."""


class StoppedError(KeyboardInterrupt):
    """A signal ended a run in order, on every rank.

    It is a KeyboardInterrupt, so that a loop over runs ends with it as well.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


class Noted:
    """Notes `SIGNALS` while it is entered.

    A second SIGINT or SIGTERM has its usual effect, unless it is an echo of the first. A second
    SIGUSR1 has none: its usual effect would cost the program the orderly end that the first asked
    for.

    Attributes:
        number: of the last signal, 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}
        self._first_at: dict[int, float] = {}

    def __enter__(self) -> Self:
        # Python lets the main thread alone decide on signals: in others they are not noted.
        main = threading.current_thread() is threading.main_thread()
        for number in SIGNALS if main else ():
            self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
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
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
