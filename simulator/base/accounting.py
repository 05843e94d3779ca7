"""Cost of a run: wall time by phase, and peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Phases:
    """Accumulates wall-clock seconds by phase.

    Attributes:
        seconds: the time spent so far in each phase, by the phase's name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        """Add `seconds` to the phase `name`."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Context manager that adds the time spent inside it to the phase `name`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - begin)


def peak_memory() -> int:
    """Largest resident memory of this rank so far, bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(kilobytes * (1 if sys.platform == "darwin" else 1024))


def forget_peak_memory() -> None:
    """Reset `peak_memory` for the next run of this process; has no effect outside Linux."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
