"""The solid alone: the step response of a disc and a sphere, with and without layers."""

from __future__ import annotations

from functools import partial

from helpers import unit_flux
from helpers.unit_flux import TIMES, Answer
from heterode.geometry.layers import Layers
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
    )
