"""Compiles forms and loops, by one program at a time and each with its own cache folder.

DOLFINx keeps compiled forms on disk and trusts them. It marks a form that is being compiled by its
C file and waits for the result, in vain if the compiling program was killed. It also loads any file
that it finds, so that a truncated library ends the program. Here

- a lock shows whether another program is compiling; a killed program releases its lock;
- a digest, written beside a library once it was loaded, shows that it is still what the compiler
  wrote. It is checked before anything is loaded, and a library that differs from its digest, or
  has none, is compiled again.

If locks are not available (as on some network disks), a library without a digest may just be in
the making and is left alone; one that differs from its digest is compiled again all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from cffi import FFI, VerificationError
from dolfinx import fem, jit
from ffcx.options import FFCX_DEFAULT_OPTIONS
from mpi4py import MPI

from heterode.base import cache_folder as heterode_cache
from heterode.base.cache_folder import own_folder, refuse_others, remove_entry
from heterode.base.digests import file_digest
from heterode.base.errors import CompileError, InputError
from heterode.base.ranks import on_root, together
from heterode.base.temporary import new_beside

FLAGS = (
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
)
"""Flags of the C compiler. Sums may be reordered, which halves the time of the electrolyte's forms.
NaN and infinity keep their meaning (no -ffast-math), and the code runs on every machine that
shares the cache folder (no -march=native)."""

_NO_OPTIONS = (ValueError, TypeError)
"""Exceptions if an option file of DOLFINx or FFCx is not JSON, or not a table: such files are read
although they are not used."""

Made = TypeVar("Made")

_ENDING = EXTENSION_SUFFIXES[0]
"""Ending of the file name of a library that this Python can load."""

_LIBRARIES: dict[str, Any] = {}
"""The libraries of `compiled_library` that this process has loaded."""

LOCK = "lock"
DIGEST = ".sha256"
"""Suffix of the file with the digests of an entry."""


def cache_folder() -> Path:
    """Return the folder of compiled forms, which is beside the meshes, not DOLFINx's own."""
    return heterode_cache.cache_folder() / "equations"


def _jit_options(folder: Path) -> dict[str, Any]:
    """Return all options of DOLFINx, so that none comes from a file in the working folder."""
    defaults = {name: entry[0] for name, entry in jit.DOLFINX_DEFAULT_JIT_OPTIONS.items()}
    return {**defaults, "cache_dir": folder, "cffi_extra_compile_args": [*FLAGS]}


def _form_options() -> dict[str, Any]:
    """Return all options of FFCx, since a file in the working folder could change numbers."""
    return {name: entry[1] for name, entry in FFCX_DEFAULT_OPTIONS.items()}


def folder_of(form: Any) -> Path:
    """Return the folder of a form."""
    return cache_folder() / str(form.signature())[:32]


def compiled(form: Any) -> fem.Form:
    """Return the form from the cache or from the compiler. Collective.

    Args:
        form: UFL form on a mesh of DOLFINx.

    Raises:
        CompileError: the form cannot be compiled; it is raised on every rank.
    """
    folder = folder_of(form)
    return _from_cache(
        form.ufl_domain().ufl_cargo().comm,
        folder,
        # Rank 0 compiles; the others wait for it inside and then read the cache.
        lambda: fem.form(
            form, form_compiler_options=_form_options(), jit_options=_jit_options(folder)
        ),
    )


def compiled_library(comm: MPI.Comm, source: Path) -> Any:
    """Return a library of C functions from the cache or from the compiler. Collective.

    Args:
        comm: the ranks that need it.
        source: C file, which includes the header beside it; that has declarations alone.

    Returns:
        A module with the functions in `lib`, and CFFI's interface to them in `ffi`.

    Raises:
        CompileError: the functions cannot be compiled; it is raised on every rank.
    """
    header = source.with_suffix(".h").read_text(encoding="utf-8")
    text = source.read_text(encoding="utf-8")
    signature = hashlib.sha256("\0".join((header, text, *FLAGS)).encode()).hexdigest()[:32]
    # A library of another Python or processor has another name, as that of a form has.
    name = f"{source.stem}_{signature}"
    folder = cache_folder() / signature

    def build() -> None:
        _build(folder, name, header, source)

    def make() -> Any:
        on_root(comm, build)
        # Another node may have another disk.
        build()
        return _load(folder / f"{name}{_ENDING}", name)

    return _from_cache(comm, folder, make)


def _build(folder: Path, name: str, header: str, source: Path) -> None:
    """Compile a library unless it is there."""
    ready = folder / f"{name}.c.cached"
    if ready.is_file() and (folder / f"{name}{_ENDING}").is_file():
        return
    _make(folder)
    with TemporaryDirectory(dir=folder) as room:
        builder = FFI()
        builder.cdef(header)
        builder.set_source(
            name,
            source.read_text(encoding="utf-8"),
            include_dirs=[str(source.parent)],
            extra_compile_args=["-std=c17", *FLAGS],
        )
        built = Path(builder.compile(tmpdir=room))
        os.replace(built.with_name(f"{name}.c"), folder / f"{name}.c")
        os.replace(built, folder / f"{name}{_ENDING}")
    ready.touch()


