"""Functions that scripts/benchmark.py runs in separate processes; rank 0 prints one JSON object.

python3 scripts/benchmark_workers.py FUNCTION [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc

from heterode.base.ranks import on_root
from heterode.geometry.cache import mesh_for
from heterode.parameters import load_parameters
from heterode.particles.drawn_penalties import penalty_factors
from heterode.solver.algebra.linear import LinearSolver
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.march import march
from heterode.solver.time.stepper import Stepper

PARAMS = Path(__file__).resolve().parent.parent / "params"
COMM = MPI.COMM_WORLD

TIGHT = 1e-6
"""Relative residual that the iterative solver must reach beside MUMPS; Newton needs only 3e-3."""

TRIAD = 20_000_000
"""Numbers in each vector of the triad, over all ranks: far more than the caches hold."""


def cell(preset: str, changes: tuple[str, ...]) -> tuple[CellModel, Stepper]:
    """Return a cell at rest and its stepper."""
    parameters = load_parameters(PARAMS / f"{preset}.toml", changes)
    mesh = distribute(COMM, on_root(COMM, lambda: mesh_for(parameters)))
    model = CellModel(mesh, parameters, penalty_factors(parameters, mesh.particle_table))
    return model, model.stepper(model.start())


def advanced(model: CellModel, stepper: Stepper, steps: int) -> None:
    """March some time steps of the protocol."""
    for _ in islice(march(stepper, model.parameters.protocol.steps, model.pace), steps):
        pass


def compile_forms() -> dict[str, Any]:
    """Compile the equations in 2D and 3D, so that no measured run has to."""
    for preset in ("quickstart", "cube_50"):
        cell(preset, ("geometry.particles=12",))
    return {}


def one_matrix(name: str, *changes: str) -> dict[str, Any]:
    """Time the set-up and two solves with one of the solvers, as in a Newton iteration."""
    model, stepper = cell("cube_50", (*changes, "solver.linear_solver=fieldsplit"))
    advanced(model, stepper, 6)
    state = stepper.state
    residual = model.system.residual(
        state.vector, np.zeros_like(state.vector), state.V + 1e-3, state.I
    )
    column = model.system.border(residual.fluxes, 1.0 / 90.0).columns["V"]
    model.system.jacobian(residual.fluxes, 1.0 / 90.0)
    before = resident()
    linear = LinearSolver(model.layout, name, TIGHT)  # type: ignore[arg-type]
    linear.use(model.system.jacobian(residual.fluxes, 1.5 / 80.0))
    linear.solve(column)
    # In the second solve nothing has to be analysed or allocated.
    matrix = model.system.jacobian(residual.fluxes, 1.5 / 90.0)
    begin = time.perf_counter()
    linear.use(matrix)
    made = time.perf_counter()
    linear.solve(column)
    update = linear.solve(-residual.vector)
    solved = time.perf_counter()
    x, b = matrix.petsc.createVecs()
    x.array_w[:] = update
    matrix.petsc.mult(x, b)
    error = np.linalg.norm(b.array_r + residual.vector) / np.linalg.norm(residual.vector)
    return {
        "dofs": model.layout.total,
        "setup_s": made - begin,
        "solves_s": solved - made,
        "memory_bytes": resident() - before,
        "error": error,
    }


def resident() -> int:
    """Return the memory of this process, bytes, without what it has freed."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def triad() -> dict[str, Any]:
    """Time a = b + 3 c on all ranks at once, best of ten: McCalpin's STREAM, 24 bytes a number."""
    a, b, c = (PETSc.Vec().createMPI(TRIAD, comm=COMM) for _ in range(3))
    b.set(1.0)
    c.set(2.0)
    best = np.inf
    for _ in range(10):
        COMM.barrier()
        begin = time.perf_counter()
        a.waxpy(3.0, c, b)
        best = min(best, COMM.allreduce(time.perf_counter() - begin, op=MPI.MAX))
    return {"bytes_per_s": 24 * TRIAD / best}


def parts(*changes: str) -> dict[str, Any]:
    """Return how the time of ten time steps is spent, s."""
    PETSc.Log.begin()
    model, stepper = cell("cube_1000", (*changes, "solver.initial_step='20 s'"))
    advanced(model, stepper, 2)
    names = {
        "product with the matrix": "MatMult",
        "coupling blocks": "MatMultAdd",
        "incomplete factors": "MatSolve",
        "orthogonalisation": "KSPGMRESOrthog",
        "preconditioner": "PCApply",
    }
    before = {name: performance(event) for name, event in names.items()}
    phases = dict(model.phases.seconds)
    begin = time.perf_counter()
    advanced(model, stepper, 10)
    whole = time.perf_counter() - begin
    spent = {}
    for name, event in names.items():
        calls, seconds = performance(event)
        spent[name] = (calls - before[name][0], seconds - before[name][1])
    matrix = model.system.matrix.petsc
    nonzeros, rows = matrix.getInfo(PETSc.Mat.InfoType.GLOBAL_SUM)["nz_used"], model.layout.total
    traffic = {
        "product with the matrix": 12.0 * nonzeros + 20.0 * rows,
        "coupling blocks": 0.0,
    }
    calls, seconds = spent.pop("preconditioner")
    inside = spent["coupling blocks"][1] + spent["incomplete factors"][1]
    spent["multigrid cycles"] = (3 * calls, seconds - inside)
    for name in ("assembly", "preconditioner"):
        label = "preconditioner's set-up" if name == "preconditioner" else name
        spent[label] = (0, model.phases.seconds[name] - phases[name])
    spent["else"] = (0, whole - sum(seconds for _, seconds in spent.values()))
    found = [
        {"name": name, "calls": calls or "", "seconds": s, "bytes": calls * traffic.get(name, 0.0)}
        for name, (calls, s) in sorted(spent.items(), key=lambda item: -item[1][1])
    ]
    return {"seconds": whole, "parts": found}


def performance(event: str) -> tuple[int, float]:
    """Return the calls and seconds of a PETSc event so far."""
    info = PETSc.Log.Event(event).getPerfInfo()
    return int(info["count"]), float(info["time"])


def main() -> None:
    """Run the function named and print what it returns."""
    functions = {"compile": compile_forms, "one_matrix": one_matrix, "triad": triad, "parts": parts}
    found = functions[sys.argv[1]](*sys.argv[2:])
    if COMM.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
