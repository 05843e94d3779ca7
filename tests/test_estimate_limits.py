"""What the machine, a control group or a job offers, and the warnings of what does not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from helpers.cells import cell
from helpers.estimates import AMPLE, load
from heterode.forecast.estimate import (
    Limits,
    forecast,
    present_limits,
)
from heterode.forecast.estimate import warnings as unfit
from heterode.forecast.estimate.cost import (
    Cost,
)
from heterode.runs.description import describe_size

# -- limits ---------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """/proc and /sys of a machine with 8 GB free and no other limit."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:  8000000 kB\n")
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/jobs/one\n")
    (tmp_path / "sys" / "fs" / "cgroup" / "jobs" / "one").mkdir(parents=True)
    return tmp_path


def test_the_machine_s_memory_is_the_limit(machine: Path) -> None:
    assert present_limits({}, machine) == Limits(8_000_000 * 1024, None, "on this machine")
    assert present_limits({}, machine / "nowhere") == Limits(None, None, "")


def test_the_real_machine_has_memory() -> None:
    limits = present_limits({})
    assert limits.memory_bytes is not None
    assert limits.memory_bytes > 1e7


def test_control_groups_limit_it_further(machine: Path) -> None:
    groups = machine / "sys" / "fs" / "cgroup"
    (groups / "jobs" / "one" / "memory.max").write_text("max\n")
    assert present_limits({}, machine).source == "on this machine"
    (groups / "jobs" / "memory.max").write_text("3000000000\n")
    assert present_limits({}, machine).memory_bytes == 3e9

    (machine / "proc" / "self" / "cgroup").write_text("9:cpu:/\n8:memory,hugetlb:/old\n")
    old = groups / "memory" / "old"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert present_limits({}, machine).source == "on this machine"
    (old / "memory.limit_in_bytes").write_text("2000000000\n")
    assert present_limits({}, machine) == Limits(2e9, None, "in this control group")


@pytest.mark.parametrize(
    ("variables", "memory"),
    [
        ({"SLURM_MEM_PER_NODE": "4096"}, 4 * 2**30),
        ({"SLURM_MEM_PER_NODE": "4096", "SLURM_JOB_NUM_NODES": "3"}, 12 * 2**30),
        ({"SLURM_MEM_PER_CPU": "1024", "SLURM_NTASKS": "2"}, 2 * 2**30),
        (
            {"SLURM_MEM_PER_CPU": "1024", "SLURM_NTASKS": "2", "SLURM_CPUS_PER_TASK": "3"},
            6 * 2**30,
        ),
        # 0 asks Slurm for all that a node has.
        ({"SLURM_MEM_PER_NODE": "0", "SLURM_JOB_NUM_NODES": "2"}, 2 * 8_000_000 * 1024),
    ],
)
def test_a_slurm_job_has_the_memory_it_asked_for(
    machine: Path, variables: dict[str, str], memory: float
) -> None:
    assert present_limits(variables, machine).memory_bytes == memory


def test_a_slurm_job_has_an_end(machine: Path) -> None:
    variables = {"SLURM_JOB_END_TIME": "5000"}
    assert present_limits(variables, machine, now=2000.0).seconds == 3000.0
    assert present_limits(variables, machine, now=9000.0).seconds == 0.0


# -- warnings -------------------------------------------------------------------------------------


def test_too_little_memory_is_one_line_with_the_remedies() -> None:
    parameters = load("cube_1000")
    small = Limits(2e9, None, "in this job (SLURM_MEM_PER_NODE)")
    lines = forecast(parameters, 640_000, 4, "fieldsplit", small)
    (warning,) = (line for line in lines if line.startswith("warning: "))
    for part in ("2 GB", "SLURM_MEM_PER_NODE", "surface_size_factor (0.35", "particles", "nodes"):
        assert part in warning
    assert not any(
        "warning" in line for line in forecast(parameters, 640_000, 4, "fieldsplit", AMPLE)
    )


def test_too_little_time_is_said() -> None:
    parameters = load("cube_1000")
    short = dataclasses.replace(AMPLE, seconds=60.0)
    (line,) = unfit(parameters, 9, 2, "fieldsplit", Cost(100, 7000.0, 1e9, "", "a"), short)
    assert "about 1.9 h" in line
    assert "ends in 60 s" in line
    assert "--resume" in line
    enough = dataclasses.replace(AMPLE, seconds=8000.0)
    assert unfit(parameters, 9, 2, "fieldsplit", Cost(100, 7000.0, 1e9, "", "a"), enough) == []


def test_a_direct_solver_in_3d_is_warned_of_where_it_is_large() -> None:
    spatial, planar = load("cube_50"), load("quickstart")
    (line,) = unfit(spatial, 300_000, 1, "direct", None, AMPLE)
    assert 'solver.linear_solver = "direct"' in line
    assert "fieldsplit" in line
    assert unfit(spatial, 5_000, 1, "direct", None, AMPLE) == []
    assert unfit(spatial, 300_000, 1, "fieldsplit", None, AMPLE) == []
    assert unfit(planar, 300_000, 1, "direct", None, AMPLE) == []


def test_auto_chooses_by_dimension_and_size() -> None:
    automatic = load("quickstart").solver
    assert automatic.preset(60_000, 2) == automatic.preset(6_000, 3) == "direct"
    assert automatic.preset(60_001, 2) == automatic.preset(6_001, 3) == "fieldsplit"
    forced = load("cube_50", solver__linear_solver="direct").solver
    assert forced.preset(16_000_000, 3) == "direct"


def test_forecast_and_cell_take_the_same_solver() -> None:
    for solver in ("direct", "fieldsplit"):
        limit = f"solver.direct_limit={10**6 if solver == 'direct' else 0}"
        model = cell("five_discs_2d", [limit])
        assert model.preset == solver
        assert f"{solver} linear solver" in "\n".join(describe_size(model.parameters))
