"""Virtual polishing: radius and lithium of a section, and that they are not the particle's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_cases import BOX_UM, Spheres, packed_spheres, spheres, write_spheres

from simulator.errors import InputError
from simulator.heterogeneity.sections import (
    Plane,
    Planes,
    parse_count,
    parse_plane,
    polish,
    section_discs,
)

WINDOW = np.array([[0.0, BOX_UM]] * 3)


def linear(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    return 0.7 + 0.004 * x - 0.003 * y + 0.006 * z


@pytest.fixture(scope="module")
def fine() -> Spheres:
    centres = np.array([[10.0, 10.0, 10.0], [24.0, 12.0, 12.5], [12.0, 25.0, 7.0]])
    return spheres(centres, np.array([5.0, 4.0, 6.0]), surface_points=2500)


@pytest.mark.parametrize(("axis", "place"), [(2, 11.0), (2, 9.2), (0, 12.5), (1, 11.5)])
def test_radius_and_mean_of_a_section_are_those_of_the_plane(
    fine: Spheres, axis: int, place: float
) -> None:
    field = linear(fine.grid.points_um)
    discs = section_discs(fine.grid, field, Plane(axis, place))
    height = place - fine.centres[:, axis]
    cut = np.flatnonzero(np.abs(height) < fine.radii)
    assert discs.particle.tolist() == cut.tolist()
    radius = np.sqrt(fine.radii[cut] ** 2 - height[cut] ** 2)
    assert discs.radius_um == pytest.approx(radius, rel=3e-3)
    middle = fine.centres[cut].copy()
    middle[:, axis] = place
    assert discs.centre_um == pytest.approx(middle, abs=0.01)
    assert discs.centre_um[:, axis] == pytest.approx(place, abs=1e-12)
    # The mean of a linear field is its value at the centroid, exactly.
    assert discs.value == pytest.approx(linear(discs.centre_um), abs=1e-13)
    assert discs.value == pytest.approx(linear(middle), abs=1e-4)
    # The particle's own radius and mean are something else.
    off = np.abs(height[cut]) > 1.0
    assert off.any()
    assert np.all(fine.radii[cut][off] - radius[off] > 0.09)
    assert np.all(np.abs(linear(fine.centres[cut])[off] - discs.value[off]) > 2e-3)


def test_a_core_and_shell_field_shows_its_shell_near_the_surface(fine: Spheres) -> None:
    # Lithium leaves from the surface: a section far from the centre shows less of it.
    owner = np.zeros(len(fine.grid.points_um), dtype=int)
    owner[fine.grid.cells] = fine.grid.cell_data["particle"][:, None]
    away = np.linalg.norm(fine.grid.points_um - fine.centres[owner], axis=1) / fine.radii[owner]
    field = 1.0 - 0.5 * away**2
    near = section_discs(fine.grid, field, Plane(2, 10.0)).value[0]
    far = section_discs(fine.grid, field, Plane(2, 14.0)).value[0]
    assert near - far > 0.1


def test_planes_are_read_and_spread_evenly() -> None:
    assert parse_plane("z=10um") == Plane(2, 10.0)
    assert parse_plane(" X = 0.02 mm") == Plane(0, pytest.approx(20.0))
    assert parse_plane("y=7.5") == Plane(1, 7.5)
    assert parse_count("20") == (20, 1)
    assert parse_count("3,x") == (3, 0)
    places = [plane.position_um for plane in Planes(count=4).within(WINDOW)]
    assert places == pytest.approx([6.0, 18.0, 30.0, 42.0])
    with pytest.raises(InputError, match=r"z = 60 um: outside the electrode \(from 0 to 48 um\)"):
        Planes((Plane(2, 60.0),)).within(WINDOW)
    for text in ("w=3um", "z", "z=3 s", "z=um"):
        with pytest.raises(InputError, match="--section '"):
            parse_plane(text)
    for text in ("0", "many", "5,w"):
        with pytest.raises(InputError, match="--sections '"):
            parse_count(text)


def test_polishing_a_run_gives_fields_of_view(tmp_path: Path) -> None:
    packing = packed_spheres()
    field = linear(packing.grid.points_um)
    folder = write_spheres(tmp_path / "cube", packing, field)
    views, time_s, notes = polish(folder.path, 90.0, Planes(count=9), WINDOW)
    assert time_s == 100.0
    left_out = [note for note in notes if "left out" in note]
    assert len(views) + len(left_out) == 9
    assert len(views) >= 4
    for view in views:
        place = float(view.name.split()[2])
        assert view.dimension == 2
        assert view.window_um.tolist() == [[0.0, BOX_UM], [0.0, BOX_UM]]
        x, z = view.positions_um.T
        expected = linear(np.column_stack([x, np.full_like(x, place), z]))
        # The name gives the place to four digits.
        assert view.value == pytest.approx(expected, abs=3e-5)
        assert view.radius_um.max() <= packing.radii.max() + 1e-9
    # Planes between the layers cut few or none.
    assert all("fewer than 10" in text for text in left_out)
    # Two planes may cut one particle, which is said; a single one cannot.
    assert len(notes) == len(left_out) + 1
    assert "are cut from" in notes[-1]
    _, _, alone = polish(folder.path, 90.0, Planes((Plane(1, 6.0),)), WINDOW)
    assert alone == []
    with pytest.raises(InputError, match="no section cuts 10 particles"):
        polish(folder.path, 90.0, Planes((Plane(1, 0.2),)), WINDOW)
