"""The cores that this process may keep busy, and the control groups that limit it.

All that shares out work goes by `usable_cores`: the threads of the statistics, the runs of a sweep.
Linear algebra keeps to one thread (`one_thread_a_library`): ranks, threads and runs have the cores
already, and its own threads know no quota of a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Whole cores this process may keep busy, at least 1.

    The least of its affinity (which Slurm and taskset set) and of the CPU quotas of its control
    group and all above it (which containers and systemd set).

    Args:
        root: where /proc and /sys are.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    for group, version in control_groups(root, "cpu"):
        with suppress(OSError, ValueError):
            if version == 2:
                quota, period = (group / "cpu.max").read_text().split()
            else:
                quota, period = (
                    (group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
                )
            # "max", or -1, is no limit.
            if quota != "max" and int(quota) > 0:
                cores = min(cores, int(quota) // int(period))
    return max(cores, 1)


def one_thread_a_library() -> None:
    """Let BLAS and OpenMP start no threads of their own, unless the user asks for some.

    They read this when they are loaded, so it has to come before NumPy.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def control_groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Folders of the control group of this process and of all above it, with their version."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    mounts = root / "sys" / "fs" / "cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            folder, version = mounts, 2
        elif controller in controllers.split(","):
            folder, version = mounts / controller, 1
        else:
            continue
        inner = Path(path.lstrip("/"))
        for group in (inner, *inner.parents):
            yield folder / group, version
