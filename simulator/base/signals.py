"""Recording of signals that ask a program to stop, for it to check at a convenient point."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""The signals that ask a run to stop.

SIGUSR1 is for mpirun and batch systems, which merely forward it; half a second after SIGINT or
SIGTERM, in contrast, Open MPI's mpirun kills the ranks.
"""

ECHO_S = 1.0
"""Time within which a repeated signal is taken for the same one, s.

It may arrive on two paths: Slurm signals every process of a step, and a container's own process
forwards the signals it receives to the program inside.
"""


class StoppedError(KeyboardInterrupt):
    """A signal ended a run in order, on every rank.

    It is a KeyboardInterrupt, so that it also ends a loop over runs.

    Args:
        number: the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


class Noted:
    """Context manager that records the arrival of any of `SIGNALS`.

    A second SIGINT or SIGTERM has its usual effect, unless it is an echo of the first. A second
    SIGUSR1 has no effect, because its usual one would prevent the orderly end that the first
    requested.

    Attributes:
        number: the number of the last signal, 0 if there was none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}
        self._first_at: dict[int, float] = {}

    def __enter__(self) -> Self:
        # Python handles signals in the main thread only, so they are not recorded in other threads.
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
