"""Spheres: 0.60 with side walls that cut, exact volumes of pieces, no grazing cuts, gaps, seeds."""

from math import pi

import numpy as np
import pytest

from helpers.geometry_cases import MONODISPERSE, geometry
from heterode.base.errors import InputError
from heterode.geometry.packing import SHALLOWEST_CUT, pack, wedge_volume
from heterode.geometry.relaxation import Box, SoftBalls, swap_radii

GAP = 0.1


@pytest.fixture(scope="module")
def cut():
    """120 spheres at 0.58 in 30 um, periodic and cut: many cuts, some over edges of the box."""
    return pack(
        geometry(
            dimension=3, particles=120, active_fraction=0.58, walls="cut", coating_thickness=30e-6
        ),
        1,
    )


def all_gaps(packing):
    apart = np.linalg.norm(packing.centres_um[:, None] - packing.centres_um[None], axis=2)
    gaps = apart - packing.radii_um[:, None] - packing.radii_um[None]
    return gaps[np.triu_indices(len(gaps), 1)]


def wall_distances(packing):
    """(N, 2) from the nearer wall of each pair, in radii; below 1 the wall cuts."""
    across, width = packing.centres_um[:, :2], np.array(packing.width_um)
    return np.minimum(np.abs(across), np.abs(width - across)) / packing.radii_um[:, None]


def test_fraction_and_gaps_with_walls_that_cut(cut):
    assert cut.active_fraction() == pytest.approx(0.58, rel=1e-9)
    assert all_gaps(cut).min() >= GAP
    z, radius = cut.centres_um[:, 2], cut.radii_um
    assert (z - radius).min() >= GAP
    assert (30.0 - z - radius).min() >= GAP
    whole = wall_distances(cut) > 1.0
    gap_to_walls = (wall_distances(cut) - 1.0) * radius[:, None]
    assert gap_to_walls[whole].min() >= GAP
    assert cut.smallest_gap_um() >= GAP


def test_no_wall_grazes_a_sphere_and_no_piece_is_a_splinter(cut):
    distance = wall_distances(cut)
    cuts = distance < 1.0
    assert cuts.any(axis=1).sum() > 40
    assert distance[cuts].max() <= 1.0 - SHALLOWEST_CUT + 1e-9
    over_edges = cuts.all(axis=1)
    assert over_edges.sum() >= 4
    assert np.hypot(*distance[over_edges].T).max() <= 1.0 - SHALLOWEST_CUT + 1e-9
    share = cut.volumes_um3() / (4.0 / 3.0 * pi * cut.radii_um**3)
    assert share[~over_edges].min() > 0.06
    assert share.min() > 0.0158


def test_volumes_of_pieces_agree_with_counting_random_points(cut):
    random = np.random.default_rng(0)
    points = random.random((200_000, 3)) * cut.box_um
    cuts = (wall_distances(cut) < 1.0).all(axis=1)
    for index in np.flatnonzero(cuts)[:4]:
        inside = np.linalg.norm(points - cut.centres_um[index], axis=1) < cut.radii_um[index]
        volume = inside.mean() * np.prod(cut.box_um)
        error = volume / np.sqrt(max(inside.sum(), 1))
        assert cut.volumes_um3()[index] == pytest.approx(volume, abs=4.0 * error)


def test_volume_beyond_two_planes_has_its_closed_limits():
    sphere = 4.0 / 3.0 * pi
    assert wedge_volume(-2.0, -2.0) == pytest.approx(sphere, rel=1e-13)
    assert wedge_volume(0.0, 0.0) == pytest.approx(sphere / 4.0, rel=1e-13)
    cap = pi * 0.7**2 * 2.3 / 3.0
    assert wedge_volume(0.3, -2.0) == pytest.approx(cap, rel=1e-13)
    assert wedge_volume(-2.0, 0.3) == pytest.approx(cap, rel=1e-13)
    assert wedge_volume(0.3, 0.4) + wedge_volume(0.3, -0.4) == pytest.approx(cap, rel=1e-13)
    assert wedge_volume(0.8, 0.8) == 0.0


def test_the_same_seed_gives_the_same_spheres_and_another_seed_others():
    chosen = geometry(dimension=3, particles=60, walls="cut", coating_thickness=25e-6)
    first, again, other = (pack(chosen, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.centres_um, again.centres_um)
    assert np.array_equal(first.radii_um, again.radii_um)
    assert not np.array_equal(first.radii_um[:20], other.radii_um[:20])


def test_spheres_fill_the_slab_evenly():
    shares = []
    for seed in range(8):
        packing = pack(geometry(dimension=3, particles=200, walls="cut"), seed)
        near = packing.centres_um[:, 2] < 23.0
        shares.append(packing.volumes_um3()[near].sum() / packing.volumes_um3().sum())
    assert np.std(shares) < 0.03
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)


def test_exchanges_keep_the_set_of_radii_and_lower_the_energy():
    random = np.random.default_rng(3)
    box = Box(np.full(3, 20.0), np.ones(3, dtype=bool))
    radii = random.uniform(1.0, 3.0, 120)
    centres = random.random((120, 3)) * 20.0
    balls = SoftBalls(box, radii, GAP)
    swapped = swap_radii(balls, centres, 0)
    assert not np.array_equal(swapped, radii)
    assert np.array_equal(np.sort(swapped), np.sort(radii))
    after = SoftBalls(box, swapped, GAP).pressures(centres).sum()
    assert after < balls.pressures(centres).sum()


def test_an_impossible_fraction_says_what_was_reached():
    # 30 spheres of 5 um take 1963 um^3; the width is that of the slab, not its thickness.
    with pytest.raises(InputError, match=r"geometry\.width = 12\.29 um \(reached: 0\.[3-5]\d"):
        pack(
            geometry(
                dimension=3,
                particles=30,
                active_fraction=0.65,
                coating_thickness=20e-6,
                particle_size=MONODISPERSE,
            ),
            1,
        )


@pytest.mark.slow
def test_a_thousand_spheres_at_sixty_per_cent_cut_by_the_walls():
    chosen = geometry(
        dimension=3, particles=1000, active_fraction=0.6, walls="cut", coating_thickness=60e-6
    )
    for seed in (1, 2, 3):
        packing = pack(chosen, seed)
        assert packing.whole == 1000
        assert packing.active_fraction() == pytest.approx(0.6, rel=1e-9)
        assert packing.smallest_gap_um() >= GAP
