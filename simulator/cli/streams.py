"""Standard output and standard error of a command, whatever they are connected to.

Output describes the work of a command but is not its result. A reader that has gone away (`heterode
check ... | head -1`), a full disk under a log file or an encoding without umlauts must therefore
not end a run. Characters missing from the encoding are written as escapes; text that cannot be
written is dropped, and the first reason is kept for the end of the command.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


class _Output(io.RawIOBase):
    """Writes to a file descriptor for as long as that succeeds.

    Attributes:
        reason: the error that lost the first text; None if none was lost.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.reason: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        if self.reason is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                raise
            except OSError as error:
                self.reason = error
        return len(data)


@contextmanager
def lasting_streams() -> Iterator[_Output]:
    """Context in which the standard streams accept any text; yields the state of stdout.

    Streams that other code put in place (a test's or a notebook's) are left alone.
    """
    _open_the_closed()
    before = sys.stdout, sys.stderr
    outputs = _Output(1), _Output(2)
    if before[0] is sys.__stdout__:
        sys.stdout = _stream(outputs[0], before[0])
    if before[1] is sys.__stderr__:
        sys.stderr = _stream(outputs[1], before[1], at_once=True)
    try:
        yield outputs[0]
    finally:
        for stream, earlier in zip((sys.stdout, sys.stderr), before, strict=True):
            if stream is not earlier:
                stream.flush()
        sys.stdout, sys.stderr = before


def loss(output: _Output) -> str:
    """Return why text for stdout was lost; empty if none was lost or the reader has gone away."""
    if output.reason is None or output.reason.errno == errno.EPIPE:
        return ""
    return output.reason.strerror or str(output.reason)


def _open_the_closed() -> None:
    """Connect closed standard streams to the null device.

    Otherwise the next file opened would take their place and receive what a library prints.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _stream(output: _Output, earlier: TextIO | None, *, at_once: bool = False) -> TextIO:
    encoding = getattr(earlier, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=at_once or output.isatty(),
        write_through=at_once,
    )
