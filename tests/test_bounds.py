"""Lithium fractions that are handed out lie between the start and the values of their surface."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

import heterode
from helpers.broken_runs import resumed_at, steps_of
from helpers.cells import cell, parameters
from helpers.commands import command, environment, settings
from helpers.mapped_grid import Blocks, mapped_grid
from helpers.paths import FIVE_DISCS, PRESET
from helpers.range_of_fields import Ranges, largest_excess, nodes_of
from helpers.same_run import TOLERANCE, difference
from helpers.surroundings import PATIENCE
from heterode.parameters import load_parameters
from heterode.results import read_manifest
from heterode.solver.bounds import Bounds
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.state import State

Floats = npt.NDArray[np.float64]

# Fronts that the elements do not resolve: of a charge, of its reversal, and again with other
# penalties.
STEEP = settings(
    geometry__mesh_file=str(FIVE_DISCS),
    active_material__diffusivity="5e-16 m^2/s",
    penalty__conditioning='{ rule = "relax", fraction = 0.5 }',
    protocol__steps='["charge at 3C for 20 s", "discharge at 3C for 10 s"]',
    protocol__repeat="2",
    output__report="false",
    solver__layers="none",
)
WORDS = ["run", str(PRESET), *STEEP, "--quiet"]
ROUNDING = 1e-12
REAL = 0.01
"""Excess that only an overshoot of the elements explains."""


def largest_clip(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_manifest(folder / "manifest.json")["accuracy"]["largest_clip"]
    return found


@pytest.fixture(scope="module")
def steep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Floats]]:
    """A run stepped through, and the lithium fractions of its state at the nodes, unclipped."""
    folder, unclipped = tmp_path_factory.mktemp("steep") / "out", []
    p = load_parameters(PRESET, STEEP[1::2])
    with heterode.prepare(p, [heterode.Recorder(folder)]) as prepared:
        for _ in prepared:
            cell = prepared.cell
            cell.model.layout.spread(cell.stepper.state.vector)
            unclipped.append(cell.viewer.values(0.0)["particles"]["lithium_fraction"])
    return folder, unclipped


def test_written_fields_keep_the_maximum_principle(steep: tuple[Path, list[Floats]]) -> None:
    folder, unclipped = steep
    assert largest_excess(folder) <= ROUNDING
    # Negative control: the state itself leaves the range, by what the manifest says.
    ranges = Ranges(nodes_of(folder), unclipped[0])
    excess = max(float(ranges.excess(values).max()) for values in unclipped)
    assert excess > REAL
    assert largest_clip(folder)["lithium_fraction"] == pytest.approx(excess, abs=ROUNDING)


def test_what_the_surface_had_earlier_stays_in_the_range() -> None:
    """The range is that of all surface values so far.

    After a reversal what left at the surface is missing below it, while the surface is rich again.
    """
    model = cell("single_disc_2d")
    start, part = model.start(), model.layout.slices["s"]
    surface = model.system.reaction.trace.dofs["s"]

    def state(inside: float, at_surface: float) -> State:
        vector = start.vector.copy()
        vector[part] = inside
        vector[part][surface] = at_surface
        return replace(start, vector=vector)

    poor, rich = state(0.5, 0.4), state(0.45, 0.9)
    seen, new = Bounds(model, start), Bounds(model, start)
    seen.update(poor)
    for bounds in (seen, new):
        bounds.update(rich)
    assert np.array_equal(seen.clipped(rich.vector[part]), rich.vector[part])
    assert seen.clip.lithium_fraction == 0.0
    # Negative control: without the earlier surface, what is real would be cut off.
    assert new.clipped(rich.vector[part]).min() == 0.9
    assert new.clip.lithium_fraction == pytest.approx(0.45)


def test_the_clip_is_a_small_share_of_the_flux_scale(steep: tuple[Path, list[Floats]]) -> None:
    """About 0.017 q R / D on the preset's elements; q of a reversal is twice that of a charge."""
    folder, _ = steep
    assert 0.005 < largest_clip(folder)["of_flux_scale"] < 0.03


def test_resumed_runs_have_the_same_range(steep: tuple[Path, list[Floats]], tmp_path: Path) -> None:
    """Broken off after the reversal, so that the range is not that of the present state."""
    folder, _ = steep
    steps = steps_of(folder)
    out = resumed_at(3 * steps // 8, tmp_path / "out", WORDS)
    assert difference(folder, out) < TOLERANCE
    assert largest_clip(out) == pytest.approx(largest_clip(folder), rel=1e-9)


def test_a_range_that_is_forgotten_shows(steep: tuple[Path, list[Floats]], tmp_path: Path) -> None:
    """The negative control: a resumed run that begins its ranges again hands out other fields."""
    folder, _ = steep

    def forgetful(patch: pytest.MonkeyPatch) -> None:
        recall = Bounds.recall
        patch.setattr(Bounds, "recall", lambda self, memory, state: recall(self, None, state))

    out = resumed_at(3 * steps_of(folder) // 8, tmp_path / "out", WORDS, forgetful)
    assert largest_clip(out) != pytest.approx(largest_clip(folder), rel=1e-3)


@pytest.mark.mpi
def test_the_same_on_ranks(tmp_path: Path) -> None:
    short = settings(protocol__steps='["charge at 3C for 1 s"]', protocol__repeat="1")
    for ranks in (0, 2, 3):
        done = subprocess.run(
            command(ranks, [*WORDS, *short, "--out", tmp_path / str(ranks)]),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        assert largest_excess(tmp_path / str(ranks)) <= ROUNDING
    alone = largest_clip(tmp_path / "0")
    assert alone["lithium_fraction"] > 0.001
    for ranks in ("2", "3"):
        assert largest_clip(tmp_path / ranks) == pytest.approx(alone, rel=1e-5)


def test_particles_that_have_grown_together_are_one_body() -> None:
    """Lithium passes between particles that share nodes, so each may hold the other's values."""
    touching = Blocks((6.0, 3.0), 5.0, (((1.0, 1.0), (2.0, 2.0)), ((2.0, 1.0), (3.0, 2.0))))
    apart = Blocks((6.0, 3.0), 5.0, (((1.0, 1.0), (2.0, 2.0)), ((3.0, 1.0), (4.0, 2.0))))
    for blocks, bodies in ((touching, 1), (apart, 2)):
        mesh = distribute(MPI.COMM_SELF, mapped_grid(blocks, per_um=2, order=1).data)
        model = CellModel(mesh, parameters(), np.ones(2))
        start = model.start()
        part = model.layout.slices["s"]
        x = model.lithium.space.tabulate_dof_coordinates()[: part.stop - part.start, 0]
        start.vector[part] = 0.5 + 1e4 * x
        bounds = Bounds(model, start)
        assert len(set(bounds.least.tolist())) == bodies
        assert np.array_equal(bounds.clipped(start.vector[part]), start.vector[part])
        beyond = bounds.clipped(start.vector[part] + 1e-3)
        assert beyond.max() == start.vector[part].max()
        assert np.any(beyond > start.vector[part])


def test_the_warning_says_where_unphysical_fractions_are_seen(
    steep: tuple[Path, list[Floats]],
) -> None:
    """It looks at the state, and says that the fields are written without the overshoot."""
    folder, unclipped = steep
    (warning,) = (
        w
        for w in read_manifest(folder / "manifest.json")["warnings"]
        if w["code"] == "lithium_fraction_unphysical"
    )
    assert warning["value"] == pytest.approx(max(u.max() for u in unclipped))
    assert warning["value"] > 1.0
    assert "the written fields are clipped to start and surface values" in warning["message"]
