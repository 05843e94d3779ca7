"""Packing: exact fraction, guaranteed gaps, seeds, random structure, impossible requests."""

from math import pi
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.geometry_cases import LOGNORMAL, MONODISPERSE, geometry
from heterode.base.errors import InputError
from heterode.geometry.packing import SHALLOWEST_CUT, Packing, pack
from heterode.geometry.relaxation import Box
from heterode.particles.drawn_sizes import size_law

CASES = [
    {"walls": walls, "active_fraction": fraction, "minimum_gap": gap, **extent}
    for walls in ("inside", "cut")
    for fraction, gap in ((0.3, 1e-6), (0.65, 0.05e-6))
    for extent in ({"particles": 60}, {"particles": None, "width": 70e-6})
]


def gaps_by_brute_force(packing: Packing):
    """All gaps between particles, by every pair."""
    apart = np.linalg.norm(packing.centres_um[:, None] - packing.centres_um[None], axis=2)
    gaps = apart - packing.radii_um[:, None] - packing.radii_um[None]
    return gaps[np.triu_indices(len(gaps), 1)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fraction_is_exact_and_every_gap_is_kept(case):
    packing = pack(geometry(**case), 5)
    gap = 1e6 * case["minimum_gap"]
    x, y = packing.centres_um.T
    assert packing.active_fraction() == pytest.approx(case["active_fraction"], rel=1e-12)
    assert gaps_by_brute_force(packing).min() >= gap
    assert (x - packing.radii_um).min() >= gap
    assert (46.0 - x - packing.radii_um).min() >= gap
    assert packing.smallest_gap_um() >= gap
    if case["walls"] == "inside":
        assert (y - packing.radii_um).min() >= gap
        assert (packing.width_um[0] - y - packing.radii_um).min() >= gap


@pytest.mark.parametrize("walls", ["inside", "cut"])
def test_the_same_seed_gives_the_same_packing_and_another_seed_another(walls):
    first, again, other = (pack(geometry(walls=walls), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.centres_um, again.centres_um)
    assert np.array_equal(first.radii_um, again.radii_um)
    assert not np.array_equal(first.radii_um[:20], other.radii_um[:20])


def test_pieces_of_a_cut_particle_add_up_and_none_is_a_sliver():
    packing = pack(geometry(walls="cut", particles=300, active_fraction=0.6), 3)
    pieces = packing.volumes_um3()
    width = packing.width_um[0]
    y, radius = packing.centres_um[:, 1], packing.radii_um
    distance = np.minimum(np.abs(y), np.abs(width - y))
    cut = distance < radius
    assert len(radius) == packing.whole + cut.sum() // 2
    assert cut.sum() >= 4
    # The shallower piece is r - distance high; the deeper r + distance.
    assert np.all((radius - distance)[cut] >= SHALLOWEST_CUT * radius[cut] - 1e-9)
    assert (distance - radius)[~cut].min() >= 0.1
    assert (pieces / (pi * radius**2)).min() > 0.09
    whole = pi * radius[: packing.whole] ** 2
    assert pieces.sum() == pytest.approx(whole.sum(), rel=1e-12)


def test_discs_are_neither_crystalline_nor_layered_beyond_the_wall_effect():
    packing = pack(
        geometry(particles=1000, active_fraction=0.6, particle_size=MONODISPERSE, walls="cut"), 4
    )
    centres = packing.centres_um[: packing.whole]
    box = Box(packing.box_um, np.array([False, True]))
    assert hexatic_order(box, centres) < 0.35
    # Negative control: the triangular lattice has the order that this number detects.
    rows, columns = np.meshgrid(np.arange(12), np.arange(24))
    lattice = np.stack([columns * np.sqrt(0.75), rows + 0.5 * (columns % 2)], axis=-1)
    extent = np.array([24 * np.sqrt(0.75), 12.0])
    assert hexatic_order(Box(extent, np.array([True, True])), lattice.reshape(-1, 2)) > 0.99
    # Density of centres along the thickness, away from the planes: no layers.
    middle = centres[(centres[:, 0] > 12.0) & (centres[:, 0] < 34.0), 0]
    counts = np.histogram(middle, bins=11, range=(12.0, 34.0))[0]
    assert counts.std() / counts.mean() < 0.35


def hexatic_order(box, centres):
    """Modulus of the mean of exp(6 i angle) over bonds of six nearest neighbours, all centres."""
    i, j = box.pairs(centres, 3.0 * np.sqrt(np.prod(box.size) / len(centres))).T
    apart = box.separation(centres[j] - centres[i])
    length = np.hypot(*apart.T)
    phase = np.exp(6j * np.arctan2(apart[:, 1], apart[:, 0]))
    order = np.zeros(len(centres), dtype=complex)
    for k in range(len(centres)):
        mine = np.flatnonzero((i == k) | (j == k))
        nearest = mine[np.argsort(length[mine])[:6]]
        order[k] = phase[nearest].mean()
    return float(np.abs(order.mean()))


def spread_of_density(seeds):
    """Standard deviation over seeds of the share of volume next to the collector."""
    shares = []
    for seed in seeds:
        packing = pack(geometry(particles=60, active_fraction=0.6), seed)
        near = packing.centres_um[:, 0] < 23.0
        shares.append(packing.volumes_um3()[near].sum() / packing.volumes_um3().sum())
    return np.std(shares)


def test_particles_fill_the_slab_evenly(monkeypatch):
    assert spread_of_density(range(16)) < 0.04
    # Negative control: separating overlaps of random points leaves their crowds and holes.
    monkeypatch.setattr("heterode.geometry.packing.EVENING_STEPS", 0)
    assert spread_of_density(range(16)) > 0.04


def test_gaps_are_spread_and_not_all_at_the_minimum():
    packing = pack(geometry(particles=500, active_fraction=0.5), 1)
    gaps = gaps_by_brute_force(packing)
    near = gaps[gaps < 1.0]
    assert np.mean(near < 0.11) < 0.1


@pytest.mark.parametrize(
    ("case", "named"),
    [
        ({"active_fraction": 0.65, "minimum_gap": 2e-6}, "minimum_gap = 2 um.*reached: 0.[3-5]\\d"),
        ({"particles": None, "width": 5.1e-6, "particle_size": MONODISPERSE}, "too few|is less"),
        ({"particles": 1}, "Raise geometry.particles"),
        ({"coating_thickness": 6e-6}, "coating_thickness = 6 um is less"),
        ({"particles": None, "width": 1e-6}, "too few to meet|less than the largest"),
    ],
)
def test_an_impossible_packing_says_what_was_reached_and_what_to_do(case, named):
    with pytest.raises(InputError, match=named) as caught:
        pack(geometry(**case), 1)
    assert "\n" not in str(caught.value)
    assert any(word in str(caught.value) for word in ("Raise", "Lower"))


def test_lognormal_sizes_are_truncated_not_clipped():
    diameters = size_law(LOGNORMAL).sampler(np.random.default_rng(1))(20000)
    assert diameters.min() > 1.0
    assert diameters.max() < 10.0
    assert np.median(diameters) == pytest.approx(5.0, rel=0.03)
    assert np.sum(diameters > 9.99) < 30


def test_sizes_stay_within_their_bounds_when_the_fraction_is_met_exactly():
    packing = pack(geometry(particles=None, width=120e-6), 7)
    assert 2.0 * packing.radii_um.min() >= 1.0
    assert 2.0 * packing.radii_um.max() <= 10.0
    assert packing.active_fraction() == pytest.approx(0.5, rel=1e-12)


def test_a_measured_table_is_weighted_by_number_or_volume(tmp_path):
    path = tmp_path / "sizes.csv"
    path.write_text("diameter_um,weight\n2,1\n4,8\n")
    size = SimpleNamespace(distribution="table", file=path, weighting="number")
    diameters, by_number = size_law(size).nodes
    assert list(diameters) == [2.0, 4.0]
    assert by_number == pytest.approx([1 / 9, 8 / 9])
    size.weighting = "volume"
    assert size_law(size).nodes[1] == pytest.approx([0.5, 0.5])
    packing = pack(geometry(particle_size=size, particles=100), 1)
    assert set(np.round(2.0 * packing.radii_um, 9)) == {2.0, 4.0}


@pytest.mark.parametrize(
    "text",
    [None, "", "diameter_um\n3\n", "diameter_um,weight\n3,x\n", "diameter_um,weight\n-3,1\n"],
)
def test_a_bad_size_table_is_one_clear_line(tmp_path, text):
    path = tmp_path / "sizes.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"geometry\.particle_size\.file") as caught:
        size_law(SimpleNamespace(distribution="table", file=path, weighting="number"))
    assert "\n" not in str(caught.value)


def test_spheres_pack_by_the_same_code():
    packing = pack(geometry(dimension=3, particles=150, active_fraction=0.4), 1)
    gaps = gaps_by_brute_force(packing)
    assert gaps.min() >= 0.1
    assert packing.active_fraction() == pytest.approx(0.4, rel=1e-12)
    assert packing.centres_um.shape == (150, 3)
