"""The surroundings of the tests: what a parent process hands down is set to one known state.

Tests that are about one of these things set it themselves; the others must not notice it. The
dispositions of signals matter most: a job in the background of a shell ignores interrupts, and so
would every process that it starts.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import MutableMapping
from pathlib import Path

PATIENCE = 1800.0
"""Seconds after which a process counts as hung, on the slowest machine and under any load."""

_DEFAULTS = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGTSTP")
_PREFIXES = ("LC_", "SLURM_", "PYTEST_XDIST_COLOR")
_NAMES = frozenset(
    {
        "LANG",
        "LANGUAGE",
        "TZ",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "FORCE_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "PYTHONIOENCODING",
        "PYTHONUTF8",
        "PYTHONWARNINGS",
        "PYTHONUNBUFFERED",
        "MPLBACKEND",
        "MPLSTYLE",
        "SOURCE_DATE_EPOCH",
        "CDPATH",
        "GREP_OPTIONS",
        "POSIXLY_CORRECT",
    }
)


def settle() -> None:
    """Set signals, umask, environment and time zone of this process to what the tests expect."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _DEFAULTS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.umask(0o022)
    settle_environment(os.environ)
    # Open MPI does not start without one.
    os.environ.setdefault("HOME", str(Path.home()))
    time.tzset()


def settle_environment(environment: MutableMapping[str, str]) -> None:
    """Drop what makes programs speak, count or draw differently; the language is English."""
    for name in list(environment):
        if name in _NAMES or name.startswith(_PREFIXES):
            del environment[name]
    environment |= {"LC_ALL": "C.UTF-8", "TERM": "dumb"}
