"""The same mesh file, weak form and time steps in NGSolve give the same voltage."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from helpers.cells import cell
from helpers.manufactured import SmoothCurve, replace_law
from helpers.own_venv import ask, python_with
from helpers.paths import LOCKS, ROOT
from heterode.solver.model import CellModel
from heterode.solver.time.terminal import ConstantCurrent
from verification.claim import Claim, Curve, Outcome, Plot, at_most

LOCK = LOCKS / "ngsolve.lock"
SCRIPT = Path(__file__).with_name("ngsolve_cell.py")

BOUND = 1e-7  # V
START = 0.8
PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)
STEPS = [60.0 * factor for factor in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, *12 * (2.0,))]
"""Time steps, s; 20 of them make half an hour at C/2."""

RULE = {
    "interface_points": [(1 / 6, 1 / 6), (1 / 6, 2 / 3), (2 / 3, 1 / 6)],
    "interface_weights": [1 / 6, 1 / 6, 1 / 6],
}
"""The simulator's quadrature points on the reference triangle, exact for quadratic functions."""

SETTINGS = (
    "electrolyte.model=nyman",
    "carbon_binder.conductivity=0.5 S/m",
    "active_material.rate_constant=1e-10 m/s",
    "active_material.diffusivity=1e-14 m^2/s",
    f"active_material.initial_lithium_fraction={START}",
)


@lru_cache(maxsize=1)
def stepped() -> tuple[CellModel, tuple[float, ...]]:
    """Return the model and the simulator's voltages after each step."""
    model = cell("spheres_3d", (*SETTINGS, "solver.linear_solver=direct"), PENALTY)
    law = model.system.surfaces["interface"].law
    replace_law(model, "interface", replace(law, curve=SmoothCurve()))
    start = model.start()
    U = float(SmoothCurve().potential_and_slope(np.array(START))[0])
    stepper = model.stepper(replace(start, V=U))
    control = ConstantCurrent(model.one_C / 2)
    return model, tuple(stepper.accept(stepper.attempt(length, control)).V for length in STEPS)


def question(model: CellModel) -> dict[str, Any]:
    """Return the input of NGSolve: the mesh file and numbers, but no matrix and no function."""
    p = model.parameters
    return {
        "mesh": str(ROOT / "meshes" / "spheres_3d.msh"),
        "steps": STEPS,
        "current": model.one_C / 2,
        "penalty": PENALTY,
        "x_0": START,
        "temperature": p.temperature,
        "c_0": p.electrolyte.initial_concentration,
        "c_max": p.active_material.maximum_concentration,
        "diffusivity": p.active_material.diffusivity,
        "rate_constant": p.active_material.rate_constant_cathodic,
        "binder": p.carbon_binder.electrolyte_fraction,
        "separator": p.separator.porosity,
        "carbon_conductivity": p.carbon_binder.conductivity,
        "contact_resistance": p.collector.contact_resistance,
        "lithium": {
            "rate_constant": p.lithium_metal.rate_constant,
            "concentration": p.lithium_metal.lithium_concentration,
        },
        **RULE,
    }


def against_ngsolve(**damages: float) -> Outcome:
    """Return the largest difference of the voltage over 20 steps.

    Args:
        damages: factors on numbers in the input of NGSolve.
    """
    python = python_with("ngsolve", LOCK)
    model, own = stepped()
    asked = question(model)
    asked |= {key: factor * asked[key] for key, factor in damages.items()}
    answer = ask(python, SCRIPT, asked)
    difference = np.abs(np.array(own) - answer["voltage"])
    curve = Curve("difference", np.cumsum(STEPS) / 60, np.maximum(difference, 1e-17), line=False)
    plot = Plot("time, min", "difference of the voltages, V", (curve,), logarithmic=True)
    name = f"largest difference of the voltage over {len(STEPS)} steps"
    return Outcome(
        (at_most(name, float(difference.max()), BOUND, "V"),),
        (plot,),
        {"NGSolve": str(answer["version"])},
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim on the other finite-element program."""
    return (
        Claim(
            "ngsolve",
            "NGSolve finds the same voltage on the same mesh file with the same weak form",
            against_ngsolve,
            {
                "carbon's conductivity 2 % lower in NGSolve": partial(
                    against_ngsolve, carbon_conductivity=0.98
                ),
                "solid diffusivity 0.1 % lower in NGSolve": partial(
                    against_ngsolve, diffusivity=0.999
                ),
            },
            quick=False,
        ),
    )
