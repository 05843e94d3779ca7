"""One run at a time in a results folder."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress

from simulator.errors import InputError
from simulator.results.folder import ResultsFolder


class FolderLock:
    """Holds a folder for this process; the system lets go of it when the process dies.

    Where the file system knows no locks (some network file systems), nothing is held.

    Args:
        folder: an existing folder.

    Raises:
        InputError: another run is writing there.
    """

    def __init__(self, folder: ResultsFolder) -> None:
        self._path, self._handle = folder.lock, -1
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            # Whoever may not write here is told so by what is written next.
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise InputError(
                f"{folder.path}: a run is still writing there ({holder}). Wait until it ends, end "
                "it, or choose another --out"
            ) from error
        except OSError:
            os.close(handle)
            return
        self._handle = handle
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def release(self) -> None:
        """Let go, and leave no file behind."""
        if self._handle >= 0:
            with suppress(OSError):
                self._path.unlink()
            os.close(self._handle)
            self._handle = -1
