"""Measures the solver, with a table for each question: scripts/benchmark [TABLE ...] [--write].

    runs         full charges from 5e4 to 2e6 unknowns in 3D, and in 2D: time by phase,
                 iterations, memory, growth; a minute of charge by the direct solver in 3D
    direct       the iterative solver against MUMPS on one matrix of 64k unknowns
    agreement    voltages of the iterative and the direct solver, and of 1, 2 and 3 ranks
    ranks        the gain from 2 ranks, beside two simultaneous runs of 1 rank, the machine's limit
    profile      where the time of a solve goes, and what bounds it, beside a STREAM triad

Without names all tables are made, in about an hour on 2 cores. --write puts them into
docs/performance.md, and the runs into the table from which `heterode check` estimates. Seconds are
wall-clock, so the machine must otherwise be idle.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from verification.pages import markdown, put_on_page

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "performance.md"
PACKAGE_PATH = PROJECT / "scripts" / "setup" / "path"
MEASURED = PROJECT / "simulator" / "forecast" / "measured" / "performance.csv"
WORKERS = Path(__file__).with_name("benchmark_workers.py")

Table = list[list[str]]


@dataclass(frozen=True)
class Case:
    """A run: a preset, the changes to it, and the number of ranks."""

    preset: str
    changes: tuple[str, ...]
    ranks: int


def thousand(size_factor: float, ranks: int) -> Case:
    """Return a case of 1,000 spheres, with edges of `size_factor` radii."""
    return Case("cube_1000", (f"geometry.mesh.surface_size_factor={size_factor}",), ranks)


RUNS = (
    Case("cube_50", ("geometry.particles=72",), 1),
    Case("cube_50", ("geometry.particles=72",), 2),
    Case("cube_200", (), 1),
    Case("cube_200", (), 2),
    thousand(0.395, 1),
    thousand(0.395, 2),
    thousand(0.213, 2),
)
TWO_DIMENSIONS = (
    Case("quickstart", (), 1),
    Case("quickstart", (), 2),
    Case("nmc532", (), 1),
    Case(
        "nmc532", ("solver.linear_solver=fieldsplit", "geometry.mesh.surface_size_factor=0.15"), 1
    ),
)
ONE_MINUTE = 'protocol.steps=["charge at C/2 for 1 min"]'
"""What a direct solver in 3D can do in a reasonable time: about 15 time steps."""

DIRECT_IN_3D = tuple(
    Case("cube_50", (*size, "solver.linear_solver=direct", ONE_MINUTE), 1)
    for size in (("geometry.particles=12",), ())
)
SPARSE = ("geometry.particles=91",)
"""Changes of cube_50 that give 64k unknowns."""


def launched(ranks: int, command: Sequence[str], environment: dict[str, str]) -> str:
    """Return the standard output of a command on a number of ranks."""
    prefix = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*prefix, *command], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"benchmark: {' '.join(command)} ended with {done.returncode}")
    return done.stdout


def run(case: Case, folder: Path) -> dict[str, Any]:
    """Run heterode with a new mesh and compiled equations, and return its manifest."""
    changes = [part for change in case.changes for part in ("--set", change)]
    preset = str(PROJECT / "params" / f"{case.preset}.toml")
    command = [sys.executable, "-m", "heterode", "run", preset]
    # Figures and statistics at the end of a run are not measured here.
    command += ["--out", str(folder), "--quiet", "--set", "output.report=false"]
    # A mesh kept from another row would make this run look cheaper.
    shutil.rmtree(Path(os.environ["HETERODE_CACHE"]) / "meshes", ignore_errors=True)
    launched(case.ranks, [*command, *changes], {"PYTHONPATH": str(PACKAGE_PATH)})
    return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def worker(name: str, *arguments: str, ranks: int = 1) -> dict[str, Any]:
    """Return the result of a function of benchmark_workers.py."""
    command = [sys.executable, str(WORKERS), name, *arguments]
    lines = launched(ranks, command, {"PYTHONPATH": str(PACKAGE_PATH)}).splitlines()
    return dict(json.loads(lines[-1]))


def workers_at_once(count: int, name: str, *arguments: str) -> list[dict[str, Any]]:
    """Return the results of several simultaneous processes of 1 rank."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: worker(name, *arguments), range(count)))


