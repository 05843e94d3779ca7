"""heterode sweep --slurm: the array job as submitit writes it, run against stubs of Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import Ended, environment
from helpers.surroundings import PATIENCE
from helpers.sweeps import plan, swept
from heterode.base.errors import InputError
from heterode.sweep.folder import SweepFolder
from heterode.sweep.pool import tasks_of
from heterode.sweep.slurm import submit

STUBS = {
    "sbatch": '#!/bin/sh\necho "sbatch $*" >>"$CALLS"\necho "Submitted batch job 42"\n',
    # Drops its own options, as the real one does before it starts the program.
    "srun": '#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do\n'
    "  case $1 in --unbuffered) shift ;; *) shift 2 ;; esac\ndone\n"
    'exec "$@"\n',
    "scontrol": '#!/bin/sh\necho "scontrol $*" >>"$CALLS"\n',
}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stubs on PATH; returns the file of their calls."""
    stubs, calls = tmp_path / "stubs", tmp_path / "calls"
    stubs.mkdir()
    for name, text in STUBS.items():
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{stubs}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(calls))
    return calls


def batch_script(folder: Path) -> str:
    (script,) = folder.glob("slurm/*_submission.sh")
    return script.read_text()


def test_an_array_asks_for_what_the_file_says(slurm: Path, tmp_path: Path) -> None:
    text = """
    [vary]
    penalty.shape = [1, 2, 3]
    [slurm]
    time = "90 min"
    memory_GB = 2
    partition = "long"
    account = "mine"
    at_once = 2
    options = { constraint = "icelake" }
    """
    found = plan(tmp_path, text)
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    assert submit(found, folder, tasks_of(found, folder, retry=False), 4) == "42"
    script = batch_script(folder.path)
    for line in (
        "--array=0-2%2",
        "--time=90",
        "--mem=2GB",
        "--partition=long",
        "--account=mine",
        "--constraint=icelake",
        "--cpus-per-task=4",
        "--nodes=1",
        "--signal=USR2@300",
        "--requeue",
        "--open-mode=append",
        "--job-name=heterode-sweep",
    ):
        assert f"#SBATCH {line}\n" in script, script
    assert slurm.read_text().count("sbatch ") == 1


def element(folder: Path, number: int, cwd: Path) -> subprocess.Popen[str]:
    """An element of the array, as Slurm starts it on a node."""
    (script,) = folder.glob("slurm/*_submission.sh")
    job = {"SLURM_JOB_ID": "43", "SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": str(number)}
    job |= {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_PROCID": "0"}
    # A launcher's variables, which the run's own ranks must not take for theirs.
    job |= {"SLURM_STEP_NUM_TASKS": "1", "PMIX_RANK": "0"}
    return subprocess.Popen(
        ["bash", str(script)],
        cwd=cwd,
        env=environment(**job),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_an_element_stops_at_a_checkpoint_and_goes_on(
    slurm: Path, tmp_path: Path, heterode: Callable[..., Ended]
) -> None:
    text = "solver.maximum_step_fraction = 0.005\n[vary]\npenalty.shape = [2, 3]"
    file = swept(tmp_path, text, "charge at C/2 for 40 min")
    submitted = heterode("sweep", file, "--slurm", cwd=tmp_path)
    assert submitted.code == 0, submitted.err
    assert submitted.out.startswith("submitted: array job 42 of 2 runs")
    folder = SweepFolder(tmp_path / "results" / "small")
    run = folder.read().runs[1].id
    history = folder.results(run) / "history.csv"
    process = element(folder.path, 1, tmp_path)
    end = time.monotonic() + 60
    while not (history.is_file() and len(history.read_text().splitlines()) > 5):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    # Slurm signals the program of the step, which here took the place of srun and its shell.
    (step,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"submitit.core._submit" in _read(path) and str(folder.path).encode() in _read(path)
    )
    os.kill(step, signal.SIGUSR2)
    said, _ = process.communicate(timeout=PATIENCE)
    assert slurm.read_text().splitlines()[-1] == "scontrol requeue 42_1", said
    assert folder.state(run).status == "stopped"
    # Back from the queue, it goes on and ends.
    process = element(folder.path, 1, tmp_path)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    ended = folder.ended(run)
    assert ended is not None
    assert ended.status == "completed"
    collected = heterode("sweep", file, "--collect", cwd=tmp_path)
    assert collected.out.startswith("1 completed, 1 waiting")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_where_slurm_refuses_it_is_one_line(slurm: Path, tmp_path: Path) -> None:
    (tmp_path / "stubs" / "sbatch").write_text('#!/bin/sh\necho "no such partition" >&2\nexit 1\n')
    found = plan(tmp_path, "[vary]\npenalty.shape = [1, 2]")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    with pytest.raises(InputError, match=r"sbatch refuses the job .*no such partition"):
        submit(found, folder, tasks_of(found, folder, retry=False), 1)


def test_python_may_be_started_in_a_container(slurm: Path, tmp_path: Path) -> None:
    found = plan(tmp_path, '[slurm]\npython = "apptainer exec heterode.sif python3"')
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    submit(found, folder, tasks_of(found, folder, retry=False), 1)
    script = batch_script(folder.path)
    assert "apptainer exec heterode.sif python3 -P -u -m submitit.core._submit" in script
    assert sys.executable not in script


@pytest.mark.parametrize(
    ("slurm_table", "key"),
    [
        ('partition = "a\\n#SBATCH --uid=0"', "slurm.partition"),
        ('partition = "a b"', "slurm.partition"),
        ('partition = ""', "slurm.partition"),
        ('account = "a\\n#SBATCH --wrap=true"', "slurm.account"),
        ('account = "$(id)"', "slurm.account"),
        ('python = "python3\\nrm -r x"', "slurm.python"),
        ('python = "python3 \'"', "slurm.python"),
        ('python = " "', "slurm.python"),
        ('options = { comment = "a\\n#SBATCH --uid=0" }', "slurm.options.comment"),
        ('options = { "x\\n#SBATCH --uid" = 0 }', "slurm.options"),
        ('options = { "wrap=true --x" = 0 }', "slurm.options"),
    ],
)
def test_no_setting_writes_a_directive_of_its_own(
    slurm_table: str, key: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        plan(tmp_path, f"[slurm]\n{slurm_table}")
    assert "\n" not in str(refused.value)
    assert f": {key}" in str(refused.value)


def test_settings_as_slurm_has_them_are_taken(slurm: Path, tmp_path: Path) -> None:
    table = (
        '[slurm]\npartition = "cpu_long,gpu-2"\naccount = "p1234@default"\n'
        'options = { qos = "low", mail-type = "END,FAIL", comment = "two words" }'
    )
    found = plan(tmp_path, table)
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    submit(found, folder, tasks_of(found, folder, retry=False), 1)
    script = batch_script(folder.path)
    for line in ("--partition=cpu_long,gpu-2", "--account=p1234@default", "--qos=low"):
        assert f"#SBATCH {line}\n" in script
    assert "#SBATCH --comment='two words'\n" in script
