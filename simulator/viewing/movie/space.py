"""A cell in 3D, cut open and seen by a camera that orbits it: pyvista, without a display.

The surface left by the cut is found once, with the tetrahedron and the barycentric coordinates of
each of its points. A frame then costs four products for each point, and the rendering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonCore import vtkLogger

from heterode.base.errors import ArgumentError
from heterode.results.sample import FieldGrid, Floats, Integers
from heterode.viewing import style
from heterode.viewing.movie.stage import Stage
from heterode.viewing.movie.video import Picture
from heterode.viewing.movie.view import Cut, View

_SEEN_FROM_DEG = -45.0  # the middle of the camera's path, opposite the corner that is cut away
_ELEVATION_DEG = 24.0
_ROOM = 1.06  # room for the collector plate, and a margin
_CREASE_DEG = 35.0  # sharper edges, namely those of the cut, stay edges


@dataclass(frozen=True)
class Surface:
    """The surface of particles that were cut open.

    Attributes:
        mesh: the pyvista mesh, with Q points.
        corner: (Q, 4) points of the original grid round each point.
        weight: (Q, 4) their weights.
    """

    mesh: Any
    corner: Integers
    weight: Floats

    def values(self, field: Floats) -> Floats:
        """Return values on the surface, (Q,), from values at the grid's points, (P,)."""
        return np.asarray(np.einsum("qk,qk->q", field[self.corner], self.weight))


def cut_surface(grid: FieldGrid, cut: Cut) -> Surface:
    """Cut a grid open, and find its surface.

    Args:
        grid: a 3D grid.
        cut: what is removed.

    Raises:
        ArgumentError: the cut leaves nothing.
    """
    kinds = np.full(len(grid.cells), pv.CellType.TETRA, dtype=np.uint8)
    cells = np.column_stack([np.full(len(grid.cells), 4), grid.cells]).ravel()
    solid = pv.UnstructuredGrid(cells, kinds, np.asarray(grid.points_um, dtype=np.float64))
    left = [part for part in _cut_open(solid, cut) if part.n_cells]
    if not left:
        raise ArgumentError(
            "{cut} leaves nothing of the particles. Move the plane into the cell", cut=...
        )
    faces = [part.extract_surface(algorithm="dataset_surface").triangulate() for part in left]
    mesh = faces[0] if len(faces) == 1 else faces[0].append_polydata(*faces[1:])
    mesh.clear_data()
    # Points at the edges of the cut are doubled, so that the edges are shaded as edges.
    mesh = mesh.compute_normals(
        cell_normals=False, split_vertices=True, feature_angle=_CREASE_DEG, consistent_normals=False
    )
    corner, weight = _inside(solid, grid, np.asarray(mesh.points, dtype=np.float64))
    return Surface(mesh, corner, weight)


def _cut_open(solid: Any, cut: Cut) -> list[Any]:
    """Return the rest after the cut, in one or two pieces."""
    bounds = np.asarray(solid.bounds).reshape(3, 2)
    middle = bounds.mean(axis=1)
    if cut.kind == "none":
        return [solid]
    if cut.kind == "plane":
        place = middle.copy()
        if cut.place_um is not None:
            place[cut.axis] = cut.place_um
        # The camera stands at large x, small y and large z, so that side is removed.
        normal = np.zeros(3)
        normal[cut.axis] = 1.0
        return [solid.clip(normal, origin=place, invert=cut.axis != 1)]
    back = solid.clip("x", origin=middle, invert=True)
    front = solid.clip("x", origin=middle, invert=False)
    return [back, front.clip("y", origin=middle, invert=False)]


def _inside(solid: Any, grid: FieldGrid, points: Floats) -> tuple[Integers, Floats]:
    """Return the tetrahedron (Q, 4) round each point, and the point's barycentric coordinates."""
    found = np.atleast_1d(solid.find_closest_cell(points))
    corner = grid.cells[found]
    a, b, c, d = (grid.points_um[corner[:, k]] for k in range(4))
    edges = np.stack([b - a, c - a, d - a], axis=2)
    others = np.linalg.solve(edges, (points - a)[..., None])[..., 0]
    weight = np.column_stack([1.0 - others.sum(axis=1), others])
    # A point on the surface may lie outside by a rounding error.
    weight = np.clip(weight, 0.0, 1.0)
    return corner, np.asarray(weight / weight.sum(axis=1, keepdims=True))


