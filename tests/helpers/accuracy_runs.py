"""Runs whose voltage is judged, and the references that it is judged by."""

from __future__ import annotations

import csv
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from helpers.accuracy_cases import Case
from helpers.paths import ROOT
from helpers.voltage_curve import Floats, VoltageCurve, counted_rows
from heterode import Recorder, prepare
from heterode.geometry.cache import mesh_for
from heterode.geometry.layers import layered
from heterode.parameters import Parameters, load_parameters
from heterode.parameters.layering import Layers
from heterode.particles.drawn_penalties import penalty_factors
from heterode.protocol.records import each_step
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.march import march

REFERENCES = ROOT / "docs" / "accuracy" / "references"

DEEP = Layers(25, 5e-9, 1.15)
"""Layers of a reference: 25 from 0.002 of the median radius. On a mesh four times finer they leave
1e-4 q R / D of the lithium at the surface, the default mesh without layers 0.024 q R / D."""

FINE_IN_TIME = (
    "solver.voltage_tolerance=0.005 mV",
    "solver.fraction_tolerance=1e-5",
    "solver.concentration_tolerance=1e-4",
    "solver.initial_step=2 ms",
    "solver.minimum_step=0.1 ms",
    "solver.maximum_step_fraction=0.005",
)
"""Time steps of references: 20 times as accurate in the voltage as the default's; the first step is
1 / 50 of the time from which on errors count."""


def refined(case: Case, times: int) -> tuple[str, ...]:
    """Return the settings of a mesh that is finer everywhere."""
    mesh = load_parameters(ROOT / "params" / f"{case.preset}.toml", []).geometry.mesh
    lengths = ("maximum_size", "separator_size", "minimum_size")
    return (
        *(f"geometry.mesh.{key}={1e6 * getattr(mesh, key) / times:.9g} um" for key in lengths),
        f"geometry.mesh.surface_size_factor={mesh.surface_size_factor / times:.9g}",
    )


def loaded(case: Case, changes: Sequence[str]) -> Parameters:
    """Return the parameters of a case, changed."""
    file = ROOT / "params" / f"{case.preset}.toml"
    return load_parameters(file, [*case.changes, *changes, "output.report=false"])


def jumps(parameters: Parameters, times: Sequence[float], steps: Sequence[int]) -> list[float]:
    """Return the times at which the current jumps, s.

    Args:
        parameters: the parameters of the run.
        times: times of its rows, s.
        steps: numbers of the protocol steps of its rows.
    """
    found, before = [], -1
    for row, step in enumerate(steps):
        if step != before:
            found.append(float(times[max(row - 1, 0)]))
            before = step
    tables = [step.table for step in each_step(parameters.protocol.steps) if step.table]
    if tables:
        (table,) = tables
        assert len(found) == 1, "a table is followed alone"
        return [float(t) for t in table.times[:-1]]
    return found


# -- references -------------------------------------------------------------------------------


def reference_file(case: Case, finer: int) -> Path:
    """Return the file in which a reference is kept."""
    mesh = "same-mesh" if finer == 1 else f"h-{finer}"
    return REFERENCES / f"{case.name}-{mesh}.csv"


def reference_record(case: Case, finer: int) -> dict[str, Any]:
    """Return what determines a reference; one that is kept is used if it has the same record."""
    changes = [change.replace(str(ROOT), ".") for change in case.changes]
    return {
        "preset": case.preset,
        "changes": changes,
        "mesh": list(refined(case, finer)) if finer > 1 else [],
        "layers": {"count": DEEP.count, "first_m": DEEP.first, "ratio": DEEP.ratio},
        "time": list(FINE_IN_TIME),
    }


def reference(case: Case, finer: int, *, anew: bool = False) -> VoltageCurve:
    """Return a reference with 25 layers, kept or computed.

    Args:
        case: the case.
        finer: how many times finer than the run's its mesh is.
        anew: whether to compute it even if it is kept.
    """
    file, record = reference_file(case, finer), reference_record(case, finer)
    if file.is_file() and not anew:
        kept = VoltageCurve.read(file)
        if all(kept.record.get(key) == value for key, value in record.items()):
            return kept
    curve = _computed(case, record)
    curve.write(file)
    return curve


def _computed(case: Case, record: Mapping[str, Any]) -> VoltageCurve:
    parameters = loaded(case, [*record["mesh"], *record["time"], "solver.layers=none"])
    base = mesh_for(parameters)
    mesh, report = layered(base, DEEP)
    electrode = distribute(MPI.COMM_SELF, mesh)
    penalty = penalty_factors(parameters, electrode.particle_table)
    model = CellModel(electrode, parameters, penalty, "direct" if case.dimension == 2 else None)
    stepper, area = model.stepper(model.start()), model.mesh.collector_area
    begin = time.process_time()
    rows = [(0.0, stepper.state.V, 0.0, 0)]
    for marched in march(stepper, parameters.protocol.sequence, model.pace):
        if marched.time_step > 0.0:
            s = marched.state
            rows.append((s.time, s.V, s.charge / area / 3600, marched.protocol_step))
    times, volts, capacity, steps = (np.array(column) for column in zip(*rows, strict=True))
    curve = VoltageCurve(times, volts, capacity, tuple(jumps(parameters, times, steps)))
    found = {
        "mesh_hash": base.hash,
        "layer_report": report.text(),
        "unknowns": model.layout.total,
        "time_steps": stepper.steps,
        "cpu_s": round(time.process_time() - begin, 1),
        "interpolation_error_V": float(f"{curve.interpolation_error_V:.1e}"),
    }
    return VoltageCurve(times, volts, capacity, curve.jumps_s, {**record, **found})


# -- runs -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """A run of the simulator as a user gets it.

    Attributes:
        curve: its voltage.
        manifest: its manifest.
        estimate: its estimate of the space error of the voltage at each row, V; None if it has
            none.
        cpu_s: processor time of the time steps, s.
    """

    curve: VoltageCurve
    manifest: Mapping[str, Any]
    estimate: Floats | None
    cpu_s: float

    @property
    def unknowns(self) -> int:
        """Number of unknowns."""
        return int(self.manifest["dofs"])

    @property
    def krylov_per_newton(self) -> float:
        """Linear iterations in each linear solve of Newton's method."""
        solves = self.manifest["newton_iterations"] + self.manifest["linearisations"]
        return float(self.manifest["krylov_iterations"] / solves)

    @property
    def largest_estimate(self) -> float:
        """Largest estimate of the space error where errors count, V; NaN without one."""
        if self.estimate is None:
            return float("nan")
        return float(np.max(np.abs(self.estimate[counted_rows(self.curve)])))


def measure(case: Case, changes: Sequence[str]) -> Measured:
    """Run a case through the simulator's own front door, and read what it wrote."""
    parameters = loaded(case, [*changes, "output.fields_every=1000000"])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        with prepare(parameters, [Recorder(out)]) as cell:
            begin = time.process_time()
            for _ in cell:
                pass
            cpu = time.process_time() - begin
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        with open(out / "history.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    column = {key: [row[key] for row in rows] for key in rows[0]}
    times = np.array(column["time_s"], float)
    steps = [int(step) for step in column["step"]]
    curve = VoltageCurve(
        times,
        np.array(column["voltage_V"], float),
        np.array(column["capacity_Ah_m2"], float),
        tuple(jumps(parameters, list(times), steps)),
    )
    given = column.get("voltage_space_error_V")
    estimate = None if given is None else np.array([float(e or "nan") for e in given])
    return Measured(curve, manifest, estimate, cpu)
