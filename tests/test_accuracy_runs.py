"""The layers of a run: made again the same from the mesh that is kept, and proved by check."""

from __future__ import annotations

import re

import numpy as np
import pytest

from helpers.commands import settings
from helpers.paths import FIVE_DISCS, PRESET
from heterode.cli import main
from heterode.forecast.planned import planned
from heterode.geometry.cache import mesh_for
from heterode.parameters import Parameters, load_parameters
from heterode.runs.layering import expected_layering, layered_mesh
from heterode.runs.proof import halved_layers

STEP = "charge at 1C for 4 s"


def given(*changes: str) -> Parameters:
    own = (f"geometry.mesh_file={FIVE_DISCS}", f'protocol.steps=["{STEP}"]')
    return load_parameters(PRESET, [*own, *changes])


def test_layers_are_made_again_the_same() -> None:
    base = mesh_for(given())
    mesh, layering = layered_mesh(given(), base)
    again, _ = layered_mesh(given(), base)
    assert mesh.hash == again.hash != base.hash
    assert np.array_equal(mesh.points_um, again.points_um)
    assert layering.unknowns > layering.without
    cheap, _ = layered_mesh(given("solver.accuracy=5 mV"), base)
    assert cheap.hash != mesh.hash
    none, without = layered_mesh(given("solver.layers=none"), base)
    assert none is base
    assert without.unknowns == without.without == layering.without


def test_manifest_and_sentence_say_what_was_planned() -> None:
    _, layering = layered_mesh(given(), mesh_for(given()))
    plan, entries = layering.plan, layering.entries
    assert plan.layers is not None
    assert entries["asked_V"] == 1e-3
    assert entries["layers"]["count"] == plan.layers.count
    assert entries["layers"]["first_um"] == pytest.approx(1e6 * plan.layers.first)
    assert entries["layers"]["expected_space_error_V"] == plan.error < 5e-4
    said = layering.text
    assert said.startswith(f"accuracy 1 mV: {plan.layers.count} layers from ")
    assert f"({layering.without} without)" in said
    assert "expected space error" in said
    assert "layers from" not in expected_layering(load_parameters(PRESET, NONE)).text


NONE = ["solver.layers=none"]


def test_halved_layers_cut_each_in_two() -> None:
    plan = planned(given(), mesh_for(given()))
    assert plan.layers is not None
    halved = halved_layers(plan)
    thin = halved.first * halved.ratio ** np.arange(halved.count)
    assert thin.reshape(-1, 2).sum(axis=1) == pytest.approx(plan.layers.thicknesses)
    assert halved.count == 2 * plan.layers.count


def test_check_proves_the_layers_by_halving_them(capsys: pytest.CaptureFixture[str]) -> None:
    def difference(*changes: str) -> float:
        own = {"geometry__mesh_file": str(FIVE_DISCS), "protocol__steps": f'["{STEP}"]'}
        options = settings(**own, **dict(change.split("=", 1) for change in changes))
        assert main(["check", str(PRESET), "--mesh", *options]) == 0
        out = capsys.readouterr().out
        assert f"'{STEP}'" in out
        (found,) = re.findall(r"differs by at most ([\d.]+) mV", out)
        return float(found)

    assert difference() < 0.5
    assert difference("solver__layers=none") > 2.0
