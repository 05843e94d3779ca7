"""The resources of a machine or a batch job, and warnings if an estimate exceeds them.

Memory is the least of the kernel's available memory, the control group's limit (version 1 and 2)
and the memory that Slurm gave the job; time is the rest of a Slurm job. Units are bytes and s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heterode.base.cores import control_groups
from heterode.forecast.estimate.cost import Cost, expected_cost
from heterode.forecast.estimate.steps import expected_steps
from heterode.parameters import Parameters
from heterode.parameters.operation import Preset

ROOM = 0.9
"""Share of the memory that an estimate may take without a warning."""

LARGE_FOR_DIRECT = 30_000
"""Number of unknowns in 3D from which there is a warning about a direct solver."""

MANY_STEPS = 100_000
"""Number of time steps from which there is a warning: with 9 ms for each, as measured in the
smallest cell (five discs, 822 unknowns), they take a quarter of an hour."""

UNLIMITED = 1 << 60
"""Numbers from this on mean no limit in version 1 of the control groups."""


@dataclass(frozen=True)
class Limits:
    """The resources that a run may use.

    Attributes:
        memory_bytes: memory on all nodes; None if it is unknown.
        seconds: time, s; None without a limit.
        source: what limits the memory, as in "on this machine".
    """

    memory_bytes: float | None
    seconds: float | None
    source: str


def present_limits(
    environment: Mapping[str, str] = os.environ, root: Path = Path("/"), now: float | None = None
) -> Limits:
    """Return the limits of this machine, or of the Slurm job to which this process belongs.

    Args:
        environment: environment variables.
        root: folder in which /proc and /sys are.
        now: seconds since 1970; None reads the clock.
    """
    nodes = _number(environment, "SLURM_JOB_NUM_NODES") or 1
    here = [(size, "on this machine") for size in _available(root)]
    here += [(size, "in this control group") for size in _control_group(root)]
    per_node = _number(environment, "SLURM_MEM_PER_NODE")
    if per_node:
        here.append((per_node * 2**20, "in this job (SLURM_MEM_PER_NODE)"))
    offers = [(size * nodes, source) for size, source in here]
    per_cpu, tasks = (_number(environment, f"SLURM_{k}") for k in ("MEM_PER_CPU", "NTASKS"))
    if per_cpu and tasks:
        cpus = _number(environment, "SLURM_CPUS_PER_TASK") or 1
        offers.append((per_cpu * 2**20 * tasks * cpus, "in this job (SLURM_MEM_PER_CPU)"))
    memory, source = min(offers, default=(None, ""))
    end = _number(environment, "SLURM_JOB_END_TIME")
    left = None if not end else max(end - (time.time() if now is None else now), 0.0)
    return Limits(memory, left, source)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None


def _available(root: Path) -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc" / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _control_group(root: Path) -> Iterator[int]:
    """Yield the memory limits of this process's control group and of all groups above it."""
    for group, version in control_groups(root, "memory"):
        with suppress(OSError, ValueError):
            name = "memory.max" if version == 2 else "memory.limit_in_bytes"
            limit = int((group / name).read_text())
            if limit < UNLIMITED:
                yield limit


def warnings(
    parameters: Parameters, dofs: int, ranks: int, solver: Preset, cost: Cost | None, limits: Limits
) -> list[str]:
    """Return one line for each resource that does not suffice, which says what to change."""
    found = []
    if solver == "direct" and parameters.geometry.dimension == 3 and dofs > LARGE_FOR_DIRECT:
        found.append(
            'solver.linear_solver = "direct" is for small meshes in 3D: the time of each'
            " factorisation grows with about the square of the unknowns (7 s at 30 000, 42 s at"
            ' 64 000). Set it to "fieldsplit"'
        )
    steps = expected_steps(parameters) if cost is None else cost.steps
    if steps > MANY_STEPS:
        spaced = f"{steps:.2g}" if steps >= 1e9 else f"{int(float(f'{steps:.2g}')):,}"
        found.append(
            f"about {spaced.replace(',', ' ')} time steps will be needed. Shorten the protocol or"
            " repeat less, or raise solver.maximum_step_fraction"
            f" ({parameters.solver.maximum_step_fraction:g} now)"
        )
    if cost is None:
        return found
    room = limits.memory_bytes
    if room is not None and cost.memory_bytes > ROOM * room:
        found.append(
            f"about {gigabytes(cost.memory_bytes)} will be needed, and {gigabytes(room)} are there"
            f" {limits.source}. {_smaller(parameters, solver)}, or use more nodes"
        )
    if limits.seconds is not None and cost.seconds > limits.seconds:
        found.append(
            f"about {duration(cost.seconds)} will be needed on {ranks_text(ranks)}, and this job"
            f" ends in {duration(limits.seconds)}. Use more ranks or ask for more time; `heterode"
            " run --resume` goes on where a job ended"
        )
    return found


def _smaller(parameters: Parameters, solver: Preset) -> str:
    geometry = parameters.geometry
    if geometry.mesh_file is not None:
        return "Give a coarser geometry.mesh_file"
    remedy = f"Raise geometry.mesh.surface_size_factor ({geometry.mesh.surface_size_factor:g} now)"
    remedy += ", lower geometry.particles" if geometry.particles else ", lower geometry.width"
    if solver == "direct" and geometry.dimension == 3:
        remedy = f'Set solver.linear_solver to "fieldsplit". {remedy}'
    return remedy


def forecast(
    parameters: Parameters, dofs: int, ranks: int, solver: Preset, limits: Limits | None = None
) -> list[str]:
    """Return one line on the expected cost, and one for each resource that does not suffice.

    Args:
        limits: the available resources; None for those of this machine or job.
    """
    cost = expected_cost(parameters, dofs, ranks, solver=solver)
    lines = []
    if cost is not None:
        lines.append(
            f"estimated {duration(cost.seconds)} and {gigabytes(cost.memory_bytes)} on"
            f" {ranks_text(ranks)}, about {cost.steps} time steps, as on {cost.machine}"
        )
        lines += [cost.beyond] if cost.beyond else []
    limits = present_limits() if limits is None else limits
    unfit = warnings(parameters, dofs, ranks, solver, cost, limits)
    return lines + [f"warning: {text}" for text in unfit]


def ranks_text(ranks: int) -> str:
    """Return a text like "1 rank" or "2 ranks"."""
    return f"{ranks} rank{'s' if ranks > 1 else ''}"


def gigabytes(size: float) -> str:
    """Return a text like "3.1 GB"."""
    return f"{size / 1e9:.2g} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"


def duration(seconds: float) -> str:
    """Return a text as precise as an estimate: "40 s", "12 min", "3.5 h", "4 days"."""
    for unit, length, most in (("s", 1.0, 90.0), ("min", 60.0, 5400.0), ("h", 3600.0, 172800.0)):
        if seconds < most:
            return f"{max(seconds / length, 1):.2g} {unit}"
    return f"{seconds / 86400.0:.2g} days"
