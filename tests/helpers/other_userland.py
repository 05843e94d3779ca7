"""Programs of a userland that `scripts/test -m NAME` has made for their tests alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.paths import ROOT

_LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


def enter(
    name: str, words: Sequence[str | Path], folder: Path, *, timeout: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a command in the userland NAME.

    Args:
        name: "paraview" or "browser".
        words: the command; it sees /tmp, the project and `folder` as they are.
        folder: where it runs, and where its HOME is.
        timeout: s.
    """
    place = os.environ.get(f"HETERODE_TREE_{name.upper()}", "")
    if not place:
        pytest.skip(f"no userland with it here: scripts/test -m {name} makes one")
    tree, project = Path(place), ROOT
    bwrap = shutil.which("bwrap") or str(tree / "usr" / "bin" / "bwrap")
    options = ["--ro-bind", tree / "usr", "/usr", "--ro-bind", tree / "etc", "/etc"]
    for link in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if (tree / link).is_symlink():
            options += ["--symlink", os.readlink(tree / link), f"/{link}"]
    options += ["--dir", "/run", "--ro-bind", tree / "var", "/var", "--tmpfs", "/var/tmp"]
    options += ["--dev-bind", "/dev", "/dev", "--proc", "/proc", "--bind", "/tmp", "/tmp"]
    options += ["--ro-bind", project, project, "--bind", folder, folder, "--chdir", folder]
    environment = {k: v for k, v in os.environ.items() if k not in _LEFT_OUT}
    environment |= {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    command = [bwrap, *map(str, options), "--die-with-parent", *map(str, words)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
