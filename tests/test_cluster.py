"""scripts/cluster: the batch script against stubs of Slurm's programs; the recipe as a text."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.paths import ROOT
from helpers.surroundings import PATIENCE
from heterode.results.manifest import Manifest

SBATCH = ROOT / "scripts" / "cluster" / "heterode.sbatch"
RECIPE = ROOT / "scripts" / "cluster" / "heterode.def"
SETUP = ROOT / "scripts" / "setup"

# srun or mpirun with a run inside. RUN says what it does: ends with a code at once, or works until
# SIGUSR1 and then, after a while, leaves a manifest and a code. A second signal ends it by the
# signal's usual effect, as it would a program that had not asked for more than one.
LAUNCHER = r"""#!/bin/bash
printf '%s\n' "${0##*/} $*" >>calls
manifest() {
    printf '{\n  "status": "%s",\n  "try": %s\n}\n' "$1" "$RANDOM" >results/manifest.json
}
stop() {
    trap - USR1
    echo signal >>calls
    until [ "$CHECKPOINT" != awaited ] || [ -e saved ]; do sleep 0.02; done
    manifest "$LEAVES"
    exit "$CODE"
}
mkdir -p results
case $RUN in
    done) manifest completed; exit 0 ;;
    code) manifest failed; exit "$CODE" ;;
    stopped) manifest stopped; exit 143 ;;
    silent) trap 'exit 138' USR1 ;;
    *) trap stop USR1 ;;
esac
echo ready >>calls
while :; do sleep 0.02; done
"""
SCONTROL = """#!/bin/bash
printf '%s\\n' "scontrol $*" >>calls
exit "$SCONTROL"
"""


@dataclass
class Job:
    """A batch script at work in a folder of its own."""

    folder: Path
    process: subprocess.Popen[str]

    def calls(self) -> list[str]:
        """What the stubs were called with, in order."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def until(self, text: str) -> Job:
        """Wait until a stub has said something."""
        end = time.monotonic() + PATIENCE
        while text not in self.calls():
            assert time.monotonic() < end, self.calls()
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        return self

    def signalled(self) -> Job:
        """The signal that Slurm sends to the batch script alone."""
        self.process.send_signal(signal.SIGUSR1)
        return self

    def saves(self) -> Job:
        """The checkpoint that CHECKPOINT="awaited" waits for is written."""
        # What was sent before has been received by now, or is as good as late on a real machine.
        time.sleep(0.3)
        (self.folder / "saved").touch()
        return self

    def ended(self) -> tuple[int, str]:
        """Exit code and what was said."""
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said

    def requeued(self) -> bool:
        return "scontrol requeue 17" in self.calls()


