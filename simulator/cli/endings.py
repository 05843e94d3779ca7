"""Exit codes, and a way to end all ranks at once."""

from __future__ import annotations

import sys
import time
from typing import Any

FORWARDING_S = 0.5
"""Time that a launcher on a busy machine needs to forward the last output of a rank, s."""

DONE, WRONG_INPUT, SOLVE_FAILED, INTERRUPTED = 0, 2, 3, 128 + 2


def leave(comm: Any, code: int) -> int:
    """End all ranks, since the others may wait for this one for ever; returns the exit code."""
    if comm.size > 1:
        # A launcher drops output that ranks wrote just before it ends them.
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(FORWARDING_S)
        comm.Abort(code)
    return code
