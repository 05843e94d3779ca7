"""The runs of a sweep as a Slurm array job, by submitit.

Each element runs `heterode sweep FOLDER --run ID` on one node. Slurm signals an element before its
time is up and when it is preempted; the run then writes a checkpoint, and the element is requeued
and resumes from there. All that a run needs is in the sweep's folder, which all nodes must be able
to read.

submitit (Meta, MIT licence; releases since 2020, no dependency beyond cloudpickle) writes the batch
script, submits it as one array and requeues elements. dask-jobqueue and parsl serve tasks from
workers that they keep in the queue, and need a process on the login node for the whole time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from heterode.base.errors import InputError
from heterode.sweep.folder import SweepFolder
from heterode.sweep.plan import SweepPlan
from heterode.sweep.slots import command_of
from heterode.sweep.worker import STOP, Task, end_with_parent

SIGNAL_S = 300
"""Seconds between the signal and the end of an element's time, enough to write a checkpoint."""

_THEIRS = ("SLURM_", "PMI_", "PMIX_", "OMPI_COMM_", "PRTE_")


class Element:
    """The work of an element of the array, which submitit pickles and calls on a node.

    Args:
        command: the words that do the run.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Do the run and return heterode's exit code.

        Raises:
            RuntimeError: the run failed, so that Slurm shows the element as failed.
        """
        # The launcher must not take this job step for its own; it is to start the ranks on this
        # node.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_THEIRS)}
        kept |= {"PRTE_MCA_plm": "^slurm", "PRTE_MCA_ras": "^slurm", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(self._command, env=kept, preexec_fn=end_with_parent)
        code = self._process.wait()
        if code != 0:
            raise RuntimeError(f"heterode ended with code {code}: {' '.join(self._command)}")
        return code

    def checkpoint(self) -> Any:
        """Stop the run at a checkpoint and requeue the element; called in a signal handler."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._process.pid, STOP)
                # Popen.wait is what the signal interrupted, and it holds Popen's lock.
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Element(self._command))

    def __getstate__(self) -> dict[str, Any]:
        return {"_command": self._command, "_process": None}


def submit(plan: SweepPlan, folder: SweepFolder, tasks: Sequence[Task], ranks: int) -> str:
    """Submit the runs as one array job and return its number.

    Raises:
        InputError: there is no Slurm on this machine, or it refuses the job.
    """
    for program in ("sbatch", "srun"):
        if shutil.which(program) is None:
            raise InputError(
                f"--slurm: there is no {program} here. Call it where Slurm is (the userland of "
                "scripts/run has none), or take --list and a scheduler of your own"
            )
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    asked, new = plan.file.slurm, not folder.slurm.exists()
    python = [sys.executable] if asked.python is None else shlex.split(asked.python)
    # With -P nothing is imported from the folder in which the job happens to start.
    executor = SlurmExecutor(
        folder=folder.slurm.absolute(),
        max_num_timeout=asked.requeues,
        python=shlex.join([*python, "-P"]),
    )
    executor.update_parameters(**_parameters(plan, ranks))
    base = command_of(folder.path.absolute(), ranks, python)
    elements = [
        Element([*base, task.run.id, *(["--retry-failed"] if task.again else [])]) for task in tasks
    ]
    try:
        with executor.batch():
            jobs = [executor.submit(element) for element in elements]
        return str(jobs[0].job_id).partition("_")[0]
    except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
        if new:
            # These are the scripts of a job that was not submitted.
            shutil.rmtree(folder.slurm, ignore_errors=True)
        reason = " ".join(str(error).split())
        raise InputError(f"--slurm: sbatch refuses the job ({reason}). See [slurm]") from None


def _parameters(plan: SweepPlan, ranks: int) -> dict[str, Any]:
    """Return the arguments of `SlurmExecutor.update_parameters`."""
    asked = plan.file.slurm
    # The name shows in squeue.
    name = "".join(c if c.isalnum() else "-" for c in plan.source.stem)
    parameters: dict[str, Any] = {
        "job_name": f"heterode-{name}",
        "time": max(1, round(asked.time / 60)),
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": ranks,
        "mem": f"{asked.memory_GB:g}GB",
        "array_parallelism": asked.at_once,
        "signal_delay_s": SIGNAL_S,
        "additional_parameters": {"requeue": True, **asked.options},
    }
    given = {"partition": asked.partition, "account": asked.account}
    return parameters | {name: text for name, text in given.items() if text is not None}
