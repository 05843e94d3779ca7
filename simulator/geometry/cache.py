"""The mesh of a parameter file: packed and meshed once, then reused from the user's cache folder.

A mesh is kept under the hash of all that determines it, as ${HETERODE_CACHE:-~/.cache/heterode}
/meshes/HASH.msh. It is written to a temporary file, which is then renamed. A damaged file is
replaced. When several runs want the same new mesh at once, one makes it and the others wait. Call
these functions on rank 0 only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from heterode.base import cache_folder as heterode_cache
from heterode.base.errors import InputError
from heterode.base.reading import read_regular
from heterode.base.words import counted
from heterode.geometry import meshing, packing
from heterode.geometry.extent import refuse_other_units
from heterode.geometry.mesh_data import MeshData
from heterode.geometry.msh import read_msh, write_msh
from heterode.geometry.packing import Packing, Progress, pack
from heterode.geometry.pieces import require_reached
from heterode.parameters.fields import Section
from heterode.parameters.model import Parameters

Result = TypeVar("Result")

MANY = 500
"""Number of particles from which packing and meshing take seconds and report their progress."""

REPACK = "Widen the slab (geometry.width), take smaller particles, or change seeds.packing."


def mesh_for(parameters: Parameters) -> MeshData:
    """Read geometry.mesh_file, or reuse or make the mesh that the parameters ask for.

    Raises:
        InputError: the mesh file cannot be used, or the particles cannot be packed.
    """
    geometry = parameters.geometry
    if geometry.mesh_file is not None:
        return _foreign_mesh(parameters, geometry.mesh_file)
    name = _named(parameters, lambda: mesh_hash(parameters))
    path = cache_folder() / f"{name}.msh"
    mesh = _kept(path, name)
    if mesh is not None:
        return mesh
    with _alone(path):
        # Another run may have made it while this one waited.
        return _kept(path, name) or _made(parameters, path, name)


def _kept(path: Path, name: str) -> MeshData | None:
    """Read the cached mesh, or return None where the file is missing or damaged."""
    try:
        mesh = read_msh(path) if path.is_file() else None
    except (InputError, OSError):
        return None
    return mesh if mesh is not None and mesh.hash == name else None


def _made(parameters: Parameters, path: Path, name: str) -> MeshData:
    packed = packing_for(parameters)
    progress = _terminal_progress(len(packed.radii_um))
    if progress is not None:
        progress(f"meshing {counted(len(packed.radii_um), 'particle')}")
    mesh = _named(parameters, lambda: meshing.build_mesh(packed, parameters.geometry, name))
    # Whether particles conduct changes no mesh, and so neither whether it can be kept.
    _named(
        parameters, lambda: require_reached(mesh, remedy=REPACK), "the particles part the slab: "
    )
    _store(path, mesh)
    return mesh


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from making the same mesh, where the file system supports locks."""
    lock = path.with_suffix(".lock")
    with ExitStack() as held:
        with suppress(OSError):
            missing = [folder for folder in path.parents if not folder.is_dir()]
            _make(path.parent)
            # Where no mesh was made, nothing is left behind.
            held.callback(lambda: _remove_empty(missing))
            file = held.enter_context(open(lock, "w"))
            held.callback(lambda: lock.unlink(missing_ok=True))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, innermost first, until one is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _foreign_mesh(parameters: Parameters, file: Path) -> MeshData:
    """Read the mesh that geometry.mesh_file names."""
    geometry = parameters.geometry
    mesh = _named(parameters, lambda: read_msh(file), "geometry.mesh_file: ")
    name = f"geometry.mesh_file = {file}: "
    _named(parameters, lambda: refuse_other_units(mesh, 1e6 * geometry.coating_thickness), name)
    if mesh.dimension != geometry.dimension:
        raise InputError(
            f"{parameters.source_file}: geometry.dimension = {geometry.dimension}, but"
            f" geometry.mesh_file = {file} holds a mesh in {mesh.dimension}D."
            f" Set geometry.dimension to {mesh.dimension}, or name another mesh."
        )
    conduct = parameters.active_material.electronic_conduction_in_particles
    _named(parameters, lambda: require_reached(mesh, particles_conduct=conduct), name)
    return mesh


