"""Layers and lumped masses keep lithium fractions within the range of start and surface values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import heterode
from helpers.paths import FIVE_DISCS, MESHES, PARAMS
from heterode.accuracy.electrode import SurfaceLaw
from heterode.accuracy.overshoot import IRREGULAR, OVERSHOOT, Overshoots
from heterode.accuracy.radial import RadialModes, matrices
from heterode.forecast.planned import planned, planned_particles
from heterode.geometry.msh import read_msh
from heterode.parameters import load_parameters
from heterode.parameters.layering import Layers

# Layers that keep the voltage at C/10, as plans had them before overshoots counted.
FEW = Layers(3, 44.19e-9, 2.5)

SPHERES = MESHES / "spheres_3d.msh"


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_overshoot_is_that_of_small_time_steps(dimension: int) -> None:
    """A unit flux by Crank-Nicolson steps on the same elements; the surface itself only rises."""
    nodes = np.concatenate([np.linspace(0.0, 0.7, 4), 1.0 - np.array([0.15, 0.05, 0.0])])
    mass, stiffness = matrices(nodes, dimension, 1)
    step, u, least = 1e-5, np.zeros(len(nodes)), 0.0
    load = np.zeros(len(nodes))
    load[-1] = 1.0
    implicit = np.linalg.inv(mass + 0.5 * step * stiffness)
    explicit = mass - 0.5 * step * stiffness
    for _ in range(4000):
        u = implicit @ (explicit @ u + step * load)
        least = min(least, float(u.min()))
    times = np.arange(1, 4001) * step
    assert RadialModes(nodes, dimension).overshoot(times) == pytest.approx(-least, rel=0.01)
    assert -least > 0.5 * OVERSHOOT


def overshoots(*changes: str, preset: str = "nmc532") -> tuple[Layers | None, Overshoots]:
    p = load_parameters(PARAMS / f"{preset}.toml", changes)
    return planned(p).layers, Overshoots(SurfaceLaw(p, planned_particles(p)), 1e4)


@pytest.mark.parametrize("preset", ["quickstart", "nmc532", "nmc622", "nmc811", "first_cycle"])
def test_plans_of_presets_keep_particles_of_all_sizes(preset: str) -> None:
    layers, found = overshoots(preset=preset)
    radii, sizes = found.law.particles.sizes
    each = [found.of(*one, layers) for one in zip(radii, sizes, strict=True)]
    assert max(each) <= OVERSHOOT / IRREGULAR
    few = [found.of(*one, FEW) for one in zip(radii, sizes, strict=True)]
    assert max(few) > 2.0 * OVERSHOOT / IRREGULAR, "the control"


def test_a_coarse_accuracy_allows_more() -> None:
    fine, _ = overshoots('protocol.steps=["charge at 1C for 5 min"]')
    coarse, _ = overshoots('protocol.steps=["charge at 1C for 5 min"]', "solver.accuracy=5 mV")
    assert fine is not None
    assert coarse is not None
    assert coarse.count < fine.count
    # What the fine ones allow takes more lumping.
    assert coarse.lumping < fine.lumping


def test_a_front_that_does_not_reach_the_core_asks_for_nothing_there() -> None:
    _, found = overshoots()
    short = Overshoots(found.law, 1.0)
    radius, size = (values[-1] for values in found.law.particles.sizes)
    assert found.of(radius, size, FEW) > OVERSHOOT / IRREGULAR > short.of(radius, size, FEW)


@pytest.mark.parametrize("dimension", [2, 3])
def test_lumping_ends_overshoots_and_keeps_lithium(dimension: int) -> None:
    nodes = np.concatenate([np.linspace(0.0, 0.7, 4), 1.0 - np.array([0.15, 0.05, 0.0])])
    share = np.ones(6)
    times = np.geomspace(1e-4, 1.0, 50)
    consistent = RadialModes(nodes, dimension).overshoot(times)
    assert RadialModes(nodes, dimension, 1, share).overshoot(times) < 0.2 * consistent
    # A unit flux fills the particle alike, whatever is lumped.
    mass, lumped = (matrices(nodes, dimension, 1, s)[0] for s in (None, share))
    assert lumped.sum(axis=1) == pytest.approx(mass.sum(axis=1), rel=1e-14)
    assert np.abs(lumped - mass).max() > 0.01 * mass.max()


def test_plans_of_spheres_are_bounded_too_and_cost_no_more() -> None:
    """At low rates, where layers that do for the voltage overshoot by ten times as much."""
    layers, found = overshoots(preset="cube_50")
    assert layers is not None
    radii, sizes = found.law.particles.sizes
    each = [found.of(*one, layers) for one in zip(radii, sizes, strict=True)]
    assert max(each) <= OVERSHOOT / IRREGULAR
    assert layers.count <= 6
    bare = replace(layers, lumping=0.0)
    assert max(found.of(*one, bare) for one in zip(radii, sizes, strict=True)) > (
        4.0 * OVERSHOOT / IRREGULAR
    )


def largest_clip(
    *changes: str,
    preset: str = "nmc532",
    mesh: Path = FIVE_DISCS,
    steps: str = '"charge at C/10 for 90 s", "rest for 20 s", "discharge at 1C for 4 s"',
) -> float:
    """Return the largest clip of a run on few particles, in qR/D."""
    p = load_parameters(
        PARAMS / f"{preset}.toml",
        [f"geometry.mesh_file={mesh}", f"protocol.steps=[{steps}]", *changes],
    )
    with heterode.prepare(p, []) as cell:
        for _ in cell:
            pass
        return float(cell.cell.bounds.clip.of_flux_scale)


def test_what_is_clipped_is_small_after_every_jump() -> None:
    assert 0.0 < largest_clip() <= OVERSHOOT
    former = f"{FEW.count} from {1e9 * FEW.first:.6g} nm, ratio {FEW.ratio:g}"
    assert largest_clip(f"solver.layers={former}") > 2.0 * OVERSHOOT


def test_what_is_clipped_is_small_in_spheres() -> None:
    steps = '"charge at C/2 for 100 s"'
    found = largest_clip(preset="cube_50", mesh=SPHERES, steps=steps)
    assert 0.0 < found <= OVERSHOOT
    layers = planned(
        load_parameters(
            PARAMS / "cube_50.toml", [f"geometry.mesh_file={SPHERES}", f"protocol.steps=[{steps}]"]
        ),
        read_msh(SPHERES),
    ).layers
    assert layers is not None
    consistent = f"solver.layers={replace(layers, lumping=0.0).written}"
    clipped = largest_clip(consistent, preset="cube_50", mesh=SPHERES, steps=steps)
    assert clipped > 5.0 * OVERSHOOT, "the control"
