"""Compiled loops, and the threads they run on."""

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

# A .numba_config.yaml of the working folder could name another folder to load machine code from. It
# has been read by now, and its settings are taken back; $NUMBA_... still counts.
numba.core.config._config_fname = os.devnull
_read_again: Callable[[], None] = numba.core.config.reload_config
_read_again()

# More threads than this were not measured.
MOST_THREADS = 4

_limit = MOST_THREADS


def limit_threads(count: int) -> None:
    """Use no more than that many, where several such processes share the cores."""
    global _limit
    _limit = count


def compiled(function: F) -> F:
    """Compile on the first call, without holding the interpreter's lock.

    The machine code is kept beside the module or in the user's cache folder; where neither can be
    written to, each process compiles anew.
    """
    try:
        kept = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return cast(F, numba.njit(nogil=True)(function))
    keep_with_digests(kept)
    return cast(F, kept)


def threads() -> int:
    """Cores that this process may keep busy, four at most; see `limit_threads`."""
    return max(1, min(usable_cores(), MOST_THREADS, _limit))


def on_threads(work: Callable[..., R], parts: Iterable[T]) -> list[R]:
    """Results of the parts, in their order, so that they do not depend on the threads."""
    listed = list(parts)
    if threads() == 1 or len(listed) < 2:
        return [work(part) for part in listed]
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(work, listed))