def packing_for(parameters: Parameters) -> Packing:
    """Return the packing that `mesh_for` meshes; it depends on parameters and seed alone.

    Raises:
        InputError: the particles cannot be packed, or geometry.mesh_file is given instead.
    """
    geometry = parameters.geometry
    if geometry.mesh_file is not None:
        raise InputError(
            f"{parameters.source_file}: geometry.mesh_file = {geometry.mesh_file} is a mesh"
            " already: there is nothing to pack. Remove it to pack particles."
        )
    progress = _terminal_progress(geometry.particles or MANY)
    return _named(parameters, lambda: pack(geometry, parameters.seeds.packing, progress))


def mesh_hash(parameters: Parameters) -> str:
    """Return the hash of everything that determines the mesh, as 32 hexadecimal digits.

    Raises:
        InputError: the table of particle sizes cannot be read, or gmsh is not installed.
    """
    geometry = parameters.geometry
    size = _plain(geometry.particle_size)
    if size.get("file") is not None:
        # The content counts: editing a table changes the mesh, moving the file does not.
        size["file"] = _file_hash(Path(size["file"]))
    determined_by = {
        "packer": packing.PACKER_VERSION,
        "mesher": meshing.MESHER_VERSION,
        "gmsh": _gmsh_version(),
        "seed": parameters.seeds.packing,
        "dimension": geometry.dimension,
        "coating_thickness": geometry.coating_thickness,
        "separator_thickness": geometry.separator_thickness,
        "width": geometry.width,
        "particles": geometry.particles,
        "active_fraction": geometry.active_fraction,
        "minimum_gap": geometry.minimum_gap,
        "walls": geometry.walls,
        "particle_size": size,
        "mesh": _plain(geometry.mesh),
    }
    text = json.dumps(determined_by, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cache_folder() -> Path:
    """Return the folder in which meshes are kept; it need not exist.

    Raises:
        InputError: another user could change the files in it.
    """
    top = heterode_cache.cache_folder()
    if top.is_dir():
        heterode_cache.refuse_others(top)
    return top / "meshes"


def _make(folder: Path) -> None:
    """Make the folder of meshes; only this user can enter the folder above it."""
    heterode_cache.own_folder(folder.parent)
    folder.mkdir(exist_ok=True)


def _store(path: Path, mesh: MeshData) -> None:
    try:
        _make(path.parent)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        write_msh(path, mesh)
    except (OSError, InputError):
        # A cache that cannot be written only costs time on the next run.
        return


def _named(parameters: Parameters, make: Callable[[], Result], key: str = "") -> Result:
    """Run `make`, and put the name of the parameter file in front of the text of any InputError."""
    try:
        return make()
    except InputError as error:
        raise InputError(f"{parameters.source_file}: {key}{error}") from None


def _plain(section: object) -> dict[str, Any]:
    """Return a section of the parameters as a dictionary."""
    return dict(section.model_dump() if isinstance(section, Section) else vars(section))


def _file_hash(path: Path) -> str:
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except OSError as error:
        raise InputError(
            f"geometry.particle_size.file = {path} cannot be read ({error.strerror})."
            " Give a CSV file with the columns diameter_um,weight."
        ) from None


def _gmsh_version() -> str:
    try:
        import gmsh  # slow to load, so only where a mesh may have to be made
    except (ImportError, OSError) as error:
        raise InputError(
            f"gmsh is needed to make a mesh and cannot be loaded ({error}). Install it, or name a"
            " mesh made elsewhere by geometry.mesh_file."
        ) from None
    return str(gmsh.__version__)


def _terminal_progress(particles: int) -> Progress | None:
    """Return a function that reports progress on a terminal; None if there is no need of one."""
    if particles < MANY or not sys.stderr.isatty():
        return None
    return lambda text: print(text, file=sys.stderr, flush=True)
