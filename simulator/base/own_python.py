"""Virtual environments for other programs, created on first use.

They lie in ${HETERODE_CACHE:-~/.cache/heterode}, so that none of those programs is a dependency of
heterode.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from heterode.base.cache_folder import cache_folder, own_folder

COMPLETE = "heterode-complete"
"""Name of the file that a virtual environment holds once all its packages are installed."""


class InstallError(Exception):
    """The packages of a virtual environment cannot be installed here."""


class ScriptError(Exception):
    """A script in another Python failed; the message is its last line of output."""


def python_of(name: str, lock: Path) -> Path:
    """Return the path of the Python of the environment for a lock file, which need not exist."""
    asked = sys.version.split()[0].encode() + lock.read_bytes()
    key = hashlib.sha256(asked).hexdigest()[:16]
    return cache_folder() / f"own-{name}-{key}" / "bin" / "python3"


def is_installed(python: Path) -> bool:
    """Whether the virtual environment of a Python is completely installed."""
    return (python.parents[1] / COMPLETE).is_file()


def python_with(name: str, lock: Path, say: Callable[[str], None]) -> Path:
    """Return the Python of a virtual environment with the packages of a lock file.

    The environment is created if it does not exist.

    Args:
        name: the program's name.
        lock: a requirements file of pip that pins all packages, each with its digests.
        say: called with a line of text before something is installed.

    Raises:
        InstallError: the packages cannot be installed here.
    """
    python = python_of(name, lock)
    folder = python.parents[1]
    try:
        own_folder(cache_folder())
    except OSError as error:
        raise InstallError(f"{cache_folder()}: cannot be used ({error.strerror})") from error
    if is_installed(python):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    say(f"installing {name} in {folder}")
    _quietly([sys.executable, "-m", "venv", str(folder)], name)
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    _quietly([*install, "--require-hashes", "-r", str(lock)], name)
    (folder / COMPLETE).touch()
    return python


def run_script(command: Sequence[str], question: str = "") -> str:
    """Run a script in another Python and return what it prints to stdout.

    Args:
        command: the Python, the script and its arguments.
        question: the script's standard input.

    Raises:
        ScriptError: the script failed, or the Python does not exist.
    """
    try:
        done = subprocess.run(
            command, env=_environment(), input=question, capture_output=True, text=True
        )
    except OSError as error:
        raise ScriptError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise ScriptError(f"ended with code {done.returncode}: {_last_line(done)}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return this environment without the variables that point to this Python's packages."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return kept | {"PYBAMM_DISABLE_TELEMETRY": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _quietly(command: Sequence[str], name: str) -> None:
    try:
        run_script(command)
    except ScriptError as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise InstallError(f"{name} cannot be installed: {reason}") from error


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
    return lines[-1]
