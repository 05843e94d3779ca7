"""Exit codes, and the end of all ranks at once."""

from __future__ import annotations

from typing import Any

DONE, WRONG_INPUT, SOLVE_FAILED, INTERRUPTED = 0, 2, 3, 128 + 2


def leave(comm: Any, code: int) -> int:
    """End all ranks: the others may be waiting for this one, and would for ever."""
    if comm.size > 1:
        comm.Abort(code)
    return code
