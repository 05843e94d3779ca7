"""The homogenised counterpart of a shipped material against PyBaMM's own set of the same cell.

heterode's Ecker2015 graphite and electrolyte go through the counterpart's tables (open-circuit
potential, D(x, T), exchange current, conductivity and diffusivity of the salt) into PyBaMM's DFN.
The reference is PyBaMM's set Ecker2015_graphite_halfcell with its own functions, sampled with a
finer mesh (tests/helpers/graphite_half_cell.json; its mesh error is 0.1 to 0.2 mV).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.own_venv import ask, python_with
from helpers.paths import ROOT
from heterode.homogenised import PYBAMM
from heterode.homogenised.electrode import MeshedElectrode, describe_electrode
from heterode.parameters import load_parameters

# Four runs of a DFN with fine particles.
pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("pybamm_twins.py")
REFERENCE = json.loads((ROOT / "tests/helpers/graphite_half_cell.json").read_text())
ACTIVE, POROSITY, BRUGGEMAN = 0.372403, 0.329, 1.6372789338386007
COATING, SEPARATOR, RADIUS = 74e-6, 20e-6, 13.7e-6
CONDUCTIVITY = 14.0
"""Effective conductivity of the electrode, S/m."""

STARTS = {"delithiation_1C": (0.85, -18.2003), "lithiation_C2": (0.02, 9.10017)}
"""Lithium fraction at the start, and PyBaMM's current, A/m^2, positive on discharge."""

RMS_MV, LARGEST_MV = 0.3, 1.0


def twin(name: str, *changes: str) -> dict[str, Any]:
    """Return the content of a twin.json of the published half cell."""
    pores = POROSITY / (1 - ACTIVE)
    exponent = (BRUGGEMAN * math.log(POROSITY) - 1.5 * math.log(1 - ACTIVE)) / math.log(pores)
    conductivity = CONDUCTIVITY / ((1 - ACTIVE) ** 1.5 * (1 - pores) ** exponent)
    x, current = STARTS[name]
    settings = {
        "active_material.material": "graphite_ecker2015",
        "active_material.initial_lithium_fraction": x,
        "active_material.stoichiometry_window": "{ low = 0.003, high = 0.995 }",
        "electrolyte.material": "electrolyte_ecker2015",
        "geometry.active_fraction": ACTIVE,
        "carbon_binder.electrolyte_fraction": pores,
        "carbon_binder.bruggeman_exponent": exponent,
        "carbon_binder.conductivity": f"{conductivity!r} S/m",
        "separator.porosity": 0.508,
        "separator.bruggeman_exponent": 1.9804586773134945,
        "collector.contact_resistance": "1e-8 ohm m^2",
        "penalty": "{ distribution = 'none' }",
        "protocol.steps": '["rest for 1 h"]',
    }
    p = load_parameters(
        ROOT / "params/cube_50.toml", [*(f"{k}={v}" for k, v in settings.items()), *changes]
    )
    volume = ACTIVE * COATING
    mesh = MeshedElectrode(
        volume=volume,
        surface=3 * volume / RADIUS,
        area=1.0,
        penalty=1.0,
        coating=COATING,
        separator=SEPARATOR,
    )
    times = REFERENCE[name]["time_s"]
    return describe_electrode(p, mesh) | {
        "output times [s]": times,
        "current": {"time_s": [0.0, times[-1]], "current_A": [current, current], "jumps_s": []},
    }


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=np.ndarray.tolist))


def differences(*changes: str) -> dict[str, Any]:
    """Return the differences of the voltages, mV, by the name of the run."""
    question = {name: plain(twin(name, *changes)) for name in STARTS}
    answer = ask(python_with("pybamm", PYBAMM), SCRIPT, question)
    return {
        name: 1e3 * (np.array(answer[name]) - np.array(REFERENCE[name]["voltage_V"]))
        for name in STARTS
    }


def test_a_graphite_half_cell_is_the_published_one() -> None:
    for found in differences().values():
        assert float(np.sqrt(np.mean(found**2))) < RMS_MV
        assert float(np.abs(found).max()) < LARGEST_MV


def test_another_rate_constant_is_noticed() -> None:
    found = differences("active_material.rate_constant=3.6e-9 m/s")["delithiation_1C"]
    assert float(np.sqrt(np.mean(found**2))) > RMS_MV
