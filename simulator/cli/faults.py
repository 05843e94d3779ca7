"""One line and an exit code for every exception that ends a command.

Errors that a module foresees are raised as `InputError`. This module words those that no module
foresees: a missing library, a path that the system refuses, exhausted memory and, last of all, a
fault of the program, with the place where it happened.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
import traceback
from pathlib import Path
from types import MappingProxyType

from heterode.base.errors import CompileError, InputError, LineError, SolveError, one_line
from heterode.cli.endings import SOLVE_FAILED, WRONG_INPUT

SHOW = "HETERODE_TRACEBACK"
"""Environment variable that makes a fault's whole traceback precede its line."""

_PACKAGE = Path(__file__).parents[1]

_OF_DOLFINX = frozenset({"dolfinx", "basix", "ffcx", "ufl", "petsc4py", "mpi4py", "cffi"})

_DISTRIBUTIONS = MappingProxyType(
    {
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "imageio_ffmpeg": "imageio-ffmpeg",
        "PIL": "pillow",
        "vtkmodules": "vtk",
        "vtk": "vtk",
    }
)
"""Names of distributions whose packages are imported under another name."""

_OF_THE_PATH = frozenset(
    {
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOENT,
        errno.EEXIST,
        errno.ENOTEMPTY,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EINVAL,
        errno.EFBIG,
        errno.ENXIO,
        errno.ENODEV,
    }
)
"""Errors that another path cures; others (a full disk, too many open files) are the machine's."""

FEWEST_DESCRIPTORS = 64
"""Smallest number of files that must be allowed to be open; MPI needs 13 and crashes with fewer."""


def explain(error: BaseException) -> tuple[str, int]:
    """Return one line that says what happened, and the exit code."""
    if isinstance(error, InputError):
        return str(error), WRONG_INPUT
    if isinstance(error, (LineError, CompileError, SolveError)):
        return one_line(str(error)), SOLVE_FAILED
    missing = _missing_library(error)
    if missing:
        return one_line(missing), WRONG_INPUT
    if isinstance(error, MemoryError):
        return one_line(_out_of_memory(error)), SOLVE_FAILED
    if isinstance(error, OSError) and error.errno is not None:
        return one_line(_of_the_system(error)), (
            WRONG_INPUT if error.errno in _OF_THE_PATH else SOLVE_FAILED
        )
    return one_line(_fault(error)), SOLVE_FAILED


def show_traceback(error: BaseException) -> None:
    """Print the traceback if the user asks for it."""
    if os.environ.get(SHOW) and not isinstance(error, InputError):
        traceback.print_exception(error)
        sys.stderr.flush()


def check_descriptors() -> None:
    """Check that enough files can be open at a time, and raise the limit if this process may do so.

    Raises:
        InputError: the limit is too low for the libraries.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FEWEST_DESCRIPTORS:
        return
    if hard != resource.RLIM_INFINITY and hard < FEWEST_DESCRIPTORS:
        raise InputError(
            f"at most {hard} files may be open at a time (allowed: {FEWEST_DESCRIPTORS} or more). "
            "Raise the limit: ulimit -n 1024"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEWEST_DESCRIPTORS, hard))


def _missing_library(error: BaseException) -> str:
    """Return how to obtain a library that cannot be imported; empty if that is not the fault."""
    if isinstance(error, OSError) and "cannot open shared object file" in str(error):
        # A module such as gmsh may load a library itself; what that library lacks is a system
        # package.
        return (
            f"a library of the system is missing: {error}. Install it, or let scripts/run set up "
            "everything that heterode needs"
        )
    name = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if not name or name == "heterode":
        return ""
    way = f"{sys.executable} -m pip install {_DISTRIBUTIONS.get(name, name)}"
    if name in _OF_DOLFINX:
        way = "conda install -c conda-forge fenics-dolfinx, or apt-get install python3-dolfinx"
    what = "is not installed" if isinstance(error, ModuleNotFoundError) else f"fails: {error}"
    return (
        f"the Python package {name} {what} (looked for by {sys.executable}). scripts/run sets up "
        f"everything that heterode needs; or: {way}"
    )


def _out_of_memory(error: MemoryError) -> str:
    detail = one_line(str(error), 160)
    return (
        f"memory ran out{f' ({detail})' if detail else ''}. Ask for less (particles, pixels, "
        "a coarser mesh), or use a machine with more of it; `heterode check` estimates a run's need"
    )


def _of_the_system(error: OSError) -> str:
    names = [str(n) for n in (error.filename, error.filename2) if n is not None]
    # The end of a path is more informative than its beginning, and a name that is too long is no
    # help.
    where = f"{one_line(' -> '.join(names), 200)}: " if names else ""
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}{why}. Free space or choose another folder"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{where}{why}. Raise the limit: ulimit -n 1024"
    if error.errno in _OF_THE_PATH:
        return f"{where}{why}. Give another path"
    return f"{where}{why}"


def _fault(error: BaseException) -> str:
    what = one_line(f"{type(error).__name__}: {error}", 240).rstrip(": ")
    places = [
        f"{Path(frame.filename).relative_to(_PACKAGE)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    where = f", at {' > '.join(places[-3:])}" if places else ""
    return f"a fault of the program ({what}{where}). Please report it; {SHOW}=1 prints more"
