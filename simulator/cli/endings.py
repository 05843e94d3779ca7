"""Exit codes, and the end of all ranks at once."""

from __future__ import annotations

import sys
import time
from typing import Any

FORWARDING_S = 0.5
"""Time for a launcher to pass on what a rank said last, on a machine under load."""

DONE, WRONG_INPUT, SOLVE_FAILED, INTERRUPTED = 0, 2, 3, 128 + 2


def leave(comm: Any, code: int) -> int:
    """End all ranks: the others may be waiting for this one, and would for ever."""
    if comm.size > 1:
        # A launcher drops what ranks said a moment before it ends them.
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(FORWARDING_S)
        comm.Abort(code)
    return code
