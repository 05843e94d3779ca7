"""A gmsh session with an empty model that leaves gmsh as it found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Protocol

FRONTAL_DELAUNAY = 6


class CurveMeshing(Protocol):
    """The part of gmsh.model.geo.mesh that sets the division of curves."""

    def setTransfiniteCurve(self, tag: int, nPoints: int) -> object: ...


class BuiltInKernel(Protocol):
    """The used part of gmsh.model.geo, gmsh's own geometry kernel, whose entities have tags."""

    mesh: CurveMeshing

    def addPoint(self, x: float, y: float, z: float) -> int: ...
    def addLine(self, startTag: int, endTag: int) -> int: ...
    def addCurveLoop(self, curveTags: Sequence[int]) -> int: ...
    def addPlaneSurface(self, wireTags: Sequence[int]) -> int: ...


@contextmanager
def gmsh_session(name: str, options: Mapping[str, float] | None = None) -> Iterator[ModuleType]:
    """Provide gmsh with an empty model and its own options, and leave no trace in the process.

    If the caller has a session open already, that session is used and kept, and its model is
    current again afterwards.

    Args:
        name: name of the model.
        options: gmsh options in addition to the defaults below.
    """
    import gmsh  # slow to load, and may be missing where all meshes come from files

    opened = not gmsh.isInitialized()
    if opened:
        # gmsh must not handle Ctrl-C, which belongs to the program, nor read the user's settings.
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    previous = gmsh.model.getCurrent()
    wanted = {
        "General.Terminal": 0,
        "General.NumThreads": 1,
        "Mesh.Algorithm": FRONTAL_DELAUNAY,
        "Mesh.MeshSizeExtendFromBoundary": 1,
        "Mesh.MeshSizeFromPoints": 0,
        "Mesh.MeshSizeFromCurvature": 0,
        "Mesh.ElementOrder": 1,
        **(options or {}),
    }
    before = {key: gmsh.option.getNumber(key) for key in wanted}
    gmsh.model.add(name)
    try:
        for key, value in wanted.items():
            gmsh.option.setNumber(key, value)
        yield gmsh
    finally:
        gmsh.model.remove()
        if opened:
            gmsh.finalize()
        else:
            for key, value in before.items():
                gmsh.option.setNumber(key, value)
            gmsh.model.setCurrent(previous)
