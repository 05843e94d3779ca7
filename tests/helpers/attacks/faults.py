"""What breaks around a run: disks, locks, ranks, compilers, memory for files."""

from __future__ import annotations

from pathlib import Path

from helpers.attacks.attack import Attack, Result
from helpers.attacks.suites import by_pytest

FAULTS = {
    "a disk that is full, from the start or under way": "disk",
    "a fault of the program, on any rank": "fault_in_the_program",
    "a rank that dies": "rank_that_dies",
    "a compiler that is killed, fails, or has nowhere to write": "compil",
    "signals, at any time": "signal or interrupted or killed_run",
    "a file system without locks": "lock",
    "caches that are cut, changed, or of other kinds": "damaged_cache or cached or cache",
}
"""What happens, and the tests (by pytest's -k) in which it does."""


WITH_RANKS = frozenset({"a rank that dies"})
"""Where a quick look, too, needs ranks."""


def faults(place: Path, thorough: bool) -> list[Result]:
    """One result for each kind of fault."""
    return [fault(what, place, thorough) for what in FAULTS]


def fault(what: str, place: Path, thorough: bool) -> Result:
    """The tests of one kind of fault."""
    some = [] if thorough or what in WITH_RANKS else ["-m", "not mpi and not slow"]
    return by_pytest(what, place, ["tests", "-k", FAULTS[what], *some])


FAULT = Attack("faults", faults)
