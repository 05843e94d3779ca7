"""A lock that allows only one run at a time in a results folder.

The file `lock` is locked with flock(2), and the system releases the lock when the process dies. If
the file system does not support such locks (as some network file systems), the file itself excludes
others by its existence: it is created exclusively and names its process and host. A file left by a
dead process of this host is taken over. Whether a process of another host is alive cannot be
determined here, so such a file is named in the message and left to the user.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

from heterode.base.errors import InputError
from heterode.base.temporary import new_beside
from heterode.results.folder import ResultsFolder

_HOLDER = re.compile(
    r"process (\d{1,18}) on (\S+)(?: since (\d{1,18}))?(?: in (\S+))?(?: without locks)?\n"
)


class FolderLock:
    """Holds a folder for this process, and reports if it cannot do so reliably.

    Args:
        folder: an existing folder.

    Raises:
        InputError: another run is writing there, or may be.
    """

    def __init__(self, folder: ResultsFolder) -> None:
        self._folder, self._path = folder.path, folder.lock
        self._handle, self._mine = -1, False
        try:
            while not self._take():
                continue
        except InputError:
            raise
        except OSError as error:
            # If the folder cannot be written at all, the next file written reports that.
            _say(f"{self._path}: cannot be had ({error.strerror}): no other run is kept out")

    def release(self) -> None:
        """Release the folder, and leave no file behind."""
        if self._handle >= 0:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._handle)
            self._handle = -1
        if self._mine:
            with suppress(OSError):
                self._path.unlink()
            self._mine = False

    def _take(self) -> bool:
        """Try once; returns False if the file was replaced in the meantime."""
        made, handle = _opened(self._path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._in_use(_read(handle)) from error
        except OSError as error:
            if not made:
                self._refuse_alive(_read(handle))
                if not self._take_over(handle):
                    return False
            self._mine = True
            _write_holder(handle, " without locks")
            _say(
                f"{self._folder}: its file system knows no locks ({error.strerror}). The file "
                f"{self._path.name} there keeps other runs out"
            )
            return True
        else:
            if not _is_at(handle, self._path):
                # The previous run released the folder, and removed the file, between the two calls.
                return False
            holder = _read(handle)
            if holder and _HOLDER.fullmatch(holder) is None:
                raise InputError(
                    f"{self._path}: is not heterode's, which keeps its lock there. Move or rename "
                    "it, or choose another --out"
                )
            if " without locks" in holder:
                # The lock belongs to a host that mounts the folder in another way.
                self._refuse_alive(holder)
            _write_holder(handle)
            self._handle = os.dup(handle)
            return True
        finally:
            os.close(handle)

    def _refuse_alive(self, holder: str) -> None:
        """Proceed only if a file without a lock names a process that is known to be dead.

        Raises:
            InputError: the process is alive, or may be.
        """
        found = _HOLDER.fullmatch(holder)
        if found is None or found[2] != socket.gethostname() or found[4] not in (None, _space()):
            raise InputError(
                f"{self._folder}: a run may still be writing there ({_shown(holder)}). Once it has "
                f"ended, remove {self._path}, or choose another --out"
            )
        if _lives(int(found[1]), found[3]):
            raise self._in_use(holder)

    def _take_over(self, handle: int) -> bool:
        """Replace a dead process's file; returns False if it was removed in the meantime."""
        if not _is_at(handle, self._path):
            return False
        # The file is renamed, not deleted, so that of two processes only one finds it.
        with new_beside(self._path) as stale:
            os.rename(self._path, stale)
            if not _is_at(handle, stale):
                with suppress(FileExistsError):
                    os.link(stale, self._path)
                return False
            # The handle now refers to a file without a name; the new file is created exclusively.
            try:
                fresh = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                return False
            os.dup2(fresh, handle)
            os.close(fresh)
            return True

    def _in_use(self, holder: str) -> InputError:
        return InputError(
            f"{self._folder}: a run is still writing there ({_shown(holder)}). Wait until it ends, "
            "end it, or choose another --out"
        )


def _opened(path: Path) -> tuple[bool, int]:
    """Return whether the file has just been created, and a handle of it."""
    with suppress(FileExistsError):
        return True, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return False, os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        # The file belongs to another user, but it can still be locked.
        return False, os.open(path, os.O_RDONLY)


def _is_at(handle: int, path: Path) -> bool:
    """Whether a handle refers to the file that has this name now."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _read(handle: int) -> str:
    return os.pread(handle, 300, 0).decode(errors="replace")


def _shown(holder: str) -> str:
    """Return what a file says about its holder, as one line for a message."""
    found = _HOLDER.fullmatch(holder)
    return f"process {found[1]} on {found[2]}" if found is not None else "of unknown process"


def _write_holder(handle: int, how: str = "") -> None:
    """Write which process holds the folder; its start time distinguishes it from a later one."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        own = os.getpid()
        place = f"{socket.gethostname()} since {_began(own)} in {_space()}"
        text = f"process {own} on {place}{how}\n"
        os.pwrite(handle, text.encode(), 0)


def _space() -> str:
    """Return the namespace of process numbers, which a container has to itself on any host."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return "unknown"


def _lives(process: int, began: str | None) -> bool:
    """Whether a process of this host is alive, and not a later process with the same number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    if _stat(process)[:1] == ["Z"]:
        # The process is dead, but its parent has not collected its exit status yet.
        return False
    now = _began(process)
    return began is None or began == now or "0" in (began, now)


def _began(process: int) -> str:
    """Return when a process began, in ticks since the machine started; "0" if that is unknown."""
    state = _stat(process)
    return state[19] if len(state) > 19 else "0"


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state onwards; empty if there are none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name of the program, in brackets, may contain any character.
    return text.rpartition(")")[2].split()


def _say(text: str) -> None:
    print(f"heterode: note: {text}", file=sys.stderr, flush=True)
