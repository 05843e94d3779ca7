"""solver.accuracy and solver.layers: what follows from them, and what is refused."""

import json
from typing import Any

import pytest

from helpers.paths import PRESET
from heterode.base.errors import InputError
from heterode.parameters import load_parameters
from heterode.parameters.listing import parameter_rows

TOLERANCES = ("fraction_tolerance", "voltage_tolerance", "concentration_tolerance")


def tolerances(**solver: Any) -> list[float]:
    p = load_parameters(PRESET, [f"solver.{key}={value}" for key, value in solver.items()])
    return [getattr(p.solver, name) for name in TOLERANCES]


def test_tolerances_follow_from_the_accuracy_unless_they_are_given():
    assert tolerances() == [1e-4, 1e-4, 1e-3]
    assert tolerances(accuracy="1 mV") == tolerances()
    assert tolerances(accuracy="5 mV") == pytest.approx([5e-4, 5e-4, 5e-3], rel=1e-12)
    given = tolerances(accuracy="5 mV", voltage_tolerance="0.3 mV")
    assert given == pytest.approx([5e-4, 3e-4, 5e-3], rel=1e-12)


def test_newtons_tolerance_is_a_fraction_at_every_accuracy():
    def newton(accuracy: str) -> float:
        return load_parameters(PRESET, [f"solver.accuracy={accuracy}"]).solver.newton_tolerance

    assert newton("1 mV") == newton("5 mV") == newton("0.01 mV") == 0.05


def test_resolved_tolerances_are_what_manifest_and_listing_show():
    p = load_parameters(PRESET, ["solver.accuracy=2 mV"])
    assert p.to_si_dict()["solver"]["voltage_tolerance"] == 2e-4
    assert p.to_si_dict()["solver"]["accuracy"] == 2e-3
    rows = dict(parameter_rows(p))
    assert rows["solver.accuracy"] == "2 mV"
    assert rows["solver.voltage_tolerance"] == "0.2 mV"
    assert rows["solver.layers"] == "auto"
    # What was not given is not written, so another accuracy moves it.
    assert "tolerance" not in p.toml()
    assert p.with_values({"solver.accuracy": "4 mV"}).solver.voltage_tolerance == 4e-4


@pytest.mark.parametrize(
    "layers",
    ["auto", "none", 0, 7, 40, "6 from 15.6 nm, ratio 1.5", "6 from 15.6 nm, ratio 2, lumped 0.35"],
)
def test_layers(layers):
    p = load_parameters(PRESET, [f"solver.layers={json.dumps(layers)}"])
    assert p.solver.layers == layers


@pytest.mark.parametrize(
    "layers",
    [
        *("some", "Auto", -1, 41, 3.0, 1e9, True, []),
        *("6 from 15.6 kg, ratio 2", "41 from 1 nm, ratio 2", "6 from 0 nm, ratio 2"),
        *("6 from 1 m, ratio 2", "6 from 15 nm, ratio 0.5", "6 from 15 nm, ratio 11"),
        "6 from 15.6 nm, ratio 2, lumped 1.1",
    ],
)
def test_no_number_of_layers(layers):
    allowed = r"whole number from 0 to 40.* from 0\.1 nm to 100 um and ratio 1 to 10\)"
    with pytest.raises(InputError, match=rf"solver\.layers = .* {allowed}"):
        load_parameters(PRESET, [f"solver.layers={json.dumps(layers)}"])


def test_quadratic_elements_are_not_lumped():
    lumped = 'solver.layers="6 from 15.6 nm, ratio 2, lumped 0.5"'
    with pytest.raises(InputError, match=r"solver\.layers = .* lumps .*Leave out the lumping"):
        load_parameters(PRESET, [lumped, "solver.degree=2"])
    assert load_parameters(PRESET, [lumped, "solver.degree=1"]).solver.degree == 1


@pytest.mark.parametrize("accuracy", ["0.009 mV", "101 mV", "0 V", "-1 mV", "1", "1 s"])
def test_no_accuracy(accuracy):
    with pytest.raises(InputError, match=r"solver\.accuracy = .*at least 0\.01, up to 100 mV"):
        load_parameters(PRESET, [f"solver.accuracy={accuracy}"])
