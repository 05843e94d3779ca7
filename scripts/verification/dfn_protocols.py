"""16 equal spheres in 3D at the default accuracy against PyBaMM's DFN, through seven protocols.

What is compared is what users read: the voltage at each row of history.csv, in a hold the current.
Times count from the beginning of each protocol step, as steps that end at a voltage need not end
together. The middle of a protocol is what lies between 10 and 85 % of its charge passed; near both
ends the voltage is so steep that it shows when a step ends, which is compared as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.own_venv import ask, python_with
from helpers.paths import ROOT
from heterode import prepare
from heterode.homogenised import PYBAMM
from heterode.parameters import load_parameters
from heterode.protocol.sequence import first_place, following, task_at
from heterode.results.sample import Sample
from heterode.solver.model import CellModel
from verification.claim import Claim, Curve, Figure, Outcome, Plot, at_most
from verification.homogenised import SCRIPT, question

Floats = npt.NDArray[np.float64]

RMS_MV = 1.0
"""Largest root mean square of the difference of the voltages in the middle, mV."""

ENDS_PERCENT = 0.15
"""Largest difference of the charge passed up to an end, in that of the DFN, %."""

MIDDLE = (0.10, 0.85)

CELL = (
    "geometry.particles=16",
    # Pieces that a wall cuts off are no spheres.
    "geometry.walls=inside",
    'geometry.particle_size={ distribution = "monodisperse", diameter = "5 um" }',
    # 0.3 of the coating is active.
    "composition.areal_mass=3.335 mg/cm^2",
    "penalty={ distribution = 'none' }",
    "active_material.rate_constant=1e-9 m/s",
    "active_material.initial_lithium_fraction=0.9",
    "electrolyte.model=landesfeind",
    "collector.contact_resistance=1e-8 ohm m^2",
)
ENERGIES = {"diffusivity": 30e3, "rate_constant": 17.8e3}
"""Activation energies, J/mol; that of the rate constant is that of NMC811 in Chen et al. 2020."""

WARMTH = tuple(
    f"active_material.{key}_activation_energy={energy:g} J/mol" for key, energy in ENERGIES.items()
)
HALF = "active_material.initial_lithium_fraction=0.7"
DRIVE = ROOT / "docs" / "accuracy" / "drive_thin.csv"


@dataclass(frozen=True)
class Protocol:
    """A protocol, the changes to the cell that go with it, and whether its end is compared."""

    steps: tuple[str, ...]
    changes: tuple[str, ...] = ()


PROTOCOLS = {
    "3C": Protocol(("charge at 3C until 4.3 V",)),
    "-10 degC": Protocol(("charge at C/2 until 4.3 V",), (*WARMTH, "temperature=263.15 K")),
    "45 degC": Protocol(("charge at 1C until 4.3 V",), (*WARMTH, "temperature=318.15 K")),
    "CC-CV": Protocol(("charge at 1C until 4.2 V", "hold at 4.2 V until C/10")),
    "drive cycle": Protocol((f"follow {DRIVE} stepwise",), (HALF,)),
    "60 W/m^2": Protocol(("charge at 60 W/m^2 until 4.3 V",)),
    "GITT": Protocol(("gitt: charge at 1C for 4 min, rest for 10 min, 5 times",)),
}


# -- both sides -------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def spheres(name: str, *changes: str) -> tuple[CellModel, tuple[Sample, ...]]:
    """Run a protocol at the default accuracy, or as changed."""
    protocol = PROTOCOLS[name]
    steps = "protocol.steps=[" + ", ".join(f'"{step}"' for step in protocol.steps) + "]"
    parameters = load_parameters(
        ROOT / "params" / "cube_50.toml", [*CELL, *protocol.changes, steps, *changes]
    )
    with prepare(parameters) as cell:
        samples = tuple(step.sample for step in cell)
    return cell.cell.model, samples


@dataclass(frozen=True)
class Stretch:
    """Rows of a run under one control.

    Attributes:
        asked: what the DFN is asked for it.
        rows: its rows.
        charge: charge passed in it, A h m^-2.
    """

    asked: dict[str, Any]
    rows: tuple[Sample, ...]
    charge: float


def stretches(model: CellModel, samples: Sequence[Sample]) -> list[Stretch]:
    """Return the protocol steps of a run, or the rows of its table."""
    root, one_C = model.parameters.protocol.sequence, model.one_C / model.mesh.collector_area
    found: list[Stretch] = []
    place = first_place(root)
    before = samples[0]
    for number in range(samples[-1].step + 1):
        step = task_at(root, place).step
        rows = [s for s in samples[1:] if s.step == number]
        if step.table is not None:
            table = step.table
            for begin, end in zip(table.times[:-1], table.times[1:], strict=True):
                part = tuple(s for s in rows if begin + 1e-7 < s.time_s <= end + 1e-7)
                asked = {"control": "current", "value": part[-1].current_A_m2}
                found.append(_stretch(asked, {"duration": end - begin}, part, before))
                before = part[-1]
            break
        ends: dict[str, float] = {}
        for cutoff in step.cutoffs:
            value = cutoff.value
            if cutoff.quantity == "time":
                ends["duration"] = float(value)
            elif cutoff.quantity == "voltage":
                ends["voltage"] = float(value)
            else:
                ends["current"] = value.current_density(one_C)
        if step.voltage is not None:
            asked = {"control": "voltage", "value": step.voltage}
        elif step.power is not None:
            asked = {"control": "power", "value": step.power}
        else:
            asked = {"control": "current", "value": rows[-1].current_A_m2}
        found.append(_stretch(asked, ends, tuple(rows), before))
        before, place = rows[-1], following(root, place)
    return found


def _stretch(
    asked: dict[str, Any], ends: dict[str, float], rows: tuple[Sample, ...], before: Sample
) -> Stretch:
    asked |= {"end": ends, "times": [s.time_s - before.time_s for s in rows]}
    charge = rows[-1].capacity_Ah_m2 - before.capacity_Ah_m2
    return Stretch(asked, rows, charge)


# -- the comparison ---------------------------------------------------------------------------


def compared(name: str, *changes: str, **damages: float) -> tuple[list[Figure], Curve, str]:
    """Compare a protocol with the DFN.

    Args:
        name: the protocol.
        changes: settings of the simulator.
        damages: factors on numbers in the input of the DFN.
    """
    python = python_with("pybamm", PYBAMM)
    model, samples = spheres(name, *changes)
    parts = stretches(model, samples)
    asked = question(model, samples) | {"steps": [part.asked for part in parts]}
    if "temperature=" in " ".join(PROTOCOLS[name].changes):
        asked["activation_energies"] = ENERGIES
    asked |= {key: factor * asked[key] for key, factor in damages.items()}
    answer = ask(python, SCRIPT, asked)
    passed = np.concatenate([[abs(s.capacity_Ah_m2) for s in part.rows] for part in parts])
    whole = passed.max()
    times, volts, share, ends = [], [], [], []
    own = theirs = 0.0
    for part, other in zip(parts, answer["steps"], strict=True):
        count = len(other["voltage"])
        own, theirs = own + part.charge, theirs + other["passed"]
        rows = part.rows[:count]
        times += [row.time_s for row in rows]
        volts += [row.voltage_V - V for row, V in zip(rows, other["voltage"], strict=True)]
        share += [abs(row.capacity_Ah_m2) / whole for row in rows]
        if "voltage" in part.asked["end"] or "current" in part.asked["end"]:
            ends.append(100 * abs(own / theirs - 1))
    t, dV, x = np.array(times), 1e3 * np.array(volts), np.array(share)
    # A drive cycle passes its charge to and fro, and GITT rests: all of their time counts.
    steady = len(parts) == 1
    middle = (x >= MIDDLE[0]) & (x <= MIDDLE[1]) if steady else np.full(len(t), True)
    mean_square = np.trapezoid(dV[middle] ** 2, t[middle]) / (t[middle][-1] - t[middle][0])
    figures = [at_most(f"{name}: rms difference of the voltage", mean_square**0.5, RMS_MV, "mV")]
    if ends:
        figures.append(at_most(f"{name}: difference of the ends", max(ends), ENDS_PERCENT, "%"))
    return figures, Curve(name, t / t[-1], dV), str(answer["version"])


def against_dfn(
    names: Sequence[str] = tuple(PROTOCOLS), *changes: str, **damages: float
) -> Outcome:
    """Compare spheres at the default accuracy with the DFN, protocol by protocol."""
    figures, curves, version = [], [], ""
    for name in names:
        found, curve, version = compared(name, *changes, **damages)
        figures += found
        curves.append(curve)
    plot = Plot("time, in that of the protocol", "voltage less that of the DFN, mV", tuple(curves))
    return Outcome(tuple(figures), (plot,), {"PyBaMM": version})


BEFORE = ("solver.layers=none", "solver.initial_step=0.36 s")


def claims() -> tuple[Claim, ...]:
    """Return the claim on protocols."""
    return (
        Claim(
            "dfn-protocols",
            "Equal spheres at the default accuracy follow PyBaMM's DFN through seven protocols",
            against_dfn,
            {
                "no layers under the surfaces, at 3C": partial(against_dfn, ("3C",), *BEFORE),
                "no layers under the surfaces, GITT": partial(against_dfn, ("GITT",), *BEFORE),
                "DFN with 10 % lower solid diffusivity": partial(
                    against_dfn, ("3C",), diffusivity=0.9
                ),
            },
            quick=False,
        ),
    )