# -- tables -----------------------------------------------------------------------------------


def runs(note: Callable[[dict[str, Any]], None]) -> Table:
    """Return a row for each run; exponents refer to the nearest smaller run on as many ranks."""
    table = [
        [
            *("preset", "solver", "DOFs", "ranks", "steps"),
            *("Newton", "Krylov", "Krylov per solve"),
            *("mesh s", "set-up s", "assembly s", "preconditioner s", "linear solves s"),
            *("solve s", "output s", "total s", "GB", "exponent"),
        ]
    ]
    before: dict[int, tuple[int, float]] = {}
    for case in (*RUNS, *TWO_DIMENSIONS, *DIRECT_IN_3D):
        with tempfile.TemporaryDirectory() as folder:
            m = run(case, Path(folder) / "run")
        note(m)
        wall, parts, dofs = m["wall_s"], m["solve_s"], m["dofs"]
        exponent = ""
        if case in RUNS and case.ranks in before:
            least_dofs, least = before[case.ranks]
            exponent = f"{math.log(wall['solve'] / least) / math.log(dofs / least_dofs):.2f}"
        if case in RUNS:
            before[case.ranks] = dofs, wall["solve"]
        solves = m["newton_iterations"] + m["linearisations"]
        seconds = [wall["mesh"], wall["setup"], parts["assembly"], parts["preconditioner"]]
        seconds += [parts["linear solves"], wall["solve"], wall["output"], sum(wall.values())]
        counts = [dofs, case.ranks, m["steps"], m["newton_iterations"], m["krylov_iterations"]]
        table.append(
            [
                case.preset,
                m["linear_solver"],
                *[str(count) for count in counts],
                f"{m['krylov_iterations'] / solves:.1f}",
                *[f"{second:.1f}" for second in seconds],
                f"{m['peak_memory_bytes'] / 1e9:.2f}",
                exponent,
            ]
        )
        print("  ".join(table[-1]), file=sys.stderr, flush=True)
    return table


def direct() -> Table:
    """Compare two solvers on one matrix in the same process."""
    table = [
        ["solver", "DOFs", "set-up s", "two solves s", "per Newton iteration s", "GB", "error"]
    ]
    found = {name: worker("one_matrix", name, *SPARSE) for name in ("fieldsplit", "direct")}
    for name, f in found.items():
        whole = f["setup_s"] + f["solves_s"]
        seconds = [f"{second:.2f}" for second in (f["setup_s"], f["solves_s"], whole)]
        memory = f"{f['memory_bytes'] / 1e9:.3f}"
        table.append([name, str(f["dofs"]), *seconds, memory, f"{f['error']:.0e}"])
    per_iteration = [found[n]["setup_s"] + found[n]["solves_s"] for n in ("direct", "fieldsplit")]
    bytes_taken = [found[n]["memory_bytes"] for n in ("direct", "fieldsplit")]
    times = [f"{a / b:.1f}" for a, b in (per_iteration, bytes_taken)]
    table.append(["direct / fieldsplit", "", "", "", times[0], times[1], ""])
    return table


def agreement() -> Table:
    """Return the largest differences of the voltage over a full charge, V."""
    cases = {
        "1 rank": Case("cube_50", (), 1),
        "2 ranks": Case("cube_50", (), 2),
        "3 ranks": Case("cube_50", (), 3),
        "direct, 2 ranks": Case("cube_50", ("solver.linear_solver=direct",), 2),
    }
    table = [["against 1 rank, iterative", "DOFs", "steps", "largest voltage difference V"]]
    voltages: dict[str, list[float]] = {}
    for name, case in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            manifest = run(case, Path(folder) / "run")
            with open(Path(folder) / "run" / "history.csv", encoding="utf-8") as file:
                voltages[name] = [float(row["voltage_V"]) for row in csv.DictReader(file)]
        pairs = list(zip(voltages[name], voltages["1 rank"], strict=True))
        largest = max(abs(a - b) for a, b in pairs)
        table.append([name, f"{manifest['dofs']}", f"{manifest['steps']}", f"{largest:.1e}"])
        print("  ".join(table[-1]), file=sys.stderr, flush=True)
    return table[:1] + table[2:]


