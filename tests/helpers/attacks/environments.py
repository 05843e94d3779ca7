"""Places and ways to be started in that are unlike the developers'."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers.attacks.attack import Attack, Result
from helpers.attacks.suites import by_pytest

SAMPLE = (
    "tests/test_cli_endings.py::test_signal_stops_the_run",
    "tests/test_cli_endings.py::test_interrupted_before_the_run",
    "tests/test_cli_endings.py::test_killed_run_leaves_readable_files",
    "tests/test_results.py",
    "tests/test_interruption.py",
    "tests/test_surroundings.py",
    "tests/test_setup.py::test_a_signal_reaches_mpirun_once",
    "tests/test_resume.py::test_killed_again_and_again",
)
"""Tests that start processes, send signals and write files: those that surroundings could reach."""


@dataclass(frozen=True)
class Place:
    """How the tests are started.

    Attributes:
        what: in words.
        before: words in front of the command.
        settings: of the environment; an empty text unsets nothing, it is an empty value.
        options: of pytest.
        busy: keep all cores busy meanwhile.
    """

    what: str
    before: Sequence[str] = ()
    settings: tuple[tuple[str, str], ...] = ()
    options: Sequence[str] = ()
    busy: bool = False


PLACES = (
    Place("started by nohup, interrupts ignored", ("sh", "-c", 'trap "" INT HUP; exec "$@"', "sh")),
    Place("all cores busy", busy=True),
    Place("in random order", options=("-p", "randomly")),
    Place("umask 077", ("sh", "-c", 'umask 077; exec "$@"', "sh")),
    Place("umask 000", ("sh", "-c", 'umask 000; exec "$@"', "sh")),
    Place(
        "another language, clock and terminal",
        settings=(
            ("LC_ALL", "tr_TR.UTF-8"),
            ("TZ", "Pacific/Chatham"),
            ("TERM", "xterm-256color"),
            ("COLUMNS", "20"),
            ("PYTHONIOENCODING", "ascii"),
            ("NO_COLOR", "1"),
        ),
    ),
    Place("no HOME", ("env", "-u", "HOME")),
)


@contextmanager
def busy_cores(wanted: bool) -> Iterator[None]:
    """Keep every core at work."""
    count = (os.cpu_count() or 1) if wanted else 0
    workers = [multiprocessing.Process(target=_work, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _work() -> None:
    while True:
        sum(range(10_000))


NOBODY = 65534


def other_user(folder: Path) -> Place | None:
    """The place of a user who is not root, with a home in `folder`; None for whoever is no root."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return None
    home = folder / "home"
    home.mkdir(exist_ok=True)
    for path in (folder, home):
        os.chown(path, NOBODY, NOBODY)
    # Each folder above has to let the user through, as those of temporary files do not.
    words = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    settings = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "HETERODE_CACHE": home / "heterode"}
    return Place(
        "a user who is not root", words, tuple((name, str(path)) for name, path in settings.items())
    )


def environments(place: Path, thorough: bool) -> list[Result]:
    """The sample of tests in each place; all tests, if thorough."""
    tests = ["tests"] if thorough else [*SAMPLE, "-m", "not mpi and not slow"]
    results = []
    for where in (*PLACES, *filter(None, [other_user(place)])):
        with busy_cores(where.busy):
            results.append(
                by_pytest(
                    where.what,
                    place,
                    [*tests, *where.options],
                    before=where.before,
                    settings=dict(where.settings),
                )
            )
    return results


ENVIRONMENTS = Attack("environments", environments)
