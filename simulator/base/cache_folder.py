"""Where heterode keeps what it makes once for all runs, and whether that place is safe to use.

    meshes/        by all that determines them (heterode.geometry.cache)
    equations/     compiled forms (heterode.solver.discretisation.compilation)
    own-NAME-KEY/  virtual environments of other programs (heterode.base.own_python)
    tree-, venv-, machine-KEY    what scripts/setup builds; common.sh finds the folder by this rule

It holds programs that later runs execute. So it has to be the user's own, and nobody else may write
to it.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from heterode.base.errors import InputError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path:
    """$HETERODE_CACHE, or heterode/ in the user's cache folder; it need not exist yet."""
    root = os.environ.get("HETERODE_CACHE", "")
    return (Path(root) if root else user_cache() / "heterode").absolute()


def user_cache() -> Path:
    """$XDG_CACHE_HOME, or .cache in the user's home.

    Raises:
        InputError: there is no home.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        raise InputError(
            "there is no HOME to keep meshes and compiled equations in. Set HETERODE_CACHE to a "
            "folder of your own"
        ) from None


def own_folder(path: Path) -> Path:
    """Make a cache folder, for this user alone, or see that the one that is there is safe.

    Args:
        path: the folder; missing parents are made.

    Returns:
        The same path.

    Raises:
        InputError: it belongs to somebody else, or others can write to it.
        OSError: it cannot be made or looked at.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        refuse_others(path)
    return path


def refuse_others(path: Path) -> None:
    """See that a folder, and a link that leads to it, is this user's alone to write to.

    Raises:
        InputError: it is not.
        OSError: there is no such folder.
    """
    for found in (path.lstat(), path.stat()):
        if found.st_uid != os.geteuid():
            raise InputError(
                f"{path}: belongs to another user (number {found.st_uid}), who could put programs "
                "there. Set HETERODE_CACHE to a folder of your own"
            )
    if path.stat().st_mode & _OTHERS_WRITE:
        raise InputError(
            f"{path}: others can write there, and could put programs there that heterode runs. "
            f"If nobody did: chmod go-w {path}"
        )


def remove_entry(path: Path) -> None:
    """Remove what lies in an entry's place, a folder as well; what cannot be removed stays."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