def ranks() -> Table:
    """Ten time steps at 5e5 unknowns, in different company."""
    changes = thousand(0.395, 1).changes
    alone = worker("parts", *changes)["seconds"]
    together = max(found["seconds"] for found in workers_at_once(2, "parts", *changes))
    two = worker("parts", *changes, ranks=2)["seconds"]
    return [
        ["", "seconds", "times 1 rank"],
        ["1 rank", f"{alone:.1f}", "1.00"],
        ["2 ranks", f"{two:.1f}", f"{alone / two:.2f}"],
        ["two runs of 1 rank at once", f"{together:.1f}", f"{2 * alone / together:.2f}"],
    ]


def profile() -> Table:
    """Seconds of the parts of ten time steps at 5e5 unknowns, and their memory traffic."""
    table = [["ranks", "part", "calls", "seconds", "share %", "GB/s", "of STREAM triad %"]]
    for ranks in (1, 2):
        found = worker("parts", *thousand(0.395, 1).changes, ranks=ranks)
        triad = worker("triad", ranks=ranks)["bytes_per_s"]
        table.append([f"{ranks}", "STREAM triad", "", "", "", f"{triad / 1e9:.1f}", "100"])
        for part in found["parts"]:
            speed = ["", ""]
            if part["bytes"]:
                rate = part["bytes"] / part["seconds"]
                speed = [f"{rate / 1e9:.1f}", f"{100 * rate / triad:.0f}"]
            share = f"{100 * part['seconds'] / found['seconds']:.0f}"
            table.append(
                [
                    str(ranks),
                    part["name"],
                    str(part["calls"]),
                    f"{part['seconds']:.2f}",
                    share,
                    *speed,
                ]
            )
    return table


# -- printing and keeping ---------------------------------------------------------------------


def keep_as_measured(manifests: Sequence[dict[str, Any]]) -> None:
    """Write the table that estimates are made from."""
    from heterode.forecast.estimate.cost import MeasuredRun

    with open(MEASURED, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(MeasuredRun)], lineterminator="\n")
        writer.writeheader()
        for m in manifests:
            writer.writerow(
                {
                    "dimension": m["parameters"]["geometry"]["dimension"],
                    **{key: m[key] for key in ("linear_solver", "dofs", "ranks", "steps")},
                    **{key: m[key] for key in ("newton_iterations", "krylov_iterations")},
                    "seconds_total": round(sum(m["wall_s"].values()), 1),
                    "seconds_solve": round(m["wall_s"]["solve"], 1),
                    "memory_bytes": m["peak_memory_bytes"],
                    "machine": machine(),
                }
            )


def machine() -> str:
    """Processor and cores."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return f"{len(names)} cores of {names[0]}"


def main() -> None:
    """Print the tables asked for."""
    manifests: list[dict[str, Any]] = []
    tables: dict[str, Callable[[], Table]] = {
        "runs": lambda: runs(manifests.append),
        "direct": direct,
        "agreement": agreement,
        "ranks": ranks,
        "profile": profile,
    }
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(tables)}")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/ as well")
    options = parser.parse_args()
    unknown = [name for name in options.tables if name not in tables]
    if unknown:
        parser.error(f"no table {unknown[0]!r}; there are {', '.join(tables)}")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HETERODE_CACHE"] = cache
        worker("compile")
        for name in options.tables or tables:
            heading, *rows = tables[name]()
            text = markdown(heading, rows)
            print(f"\n{name}, {machine()}\n\n{text}", flush=True)
            if options.write:
                put_on_page(PAGE, name, text)
    if options.write and manifests:
        keep_as_measured(manifests)


if __name__ == "__main__":
    main()