def _load(library: Path, name: str) -> Any:
    if name in _LIBRARIES:
        return _LIBRARIES[name]
    spec = spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    _LIBRARIES[name] = module
    return module


def _from_cache(comm: MPI.Comm, folder: Path, make: Callable[[], Made]) -> Made:
    """Return what `make` compiles in a folder, or finds there intact. Collective.

    Args:
        comm: the ranks.
        folder: folder of a form or library.
        make: compiles it on rank 0 before the others look for it, and loads it. Collective.

    Raises:
        CompileError: it cannot be compiled; it is raised on every rank.
    """
    together(comm, _refuse_unsafe_cache)

    def compile_it() -> Made:
        try:
            with ExitStack() as held:
                if comm.rank == 0:
                    held.enter_context(_alone_in(folder))
                if comm.size > 1:
                    # Other nodes may have other disks with their own caches. No rank compiles
                    # before all have looked.
                    comm.barrier()
                    if comm.rank != 0:
                        remove_damaged(folder, locked=False)
                    comm.barrier()
                found = make()
                write_digests(folder)
                return found
        except (OSError, RuntimeError, ImportError, VerificationError, *_NO_OPTIONS) as error:
            raise CompileError(_explained(error, folder.parent)) from error

    return together(comm, compile_it)


def _refuse_unsafe_cache() -> None:
    """Refuse a cache folder that other users can change, since its files are executed.

    Raises:
        CompileError: another user can write to the folder.
    """
    try:
        for folder in (cache_folder().parent, cache_folder()):
            if folder.is_dir():
                refuse_others(folder)
    except (InputError, OSError) as error:
        raise CompileError(f"the equations cannot be compiled: {error}") from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock and remove remainders and damage. It raises no OSError."""
    with ExitStack() as held:
        locked = False
        with suppress(OSError):
            _make(folder)
            lock = folder / LOCK
            if lock.is_dir() and not lock.is_symlink():
                shutil.rmtree(lock, ignore_errors=True)
            file = held.enter_context(open(lock, "w"))
            fcntl.flock(file, fcntl.LOCK_EX)
            locked = True
        remove_damaged(folder, locked=locked)
        yield


def _make(folder: Path) -> None:
    """Make a form's folder, even if a file has its name."""
    if folder.parent.is_dir() and not folder.is_dir():
        with suppress(FileNotFoundError):
            folder.unlink()
    own_folder(folder.parent.parent)
    own_folder(folder.parent)
    folder.mkdir(exist_ok=True)


def remove_damaged(folder: Path, *, locked: bool) -> None:
    """Remove entries that are not what the compiler wrote, or that were never finished.

    Args:
        folder: folder of a form.
        locked: whether no other program compiles there; otherwise an entry without a digest may be
            in the making.
    """
    for stem, files in _entries(folder).items():
        digests = folder / f"{stem}{DIGEST}"
        if not locked and digests not in files:
            continue
        if not _is_whole(digests, files):
            for file in files:
                remove_entry(file)


def write_digests(folder: Path) -> None:
    """Write digests for entries without one, which are intact since they have just been loaded."""
    for stem, files in _entries(folder).items():
        digests = folder / f"{stem}{DIGEST}"
        if digests in files:
            continue
        # A cache that cannot be written only costs time on the next run.
        with suppress(OSError):
            digest = _digest_of(stem, files)
            with new_beside(digests) as partial:
                partial.write_text(digest, encoding="ascii")
                os.replace(partial, digests)


def _entries(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each entry by their common stem, without the lock."""
    entries: dict[str, list[Path]] = {}
    with suppress(OSError):
        for file in sorted(folder.iterdir()):
            stem = file.name.partition(".")[0]
            if stem != LOCK:
                entries.setdefault(stem, []).append(file)
    return entries


def _is_whole(digests: Path, files: list[Path]) -> bool:
    """Check that an entry agrees with its digests."""
    stem = digests.name.removesuffix(DIGEST)
    try:
        return digests.read_text(encoding="ascii") == _digest_of(stem, files)
    except (OSError, ValueError):
        return False


def _digest_of(stem: str, files: list[Path]) -> str:
    """Return the digest of an entry's library after checking that its other files are there.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    libraries = [file for file in files if file.suffix in (".so", ".dylib")]
    names = {file.name for file in files if file.is_file()}
    if len(libraries) != 1 or not {f"{stem}.c", f"{stem}.c.cached"} <= names:
        raise FileNotFoundError(f"{stem} is not complete")
    # The stem counts too, since a library with another form's name is as wrong as a damaged one.
    content = f"{stem} {libraries[0].name} {file_digest(libraries[0])}"
    return hashlib.sha256(content.encode()).hexdigest()


def _explained(error: Exception, folder: Path) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, _NO_OPTIONS):
        names = ("dolfinx_jit_options.json", "ffcx_options.json")
        for path in map(Path, names):
            if path.exists():
                return (
                    f"{path}: DOLFINx reads this file of the working folder and cannot "
                    f"({text[:100]}). heterode has no use for it: remove it, or work elsewhere"
                )
    return (
        f"the equations cannot be compiled ({type(error).__name__}: {text[:200]}). See that gcc "
        f"works and that {folder} can be written and has room; that folder may be deleted"
    )
