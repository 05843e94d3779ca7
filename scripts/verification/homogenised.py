"""Equal spheres in 3D compared with the homogenised half-cell model (DFN) of PyBaMM."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from helpers.cells import run
from helpers.equal_spheres import BOUND, END, RATES, SPHERES, START
from helpers.own_venv import ask, python_with
from helpers.paths import ROOT
from heterode.geometry.cache import mesh_for
from heterode.homogenised import PYBAMM
from heterode.parameters import load_parameters
from heterode.results.sample import Sample
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from verification.claim import Claim, Curve, Figure, Outcome, Plot, at_most

Floats = npt.NDArray[np.float64]
SCRIPT = Path(__file__).with_name("pybamm_cell.py")


@lru_cache(maxsize=2)
def spheres(rate: str) -> tuple[CellModel, tuple[Sample, ...]]:
    """Charge equal spheres in 3D."""
    steps = f'protocol.steps=["charge at {rate} until {END}"]'
    parameters = load_parameters(ROOT / "params" / "cube_50.toml", [*SPHERES, steps])
    electrode = distribute(MPI.COMM_SELF, mesh_for(parameters))
    model = CellModel(electrode, parameters, np.ones(len(electrode.particle_table)))
    return model, tuple(run(model)[0])


def composition(model: CellModel) -> dict[str, Any]:
    """Return lengths and fractions for the DFN, volume fraction and radius 3V/A of the mesh."""
    p, area = model.parameters, model.mesh.collector_area
    volume, surface = float(model.averages.volumes.sum()), float(model.averages.surfaces.sum())
    active = volume / (area * p.geometry.coating_thickness)
    pores, binder = p.carbon_binder.electrolyte_fraction, p.carbon_binder
    return {
        "coating_thickness": p.geometry.coating_thickness,
        "separator_thickness": p.geometry.separator_thickness,
        "separator_porosity": p.separator.porosity,
        "active_fraction": active,
        "porosity": (1 - active) * pores,
        "radius": 3 * volume / surface,
        "electronic_conductivity": binder.conductivity * ((1 - active) * (1 - pores)) ** 1.5,
        "x_0": p.active_material.initial_lithium_fraction,
        "temperature": p.temperature,
    }


def question(model: CellModel, samples: tuple[Sample, ...]) -> dict[str, Any]:
    """Return the input of the DFN, with the material in heterode's numbers."""
    p = model.parameters
    x = np.linspace(0.2, 0.985, 4501)
    return composition(model) | {
        "c_max": p.active_material.maximum_concentration,
        "diffusivity": p.active_material.diffusivity,
        "rate_constant": p.active_material.rate_constant_cathodic,
        "lithium": {
            "rate_constant": p.lithium_metal.rate_constant,
            "concentration": p.lithium_metal.lithium_concentration,
        },
        "open_circuit": [x.tolist(), model.curve.potential(x).tolist()],
        "thermodynamic_factor": 1.0,
        "steps": [
            {
                "control": "current",
                "value": samples[-1].current_A_m2,
                "end": {"duration": samples[-1].time_s},
                "times": [sample.time_s for sample in samples[1:]],
            }
        ],
    }


def difference(rate: str, **damages: float) -> tuple[Figure, list[Curve], str]:
    """Return the root mean square voltage difference over the charge, averaged in time.

    Args:
        rate: rate of the charge.
        damages: factors on numbers in the input of the DFN.
    """
    python = python_with("pybamm", PYBAMM)
    model, samples = spheres(rate)
    asked = question(model, samples)
    asked |= {key: factor * asked[key] for key, factor in damages.items()}
    answer = ask(python, SCRIPT, asked)
    times, other = np.array(asked["steps"][0]["times"]), np.array(answer["steps"][0]["voltage"])
    own = np.array([sample.voltage_V for sample in samples[1:]])
    mean_square = np.trapezoid((own - other) ** 2, times) / (times[-1] - times[0])
    figure = at_most(f"{rate}: rms difference of the voltage", 1e3 * mean_square**0.5, BOUND, "mV")
    charged = [START - sample.lithium_fraction_mean for sample in samples[1:]]
    curves = [Curve(rate, charged, 1e3 * (own - other))]
    return figure, curves, str(answer["version"])


def against_dfn(rates: tuple[str, ...] = RATES, **damages: float) -> Outcome:
    """Compare the voltage of spheres in 3D with the DFN's, for each rate."""
    figures, curves, version = [], [], ""
    for rate in rates:
        figure, more, version = difference(rate, **damages)
        figures.append(figure)
        curves += more
    plot = Plot("lithium fraction taken out", "voltage less that of the DFN, mV", tuple(curves))
    return Outcome(tuple(figures), (plot,), {"PyBaMM": version})


def claims() -> tuple[Claim, ...]:
    """Return the claim on the homogenised limit."""
    one = partial(against_dfn, ("1C",))
    return (
        Claim(
            "pybamm",
            "Equal spheres in 3D charge as PyBaMM's half-cell DFN of the same material does",
            against_dfn,
            {
                "DFN with 10 % lower solid diffusivity": partial(one, diffusivity=0.9),
                "DFN with 10 % lower rate constant": partial(one, rate_constant=0.9),
                "DFN with a thermodynamic factor 30 % lower": partial(
                    one, thermodynamic_factor=0.7
                ),
            },
            quick=False,
        ),
    )
