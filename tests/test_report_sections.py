"""Virtual polishing: radius and lithium of a section, and that they are not the particle's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from helpers.report_cases import BOX_UM, Spheres, packed_spheres, spheres, write_spheres
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.optics.sections import ILLUSTRATIVE
from heterode.points.sections import Plane, Planes, parse_count, parse_plane, polish, section_discs
from heterode.reporting.synthetic import scene_of_results

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
    with pytest.raises(InputError, match=r"z = 60 um': outside the electrode \(from 0 to 48 um\)"):
        Planes((Plane(2, 60.0),)).within(WINDOW)
    for text in ("w=3um", "z", "z=3 s", "z=um"):
        with pytest.raises(InputError, match="section = '"):
            parse_plane(text)
    for text in ("0", "many", "5,w"):
        with pytest.raises(InputError, match="sections = '"):
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


class TestPicture:
    """Simulation -> picture of a section -> segmentation: like is compared with like."""

    PLANE = Plane(1, 4.5)

    @pytest.fixture(scope="class")
    def run(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
        """A run of particles poorer in lithium at their surfaces, and the particles' means."""
        packing = packed_spheres()
        owner = np.zeros(len(packing.grid.points_um), dtype=int)
        owner[packing.grid.cells] = packing.grid.cell_data["particle"][:, None]
        offset = packing.grid.points_um - packing.centres[owner]
        away = np.linalg.norm(offset, axis=1) / packing.radii[owner]
        base = np.random.default_rng(1).uniform(0.6, 0.95, len(packing.radii))
        field = base[owner] - 0.5 * away**4
        folder = write_spheres(tmp_path_factory.mktemp("cube") / "run", packing, field)
        means = np.bincount(owner, field) / np.bincount(owner)
        discs = section_discs(packing.grid, field, self.PLANE)
        return folder.path, means[discs.particle[discs.radius_um >= 0.3]]

    def test_discs_are_those_of_the_report(self, run: tuple[Path, np.ndarray]) -> None:
        folder, means = run
        scene = scene_of_results(folder, ILLUSTRATIVE, plane=self.PLANE)
        views, _, _ = polish(folder, 100.0, Planes((self.PLANE,)), WINDOW)
        seen = views[0].radius_um >= 0.3
        np.testing.assert_allclose(scene.mark, views[0].value[seen])
        np.testing.assert_allclose(scene.radius_um, views[0].radius_um[seen])
        # Columns of the picture run along the thickness.
        x, z = views[0].positions_um[seen].T
        np.testing.assert_allclose(np.stack([scene.x_um, scene.y_um]), [z, x])
        np.testing.assert_allclose(scene.colour, ILLUSTRATIVE.of(scene.mark))
        # The particles' means are something else.
        assert np.abs(scene.mark - means).max() > 0.05

    def test_the_loop_closes(
        self, run: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, means = run
        monkeypatch.chdir(tmp_path)
        words = ["micrograph", str(folder), "--section", "y=4.5um", "--pixel", "0.2um"]
        assert main([*words, "--out", "seen"]) == 0
        Path("cal.csv").write_text(f"lithium_fraction,green\n0,{0.74 / 0.42}\n1,1\n")
        words = ["optics", "seen/state.tif", "--pristine", "seen/pristine.tif"]
        assert main([*words, "--calibration", "cal.csv", "--out", "out"]) == 0
        truth, found = pd.read_csv("seen/truth.csv"), pd.read_csv("out/state.csv")
        place = ["x_um", "y_um"]
        away, near = cKDTree(truth[place]).query(found[place])
        assert away.max() < 0.3
        assert len(found) > 0.7 * len(truth)
        wrong = found["value"].to_numpy() - truth["value"].to_numpy()[near]
        assert np.sqrt(np.mean(wrong**2)) < 0.03
        by_means = found["value"].to_numpy() - means[near]
        assert np.sqrt(np.mean(by_means**2)) > 0.05

    @pytest.mark.parametrize(
        ("plane", "words"),
        [("y=90um", "outside the electrode"), ("10um", "not a plane"), ("y=12um", "no particle")],
    )
    def test_mistakes(
        self,
        run: tuple[Path, np.ndarray],
        plane: str,
        words: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        out = tmp_path / "seen"
        assert main(["micrograph", str(run[0]), "--section", plane, "--out", str(out)]) == 2
        assert words in capsys.readouterr().err
        assert not out.exists()


@pytest.mark.parametrize("text", ["1" * 10_000, "0", "1001", "-3", "2,t", ""])
def test_a_number_of_planes_has_bounds(text: str) -> None:
    with pytest.raises(InputError, match="a number of planes from 1 to 1000"):
        parse_count(text)
