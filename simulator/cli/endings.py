"""Exit codes, and the end of a command on all ranks."""

from __future__ import annotations

from typing import Any

from heterode.base.ranks import end_all

DONE, WRONG_INPUT, SOLVE_FAILED, INTERRUPTED = 0, 2, 3, 128 + 2


def leave(comm: Any, code: int) -> int:
    """End all ranks with an exit code; a single process returns it instead."""
    end_all(comm, code)
    return code