@pytest.fixture
def submit(tmp_path: Path) -> Callable[..., Job]:
    """submit(*arguments, script=SBATCH, RUN="work", CODE=138, ...) -> Job, in tmp_path."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    texts = {"srun": LAUNCHER, "mpirun": LAUNCHER, "scontrol": SCONTROL, "apptainer": "#!/bin/sh\n"}
    for name, text in texts.items():
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    (tmp_path / "a.toml").touch()
    (tmp_path / "heterode.sif").touch()

    def start(*arguments: str, script: Path = SBATCH, **settings: object) -> Job:
        given = {"SLURM_JOB_ID": 17, "SLURM_NTASKS": 64, "SLURM_JOB_NUM_NODES": 2}
        given |= {
            "RUN": "work",
            "CODE": 138,
            "LEAVES": "stopped",
            "CHECKPOINT": "at once",
            "SCONTROL": 0,
        }
        theirs = ("HETERODE_", "SLURM_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
        environment |= {name: str(value) for name, value in (given | settings).items()}
        environment["PATH"] = f"{stubs}:{environment['PATH']}"
        process = subprocess.Popen(
            ["bash", script, *(arguments or ("a.toml", "results"))],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Job(tmp_path, process)

    return start


def test_a_run_that_completes_is_not_put_back(submit: Callable[..., Job]) -> None:
    job = submit("a.toml", "results", "--set", "title=two words", RUN="done")
    assert job.ended()[0] == 0
    assert not job.requeued()
    (call,) = job.calls()
    words = r"srun --mpi=pmix .*/apptainer exec --bind \S+ --pwd \S+ heterode.sif heterode run "
    assert re.match(words + "a.toml --out results --resume --set title=two words$", call)


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_the_signal_reaches_the_run_and_the_job_goes_back(
    submit: Callable[..., Job], launcher: str
) -> None:
    job = submit(HETERODE_LAUNCHER=launcher, CHECKPOINT="awaited").until("ready").signalled()
    code, said = job.until("signal").saves().ended()
    assert code == 138
    # The checkpoint is written before the job goes back: the order of the calls says so.
    assert job.calls()[1:] == ["ready", "signal", "scontrol requeue 17"]
    assert "put back into the queue" in said


def test_a_second_signal_does_not_reach_the_run(submit: Callable[..., Job]) -> None:
    job = submit(CHECKPOINT="awaited").until("ready").signalled().until("signal").signalled()
    assert job.saves().ended()[0] == 138
    assert job.calls().count("signal") == 1
    assert job.requeued()


def damaged_script(tmp_path: Path, old: str, new: str) -> Path:
    """The script with one line changed, for tests that must then fail."""
    text = SBATCH.read_text()
    assert text.count(old) == 1
    path = tmp_path / "damaged.sbatch"
    path.write_text(text.replace(old, new))
    return path


def test_passed_on_twice_the_signal_would_cost_the_checkpoint(
    submit: Callable[..., Job], tmp_path: Path
) -> None:
    changed = damaged_script(tmp_path, "    ((sent == 0)) || return 0\n", "")
    job = submit(script=changed, CHECKPOINT="awaited").until("ready").signalled().until("signal")
    # It never comes to write its checkpoint: the second signal ended it.
    job.signalled().ended()
    assert not job.requeued()


def test_without_waiting_on_the_code_would_be_wrong(
    submit: Callable[..., Job], tmp_path: Path
) -> None:
    changed = damaged_script(tmp_path, "((woken)) || break", "break")
    job = submit(script=changed, CHECKPOINT="awaited").until("ready").signalled()
    job.process.wait(PATIENCE)
    assert job.saves().ended()[0] == 138
    assert not job.requeued()


@pytest.mark.parametrize("code", [2, 3, 137])
def test_a_failure_ends_the_job_with_its_code(submit: Callable[..., Job], code: int) -> None:
    job = submit(RUN="code", CODE=code)
    assert job.ended()[0] == code
    assert not job.requeued()


def test_a_failure_after_the_signal_is_not_put_back(submit: Callable[..., Job]) -> None:
    job = submit(LEAVES="failed", CODE=3).until("ready").signalled()
    code, said = job.ended()
    assert code == 3
    assert "code 3" in said
    assert not job.requeued()


def test_a_run_that_completes_after_the_signal_is_done(submit: Callable[..., Job]) -> None:
    job = submit(LEAVES="completed", CODE=0).until("ready").signalled()
    assert job.ended()[0] == 0
    assert not job.requeued()


def test_a_cancelled_run_is_not_put_back(submit: Callable[..., Job]) -> None:
    # scancel: the run stopped by a signal, but nobody asked this script.
    job = submit(RUN="stopped")
    assert job.ended()[0] == 143
    assert not job.requeued()


def test_the_word_of_an_earlier_run_does_not_count(
    submit: Callable[..., Job], tmp_path: Path
) -> None:
    # Killed by the signal before it began: putting it back would repeat that for ever.
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "manifest.json").write_text('{\n  "status": "stopped"\n}\n')
    job = submit(RUN="silent").until("ready").signalled()
    assert job.ended()[0] == 138
    assert not job.requeued()


def test_restarts_have_an_end(submit: Callable[..., Job]) -> None:
    job = submit(SLURM_RESTART_COUNT=5, HETERODE_RESTARTS=5).until("ready").signalled()
    code, said = job.ended()
    assert code == 138
    assert "last of 5" in said
    assert not job.requeued()


def test_where_slurm_refuses_it_says_how_to_go_on(submit: Callable[..., Job]) -> None:
    code, said = submit(SCONTROL=1).until("ready").signalled().ended()
    assert code == 138
    assert "Submit it again" in said


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"arguments": ("none.toml",)}, "none.toml"),
        ({"HETERODE_PLACE": "moon"}, "moon"),
        ({"HETERODE_LAUNCHER": "orterun"}, "orterun"),
        ({"HETERODE_IMAGE": "other.sif"}, "other.sif"),
        ({"HETERODE_PLACE": "userland"}, "2 nodes"),
    ],
)
def test_wrong_settings_are_one_line_and_code_2(
    submit: Callable[..., Job], settings: dict[str, object], named: str
) -> None:
    arguments = settings.pop("arguments", ("a.toml", "results"))
    assert isinstance(arguments, tuple)
    job = submit(*arguments, **settings)
    code, said = job.ended()
    assert code == 2
    assert named in said
    assert said.count("\n") == 1
    assert job.calls() == []


def test_one_node_may_take_the_userland(submit: Callable[..., Job], tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(tmp_path / "stubs" / "srun", tmp_path / "scripts" / "run")
    job = submit(HETERODE_PLACE="userland", SLURM_JOB_NUM_NODES=1).until("ready").signalled()
    assert job.ended()[0] == 138
    assert job.calls()[0] == "run -n 64 -- heterode run a.toml --out results --resume"
    assert job.requeued()


def test_the_script_finds_the_status_where_heterode_writes_it(tmp_path: Path) -> None:
    (pattern,) = re.findall(r"grep -qE '(.*)' ", SBATCH.read_text())
    manifest = Manifest(tmp_path / "manifest.json", title='"status": "stopped"')
    words = ["grep", "-cE", pattern, manifest.path]
    assert subprocess.run(words, capture_output=True, text=True).stdout == "0\n"
    manifest.finish("stopped", "stopped by signal 10")
    assert subprocess.run(words, capture_output=True, text=True).stdout == "1\n"


def test_slurm_is_asked_for_what_the_script_needs() -> None:
    options = re.findall(r"^#SBATCH (\S+)$", SBATCH.read_text(), re.MULTILINE)
    assert {"--signal=B:USR1@300", "--requeue", "--open-mode=append"} <= set(options)


def test_the_readme_submits_it_rightly() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.split() for line in readme.splitlines() if " scripts/cluster/" in line]
    submitted = [line for line in lines if "sbatch" in line]
    assert submitted
    for line in submitted:
        place = line.index("scripts/cluster/heterode.sbatch")
        assert (ROOT / line[place + 1]).is_file()
        for setting in line[: line.index("sbatch")]:
            assert setting.split("=")[0] in SBATCH.read_text()
    (build,) = (line for line in lines if "build" in line)
    assert (ROOT / build[-1]) == RECIPE


# -- the recipe -----------------------------------------------------------------------------------


def section(name: str) -> str:
    """A section of the recipe."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def copied() -> dict[str, str]:
    """Files the recipe copies: here -> there."""
    lines = [line.split() for line in section("files").splitlines() if line.strip()]
    return {line[0]: line[1] for line in lines}


