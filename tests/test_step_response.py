"""After a step of the flux, particles' surfaces err as their radial spacing plans, and no more."""

from __future__ import annotations

import pytest

from helpers import unit_flux
from heterode.parameters.layering import Layers

LAYERS = Layers(3, 0.0625e-6, 2.0)
LUMPED = Layers(3, 0.0625e-6, 2.0, 0.7)


@pytest.mark.parametrize("mesh", [unit_flux.disc, unit_flux.sphere])
@pytest.mark.parametrize("layers", [None, LAYERS, LUMPED])
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


@pytest.mark.parametrize("mesh", [unit_flux.disc, unit_flux.sphere])
def test_lumping_that_is_not_planned_shows(mesh) -> None:
    """The negative control of what is lumped for a share: it errs more where the core counts."""
    late = unit_flux.TIMES > 1e-2
    lumped, plain = (unit_flux.answer(mesh(), each, LAYERS) for each in (LUMPED, LAYERS))
    errors = [float(abs(one.found - one.exact)[late].max()) for one in (lumped, plain)]
    assert errors[0] > 1.3 * errors[1]


def test_layers_that_are_missing_show() -> None:
    """The negative control of the mesh: the error planned with layers is not had without them."""
    found = unit_flux.answer(unit_flux.disc(), None, LAYERS)
    assert found.error > 3.0 * found.planned
