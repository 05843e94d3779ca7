"""Compiling forms, one program at a time, in a cache folder of our own.

DOLFINx keeps compiled forms on disk. It marks one that is being compiled by its C file, and whoever
finds the mark waits for the result: in vain, and for good, if the compiling program was killed.
Here a lock says whether somebody compiles, and the lock of a killed program is free again. So under
the lock, a C file without its result is a remainder, and is removed.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cffi import VerificationError
from dolfinx import fem, jit
from mpi4py import MPI

from simulator.errors import CompileError
from simulator.ranks import together

FLAGS = (
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
)
"""For the C compiler: sums may be reordered, which halves the time of the electrolyte's forms.
NaN and infinity keep their meaning (no -ffast-math), and the code runs on every machine that
shares the cache folder (no -march=native)."""


def cache_folder() -> Path:
    """Where compiled forms are kept: below the folder DOLFINx is told to use."""
    return Path(jit.get_options()["cache_dir"]) / "heterode"


def compiled(form: Any) -> fem.Form:
    """The form, from the cache or from the compiler. Collective.

    Args:
        form: UFL, over a mesh of DOLFINx.

    Raises:
        CompileError: on every rank.
    """
    comm: MPI.Comm = form.ufl_domain().ufl_cargo().comm

    def compile_it() -> fem.Form:
        folder = cache_folder()
        try:
            # Rank 0 compiles; the others wait for it inside and then read the cache.
            with _alone_in(folder, wanted=comm.rank == 0):
                return fem.form(
                    form, jit_options={"cache_dir": folder, "cffi_extra_compile_args": [*FLAGS]}
                )
        except (OSError, RuntimeError, ImportError, VerificationError) as error:
            raise CompileError(_explained(error, folder)) from error

    return together(comm, compile_it)


@contextmanager
def _alone_in(folder: Path, *, wanted: bool) -> Iterator[None]:
    """Hold the folder's lock, and find it without remainders."""
    if not wanted:
        yield
        return
    # Where the lock cannot be had (some network disks know none) DOLFINx is on its own.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = open(folder / "lock", "w")  # noqa: SIM115
    except OSError:
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            yield
            return
        remove_remainders(folder)
        yield


def remove_remainders(folder: Path) -> None:
    """Remove the marks of compilations that never ended. The folder's lock must be held."""
    for source in folder.glob("*.c"):
        if not source.with_suffix(".c.cached").exists():
            with suppress(OSError):
                source.unlink()


def _explained(error: Exception, folder: Path) -> str:
    text = " ".join(str(error).split())
    return (
        f"the equations cannot be compiled ({type(error).__name__}: {text[:200]}). See that gcc "
        f"works and that {folder} can be written and has room; that folder may be deleted"
    )
