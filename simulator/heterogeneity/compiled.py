"""Compiled loops, and the threads on which they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import numba
import numba.core.config

from heterode.base.cores import usable_cores
from heterode.heterogeneity.kept_loops import keep_with_digests

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")
R = TypeVar("R")

# A .numba_config.yaml in the working folder could name another folder from which to load machine
# code. numba has read it by now, so its settings are undone here; $NUMBA_... still counts.
numba.core.config._config_fname = os.devnull
_read_again: Callable[[], None] = numba.core.config.reload_config
_read_again()

# Larger numbers of threads were not timed.
MOST_THREADS = 4

_limit = MOST_THREADS


def limit_threads(count: int) -> None:
    """Limit the number of threads if several such processes share the cores."""
    global _limit
    _limit = count


def compiled(function: F) -> F:
    """Compile a function on its first call; it runs without holding the interpreter's lock.

    The machine code is kept beside the module or in the user's cache folder; if neither can be
    written, each process compiles the function again.
    """
    try:
        kept = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return cast(F, numba.njit(nogil=True)(function))
    keep_with_digests(kept)
    return cast(F, kept)


def threads() -> int:
    """Return the number of cores that this process may use, at most four; see `limit_threads`."""
    return max(1, min(usable_cores(), MOST_THREADS, _limit))


def on_threads(work: Callable[..., R], parts: Iterable[T]) -> list[R]:
    """Return the results of the parts in their order, so they do not depend on the threads."""
    listed = list(parts)
    if threads() == 1 or len(listed) < 2:
        return [work(part) for part in listed]
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, listed))