def test_the_recipe_copies_what_there_is() -> None:
    for here, there in copied().items():
        assert (ROOT / here).exists(), here
        assert there == f"/opt/heterode/{here}"
    # The package, and the link under which Python finds it: kept a link or copied, it leads there.
    assert "simulator" in copied()
    assert "scripts/setup" in copied()
    (path,) = re.findall(r"export PYTHONPATH=/opt/heterode/(.*)", section("environment"))
    assert (ROOT / path / "heterode").resolve() == ROOT / "simulator"


def test_the_recipe_uses_the_lists_of_set_up() -> None:
    docker, recipe = (ROOT / "Dockerfile").read_text(), section("post")
    for name in ("packages.txt", "locks/userland.txt"):
        path = f"/opt/heterode/scripts/setup/{name}"
        assert path in docker
        assert path in recipe
        assert any(path.startswith(there + "/") for there in copied().values())
        for entry in (SETUP / name).read_text().splitlines():
            word = entry.split("#")[0].strip()
            assert not word or word in ("gcc", "python3-venv") or word not in RECIPE.read_text()
    assert "--no-install-recommends" in recipe


def test_the_recipe_starts_where_the_dockerfile_does() -> None:
    docker, recipe = (ROOT / "Dockerfile").read_text(), RECIPE.read_text()
    base = re.search(r"^FROM (\S+)$", docker, re.MULTILINE)
    assert base
    assert f"From: {base[1]}\n" in recipe
    block = re.search(r"^ENV (.*?)\n\n", docker, re.MULTILINE | re.DOTALL)
    assert block
    wanted = dict(re.findall(r"(\w+)=(\S+)", block[1]))
    # A home of the user's own; the launcher is the host's, and one node is not all there is.
    for name in list(wanted):
        if name == "HOME" or name.startswith(("PRTE_", "OMPI_")):
            del wanted[name]
    set_up = dict(re.findall(r"export (\w+)=(\S+)", section("environment")))
    assert set_up.pop("OMP_NUM_THREADS") == '"${OMP_NUM_THREADS:-1}"'
    del wanted["OMP_NUM_THREADS"]
    assert wanted.items() <= set_up.items()
    assert not any(name.startswith(("OMPI_MCA_btl", "PMIX")) for name in set_up)


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_the_sections_are_shell(name: str) -> None:
    done = subprocess.run(["sh", "-n"], input=section(name), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", ["post", "environment", "test"])
def test_shellcheck_finds_nothing(name: str) -> None:
    words = ["shellcheck", "-s", "sh", "-"]
    done = subprocess.run(words, input=section(name), text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
