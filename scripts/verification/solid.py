"""The solid alone: the step response of a disc and a sphere, and the range of its fractions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from helpers import unit_flux
from helpers.paths import ROOT
from helpers.range_of_fields import largest_excess
from helpers.unit_flux import TIMES, Answer
from heterode import prepare, run
from heterode.forecast.planned import planned
from heterode.geometry.msh import read_msh
from heterode.parameters import load_parameters
from heterode.parameters.layering import Layers
from heterode.solver.bounds import Bounds
from verification.claim import Claim, Curve, Figure, Outcome, Plot, at_most

MICROMETRE = 1e-6

FEW = Layers(3, 2.0**-4 * MICROMETRE, 2.0)
MANY = Layers(6, 2.0**-6 * MICROMETRE, 2.0)

CASES = {
    "disc, no layers": (unit_flux.disc, None),
    "disc, 3 layers": (unit_flux.disc, FEW),
    "disc, 6 layers": (unit_flux.disc, MANY),
    "sphere, no layers": (unit_flux.sphere, None),
    "sphere, 3 layers": (unit_flux.sphere, FEW),
}

MOST = 1.2
"""Largest error over the planned one."""


def step_response(*, lumped: bool = False, unlayered: bool = False) -> Outcome:
    """Compare surfaces under a unit flux with the series, over the errors that are planned for.

    Args:
        lumped: whether to lump the mass matrix.
        unlayered: whether the meshes lack the layers that are planned for.
    """
    found: dict[str, Answer] = {}
    for name, (mesh, layers) in CASES.items():
        made = None if unlayered else layers
        found[name] = unit_flux.answer(mesh(), made, planned=layers, lumped=lumped)
    figures = [_figure(name, answer) for name, answer in found.items()]
    curves = [
        Curve(name, TIMES, abs(answer.found - answer.exact)) for name, answer in found.items()
    ]
    plot = Plot("D t / R^2", "error of the surface, q R / D", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


def _figure(name: str, answer: Answer) -> Figure:
    return at_most(f"{name}: largest error over that planned", answer.error / answer.planned, MOST)


PRESETS = {
    "nmc532": "five_discs_2d",
    "nmc622": "five_discs_2d",
    "nmc811": "five_discs_2d",
    "quickstart": "five_discs_2d",
    "cube_50": "spheres_3d",
}
"""Presets on small meshes."""

FASTEST = 'protocol.steps=["charge at 5C for 8 s", "discharge at 5C for 4 s"]'


def bounds(*, clipped: bool = True) -> Outcome:
    """Measure how far written lithium fractions leave the range of start and surface values.

    Args:
        clipped: whether fields are handed out as they should be.
    """
    figures = []
    for preset, mesh in PRESETS.items():
        file = ROOT / "params" / f"{preset}.toml"
        changes = [f"geometry.mesh_file={ROOT / 'meshes' / mesh}.msh", FASTEST]
        p = load_parameters(file, [*changes, "output.report=false"])
        with tempfile.TemporaryDirectory() as place, _fields_as_they_are(not clipped):
            run(p, Path(place) / "out", quiet=True)
            excess = largest_excess(Path(place) / "out")
        figures.append(at_most(f"{preset}: largest distance from the range", excess, 1e-12))
    return Outcome(tuple(figures))


SLOW = 'protocol.steps=["charge at C/10 for 2 min", "rest for 30 s", "discharge at 1C for 4 s"]'

FEW = "solver.layers=3 from 44.19 nm, ratio 2.5"
"""Layers that keep the voltage at C/10, but do not lead up to the size of the core's elements."""

HALF = 'protocol.steps=["charge at C/2 for 100 s"]'

MOST_CLIPPED = 0.003
"""Largest clip at the default accuracy, q R / D."""


def clips(*changes: str, consistent: bool = False) -> Outcome:
    """Measure how much of the lithium fractions is clipped before they are handed out.

    Args:
        changes: changes to the presets.
        consistent: whether the planned layers have no lumped masses.
    """
    figures = []
    for preset, mesh in PRESETS.items():
        protocols = {"C/10": SLOW, "5C": FASTEST} if mesh.endswith("2d") else {"C/2": HALF}
        for rate, protocol in protocols.items():
            file = ROOT / "meshes" / f"{mesh}.msh"
            given = [f"geometry.mesh_file={file}", protocol, *changes]
            p = load_parameters(ROOT / "params" / f"{preset}.toml", given)
            layers = planned(p, read_msh(file)).layers
            if consistent and layers is not None:
                p = p.with_values({"solver.layers": replace(layers, lumping=0.0).written})
            with prepare(p, []) as cell:
                for _ in cell:
                    pass
                clipped = cell.cell.bounds.clip.of_flux_scale
            name = f"{preset}, {rate}: largest clip, q R / D"
            figures.append(at_most(name, clipped, MOST_CLIPPED))
    return Outcome(tuple(figures))


@contextmanager
def _fields_as_they_are(unclipped: bool) -> Iterator[None]:
    kept = Bounds.clipped
    if unclipped:
        Bounds.clipped = lambda self, values: values
    try:
        yield
    finally:
        Bounds.clipped = kept


def claims() -> tuple[Claim, ...]:
    """Return the claims on the solid alone."""
    return (
        Claim(
            "step-response",
            "After a step of the flux, surfaces follow the series within 1.2 times what is planned",
            step_response,
            {
                "lumped mass matrix": partial(step_response, lumped=True),
                "meshes without the layers planned for": partial(step_response, unlayered=True),
            },
        ),
        Claim(
            "bounds",
            "At 5C and its reversal lithium fractions stay in the range of start and surface",
            bounds,
            {"fields as the elements have them": partial(bounds, clipped=False)},
            quick=False,
        ),
        Claim(
            "clips",
            "At most 0.003 q R / D is clipped: in discs at C/10, after a rest and at 5C; in spheres"
            " at C/2",
            clips,
            {
                "3 layers that do for the voltage": partial(clips, FEW),
                "consistent mass matrices": partial(clips, consistent=True),
            },
            quick=False,
        ),
    )
