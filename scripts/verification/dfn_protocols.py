"""16 equal spheres in 3D at the default accuracy against PyBaMM's DFN, through seven protocols.

What is compared is what users read: the voltage at each row of history.csv, and the charge passed
up to each end; of a hold the charge alone. Times count from the beginning of each protocol step, as
steps that end at a voltage need not end together. The material is that of PyBaMM's set ORegan2022
(verification.oregan), whose functions PyBaMM takes as they are and heterode as tables. The middle
of a protocol is what lies between 10 and 85 % of its charge passed; near both ends the voltage is
so steep that it shows when a step ends, which is compared as such.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.own_venv import ask, python_with
from helpers.paths import ROOT
from helpers.voltage_curve import FROM, ROUNDING
from heterode import prepare
from heterode.homogenised import PYBAMM
from heterode.parameters import load_parameters
from heterode.protocol.sequence import first_place, following, task_at
from heterode.results.sample import Sample
from heterode.solver.model import CellModel
from verification import oregan
from verification.claim import Claim, Curve, Figure, Outcome, Plot, at_most
from verification.homogenised import SCRIPT, composition

Floats = npt.NDArray[np.float64]

RMS_MV = 1.0
"""Largest root mean square of the difference of the voltages in the middle, mV."""

ENDS_PERCENT = 0.15
"""Largest difference of the charge passed up to an end, in that of the DFN, %."""

LARGEST_MV = 1.0
"""Largest difference of the voltages in the middle, from 0.1 s after each jump on, mV."""

TABLES_MV = 0.05
"""Largest difference that tables in place of PyBaMM's functions make to the DFN's voltage, mV."""

MIDDLE = (0.10, 0.85)

CELL = (
    "geometry.particles=16",
    # Pieces that a wall cuts off are no spheres.
    "geometry.walls=inside",
    'geometry.particle_size={ distribution = "monodisperse", diameter = "5 um" }',
    # 0.3 of the coating is active.
    "composition.areal_mass=3.335 mg/cm^2",
    "penalty={ distribution = 'none' }",
    "active_material.initial_lithium_fraction=0.9",
    # The same four functions as in PyBaMM's set: see the claim `electrolytes`.
    "electrolyte.model=landesfeind",
    "collector.contact_resistance=1e-8 ohm m^2",
)
HALF = "active_material.initial_lithium_fraction=0.7"
DRIVE = ROOT / "docs" / "accuracy" / "drive.csv"


@dataclass(frozen=True)
class Protocol:
    """The steps of a protocol, changes to the cell that go with it, and its temperature, K."""

    steps: tuple[str, ...]
    changes: tuple[str, ...] = ()
    temperature: float = 298.15


PROTOCOLS = {
    "3C": Protocol(("charge at 3C until 4.3 V",)),
    "-10 degC": Protocol(("charge at C/2 until 4.3 V",), temperature=263.15),
    "45 degC": Protocol(("charge at 1C until 4.3 V",), temperature=318.15),
    "CC-CV": Protocol(("charge at 1C until 4.2 V", "hold at 4.2 V until C/10")),
    "drive cycle": Protocol((f"follow {DRIVE} stepwise",), (HALF,)),
    "60 W/m^2": Protocol(("charge at 60 W/m^2 until 4.3 V",)),
    "GITT": Protocol(("gitt: charge at 1C for 4 min, rest for 10 min, 5 times",)),
}


# -- both sides -------------------------------------------------------------------------------


@lru_cache(maxsize=len(PROTOCOLS))
def spheres(name: str, *changes: str) -> tuple[CellModel, tuple[Sample, ...]]:
    """Run a protocol at the default accuracy, or as changed."""
    protocol = PROTOCOLS[name]
    steps = "protocol.steps=[" + ", ".join(f'"{step}"' for step in protocol.steps) + "]"
    with tempfile.TemporaryDirectory() as folder:
        material = oregan.settings(protocol.temperature, Path(folder))
        parameters = load_parameters(
            ROOT / "params" / "cube_50.toml",
            [*CELL, *material, *protocol.changes, steps, *changes],
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


@dataclass(frozen=True)
class Deviation:
    """What a run of heterode differs by from the DFN.

    Attributes:
        time_s: (N,) times of rows whose voltage is not prescribed, s.
        millivolts: (N,) voltage less that of the DFN, mV.
        counted: (N,) whether a row is 0.1 s or more behind the last jump of the current.
        middle: (N,) whether a row lies in the middle of the protocol.
        ends: difference of the charge passed up to each end, in that of the DFN, %.
        version: version of PyBaMM.
    """

    time_s: Floats
    millivolts: Floats
    counted: npt.NDArray[np.bool_]
    middle: npt.NDArray[np.bool_]
    ends: tuple[float, ...]
    version: str

    @property
    def rms(self) -> float:
        """Root mean square over the time of the middle, mV."""
        t, dV = self.time_s[self.middle], self.millivolts[self.middle]
        return float(np.sqrt(np.trapezoid(dV**2, t) / (t[-1] - t[0])))

    @property
    def largest(self) -> float:
        """Largest magnitude in the middle where errors count, mV."""
        return float(np.max(abs(self.millivolts[self.middle & self.counted])))


def asked_of_dfn(name: str, model: CellModel, parts: Sequence[Stretch]) -> dict[str, Any]:
    """Return the input of the DFN."""
    found = oregan.material(PROTOCOLS[name].temperature)
    return composition(model) | {
        "set": oregan.SET,
        "scale": 1.0,
        "transfer_coefficient": found.salt_exponent,
        "steps": [part.asked for part in parts],
    }


def deviation(name: str, *changes: str, scale: float = 1.0) -> Deviation:
    """Run a protocol and compare it with the DFN.

    Args:
        name: the protocol.
        changes: settings of the simulator.
        scale: factor on the diffusivity of the DFN's active material.
    """
    model, samples = spheres(name, *changes)
    parts = stretches(model, samples)
    asked = asked_of_dfn(name, model, parts) | {"scale": scale}
    answer = ask(python_with("pybamm", PYBAMM), SCRIPT, asked)
    whole = max(abs(sample.capacity_Ah_m2) for sample in samples)
    times, volts, since, share, ends = [], [], [], [], []
    own = theirs = 0.0
    for part, other in zip(parts, answer["steps"], strict=True):
        own, theirs = own + part.charge, theirs + other["passed"]
        ends.append(100 * abs(own - theirs) / whole)
        # The DFN may reach an end a little earlier.
        rows = list(zip(part.rows, other["voltage"], strict=False))
        if part.asked["control"] == "voltage":
            continue
        since += part.asked["times"][: len(rows)]
        times += [row.time_s for row, _ in rows]
        volts += [1e3 * (row.voltage_V - V) for row, V in rows]
        share += [abs(row.capacity_Ah_m2) / whole for row, _ in rows]
    x = np.array(share)
    # A drive cycle passes its charge to and fro, and GITT rests: all of their time counts.
    steady = all("duration" not in part.asked["end"] for part in parts)
    middle = (x >= MIDDLE[0]) & (x <= MIDDLE[1]) if steady else np.full(len(x), True)
    return Deviation(
        np.array(times),
        np.array(volts),
        np.array(since) >= FROM - ROUNDING,
        middle,
        tuple(ends),
        str(answer["version"]),
    )


def compared(name: str, found: Deviation) -> list[Figure]:
    """Return the figures of a protocol."""
    return [
        at_most(f"{name}: rms difference of the voltage", found.rms, RMS_MV, "mV"),
        at_most(f"{name}: largest difference of the voltage", found.largest, LARGEST_MV, "mV"),
        at_most(f"{name}: difference of the ends", max(found.ends), ENDS_PERCENT, "%"),
    ]


def tables_for_functions(name: str) -> Figure:
    """Return what heterode's tables of PyBaMM's functions change in the DFN itself."""
    parts = stretches(*spheres(name))
    python, asked = python_with("pybamm", PYBAMM), asked_of_dfn(name, spheres(name)[0], parts)
    tables = {"tables": oregan.as_heterode_has_them(PROTOCOLS[name].temperature)}
    own, tabulated = (
        np.concatenate([step["voltage"] for step in ask(python, SCRIPT, question)["steps"]])
        for question in (asked, asked | tables)
    )
    count = min(len(own), len(tabulated))
    largest = 1e3 * np.max(abs(own[:count] - tabulated[:count]))
    text = f"{name}: tables in place of functions in the DFN, difference of the voltage"
    return at_most(text, float(largest), TABLES_MV, "mV")


def against_dfn(
    names: Sequence[str] = tuple(PROTOCOLS), *changes: str, scale: float = 1.0
) -> Outcome:
    """Compare spheres at the default accuracy with the DFN, protocol by protocol."""
    figures, curves, version = [], [], ""
    for name in names:
        found = deviation(name, *changes, scale=scale)
        figures += compared(name, found)
        counted = found.counted
        curves.append(
            Curve(name, found.time_s[counted] / found.time_s[-1], found.millivolts[counted])
        )
        version = found.version
    plot = Plot("time, in that of the protocol", "voltage less that of the DFN, mV", tuple(curves))
    return Outcome(tuple(figures), (plot,), {"PyBaMM": version})


def whole_claim() -> Outcome:
    """Compare all protocols, and measure what the tables change."""
    found = against_dfn()
    return replace(found, figures=(*found.figures, tables_for_functions("3C")))


NOTE = """\
The material is PyBaMM's set ORegan2022 (NMC811): its open-circuit potential with the entropic \
change, diffusivity, exchange current, their dependence on temperature, and Landesfeind's \
electrolyte are taken as they are. Lithium metal is that of its set Xu2019, and the kinetics are \
PyBaMM's asymmetric ones, with the exponent of the salt in the set's exchange current. Radius, \
fractions, thicknesses and the conductivity of the binder are those of the spheres. heterode has \
diffusivity and exchange current as tables, whose effect is the last figure. It reads no \
open-circuit potential from a file: the verification gives PyBaMM's a name. In the hold of CC-CV \
the current differs by up to 1.1 % of that at its beginning, which is not judged."""

BEFORE = ("solver.layers=none", "solver.initial_step=0.36 s")


def claims() -> tuple[Claim, ...]:
    """Return the claim on protocols."""
    return (
        Claim(
            "dfn-protocols",
            "Equal spheres at the default accuracy follow PyBaMM's DFN through seven protocols",
            whole_claim,
            {
                "no layers under the surfaces, drive cycle": partial(
                    against_dfn, ("drive cycle",), *BEFORE
                ),
                "no layers under the surfaces, GITT": partial(against_dfn, ("GITT",), *BEFORE),
                "DFN with 10 % lower solid diffusivity": partial(against_dfn, ("3C",), scale=0.9),
            },
            quick=False,
            note=NOTE,
        ),
    )
