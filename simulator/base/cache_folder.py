"""The cache folder for what heterode makes once for all runs, and the check that it is safe to use.

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
    """Return $HETERODE_CACHE, or heterode/ in the user's cache folder; it need not exist yet."""
    root = os.environ.get("HETERODE_CACHE", "")
    return (Path(root) if root else user_cache() / "heterode").absolute()


def user_cache() -> Path:
    """Return $XDG_CACHE_HOME, or .cache in the user's home folder.

    Raises:
        InputError: the user has no home folder.
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
    """Create a cache folder that only this user can enter, or check that an existing one is safe.

    Args:
        path: the folder; missing parents are created.

    Returns:
        The same path.

    Raises:
        InputError: the folder belongs to another user, or other users can write to it.
        OSError: it cannot be created or inspected.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        refuse_others(path)
    return path


def refuse_others(path: Path) -> None:
    """Check that only this user can write to a folder, and to a link that leads to it.

    Raises:
        InputError: another user can write to it.
        OSError: the folder does not exist.
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
    """Remove a cache entry, whether file or folder; an entry that cannot be removed stays."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
