"""After a step of the flux, particles' surfaces err as their radial spacing plans, and no more."""

from __future__ import annotations

import pytest

from helpers import unit_flux
from heterode.parameters.layering import Layers

LAYERS = Layers(3, 0.0625e-6, 2.0)


@pytest.mark.parametrize("mesh", [unit_flux.disc, unit_flux.sphere])
@pytest.mark.parametrize("layers", [None, LAYERS])
def test_error_is_that_planned(mesh, layers: Layers | None) -> None:
    found = unit_flux.answer(mesh(), layers, layers)
    assert 0.8 * found.planned < found.error < 1.2 * found.planned


@pytest.mark.parametrize("mesh", [unit_flux.disc, unit_flux.sphere])
def test_lumping_is_a_trap(mesh) -> None:
    """The negative control: without overshoot, but with another error than planned."""
    for layers in (None, LAYERS):
        assert unit_flux.answer(mesh(), layers, layers, lumped=True).error > (
            1.5 * unit_flux.answer(mesh(), layers, layers).planned
        )


def test_layers_that_are_missing_show() -> None:
    """The negative control of the mesh: the error planned with layers is not had without them."""
    found = unit_flux.answer(unit_flux.disc(), None, LAYERS)
    assert found.error > 3.0 * found.planned