class SpaceScene:
    """Renders the particles into the map's axes.

    Args:
        stage: the stage of the movie, whose map axes are left empty.
        grid: the particles' 3D grid.
        coating_um: thickness of the coating, um.
        view: how the movie looks.
    """

    def __init__(self, stage: Stage, grid: FieldGrid, coating_um: float, view: View) -> None:
        self._view = view
        self._surface = cut_surface(grid, view.cut)
        low, high = grid.points_um.min(axis=0), grid.points_um.max(axis=0)
        low[2], high[2] = 0.0, max(coating_um, high[2])
        self._low, self._high = low, high
        self._describe(stage)
        self._place = stage.prepare()
        self._plotter = self._scene(stage.limits)
        self._distance = self._far_enough()

    def _describe(self, stage: Stage) -> None:
        lengths = " x ".join(f"{length:.3g}" for length in self._high - self._low)
        with style.style():
            stage.map.set_axis_off()
            stage.figure.text(
                0.06,
                0.035,
                f"{lengths} µm; collector below, separator above",
                fontsize=9,
                color=style.NEUTRAL,
            )

    def _scene(self, limits: tuple[float, float]) -> Any:
        # VTK warns that there is no display and continues without one, which is what is wanted.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
        plotter: Any = pv.Plotter(off_screen=True, window_size=list(self._place.size))
        plotter.set_background("white")
        mesh = self._surface.mesh
        mesh["shown"] = np.full(mesh.n_points, limits[0])
        actor = plotter.add_mesh(
            mesh,
            scalars="shown",
            cmap=self._view.colours,
            clim=limits,
            show_scalar_bar=False,
            ambient=0.42,
            diffuse=0.66,
            specular=0.12,
            specular_power=12,
        )
        actor.prop.interpolation = "Phong"
        # The plotter draws a copy.
        self._drawn = actor.mapper.dataset
        plate = 0.02 * float((self._high - self._low).max())
        collector = pv.Box(
            (self._low[0], self._high[0], self._low[1], self._high[1], -plate, -0.1 * plate)
        )
        plotter.add_mesh(collector, color=style.COLLECTOR, ambient=0.35)
        box = pv.Box(np.column_stack([self._low, self._high]).ravel())
        plotter.add_mesh(box.extract_feature_edges(30), color=style.NEUTRAL, line_width=1.5)
        plotter.enable_anti_aliasing("ssaa")
        # Before this call nothing is rendered again.
        plotter.show(auto_close=False, interactive=False)
        return plotter

    def _way(self, share: float) -> Floats:
        """Return the unit vector (3,) from the box to the camera, at a share of the path."""
        turn = np.radians(_SEEN_FROM_DEG + self._view.orbit_deg * (share - 0.5))
        rise = np.radians(_ELEVATION_DEG)
        return np.array([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)])

    def _far_enough(self) -> float:
        """Return the smallest distance, um, at which the box fits the picture on the whole path."""
        up = np.tan(np.radians(self._plotter.camera.view_angle / 2))
        width, height = self._place.size
        least = 0.0
        half = (self._high - self._low) / 2
        corners = half * np.array(list(np.ndindex(2, 2, 2))) * 2 - half
        for share in np.linspace(0.0, 1.0, 31):
            way = self._way(share)
            right = np.cross([0.0, 0.0, 1.0], way)
            right /= np.linalg.norm(right)
            # A corner c is within the picture from a distance d if |c . right| <= tan(angle) (d - c
            # . way), and the same upwards.
            across = np.abs(corners @ right) / (up * width / height)
            upright = np.abs(corners @ np.cross(way, right)) / up
            least = max(least, float((np.maximum(across, upright) + corners @ way).max()))
        return _ROOM * least

    def _aim(self, share: float) -> None:
        """Move the camera to its place on the path."""
        centre = (self._low + self._high) / 2
        camera = self._plotter.camera
        camera.focal_point = centre
        camera.position = centre + self._way(share) * self._distance
        camera.up = (0.0, 0.0, 1.0)
        self._plotter.renderer.ResetCameraClippingRange()

    def paint(self, page: Picture, shown: Floats, share: float) -> None:
        """Paint the particles into a page.

        Args:
            page: (height, width, 3), which is changed.
            shown: (P,) values that are coloured, at the points of the grid.
            share: elapsed share of the movie, 0 to 1, which places the camera.
        """
        self._drawn["shown"][:] = self._surface.values(shown)
        self._drawn.GetPointData().GetArray("shown").Modified()
        self._aim(share)
        self._plotter.render()
        picture = self._plotter.screenshot(None, return_img=True)
        place = self._place
        page[place.top : place.bottom, place.left : place.right] = picture[..., :3]

    def close(self) -> None:
        """Release the window."""
        self._plotter.close()
