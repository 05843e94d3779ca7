"""Other programs in virtual environments of their own, made on first use, spoken to in JSON.

They lie in ${HETERODE_CACHE:-~/.cache/heterode}, so that none is a dependency of the project.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verification.claim import NotRunError

COMPLETE = "heterode-complete"
"""A file that a venv holds once all its packages are in place."""


def cache_folder() -> Path:
    """Where set-up keeps what it makes."""
    root = os.environ.get("HETERODE_CACHE", "")
    default = os.environ.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    return Path(root) if root else Path(default) / "heterode"


def python_with(name: str, requirements: Sequence[str]) -> Path:
    """The Python of a venv that holds these packages.

    Raises:
        NotRunError: they cannot be had here.
    """
    asked = " ".join([sys.version.split()[0], *requirements])
    key = hashlib.sha256(asked.encode()).hexdigest()[:16]
    folder = cache_folder() / f"verification-{name}-{key}"
    python = folder / "bin" / "python3"
    if (folder / COMPLETE).is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"verify: installing {' '.join(requirements)} in {folder}", file=sys.stderr, flush=True)
    _quietly([sys.executable, "-m", "venv", str(folder)], name)
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    _quietly([*install, *requirements], name)
    (folder / COMPLETE).touch()
    return python


def _environment() -> dict[str, str]:
    """As here, without what would lead another Python back to this one's packages."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    return kept | {"PYBAMM_DISABLE_TELEMETRY": "true", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _quietly(command: Sequence[str], name: str) -> None:
    done = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NotRunError(f"{name} cannot be installed: {lines[-1]}")


def ask(python: Path, script: Path, question: Mapping[str, Any]) -> dict[str, Any]:
    """What a script answers, on the last line of its stdout, to a question on its stdin.

    Raises:
        RuntimeError: it failed; with the last line of what it said.
    """
    done = subprocess.run(
        [str(python), str(script)],
        env=_environment(),
        input=json.dumps(question),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise RuntimeError(f"{script.name} ended with code {done.returncode}: {said[-1]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
