"""Documents whose commands are run word for word, in a fresh copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from helpers.paths import ROOT
from helpers.surroundings import PATIENCE

OF_USERS = ("simulator", "params", "meshes", "scripts", "pyproject.toml", "README.md")
"""What the commands for users need."""


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str, left_out: Collection[str] = ()) -> list[str]:
    """The commands of its blocks of shell, but for some."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines() if line.strip()]
    return [line for line in lines if line not in left_out]


def clone(folder: Path, names: Collection[str] = OF_USERS) -> Path:
    """The project in another folder, as somebody has it who comes to it: no results, no caches."""
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
            shutil.copytree(source, folder / name, ignore=ignored, symlinks=True)
        else:
            shutil.copy(source, folder / name)
    return folder


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of a document, in a folder, without a terminal."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
