"""The number of cores that this process may keep busy, and the control groups that limit it.

The threads of the statistics and the simultaneous runs of a sweep are counted by `usable_cores`.
Linear algebra is kept to one thread (`one_thread_a_library`), because ranks, threads and runs
already occupy the cores, and because BLAS and OpenMP ignore the CPU quota of a container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of whole cores that this process may keep busy, at least 1.

    It is the smallest of the process's affinity (set by Slurm and taskset) and the CPU quotas of
    its control group and that group's ancestors (set by containers and systemd).

    Args:
        root: the folder that holds proc and sys.
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
            # "max" and -1 mean that there is no limit.
            if quota != "max" and int(quota) > 0:
                cores = min(cores, int(quota) // int(period))
    return max(cores, 1)


def one_thread_a_library() -> None:
    """Keep BLAS and OpenMP from starting threads of their own, unless the user asks for some.

    The libraries read the setting while they are loaded, so this has to be called before NumPy is
    imported.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def control_groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Yield the folders of this process's control group and of its ancestors, with their version.

    Args:
        root: the folder that holds proc and sys.
        controller: the name of the controller, such as "cpu".
    """
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
