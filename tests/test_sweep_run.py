"""Sweeps that are run: the pool, its signals, failures and processes that die; one run alone."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

from helpers.commands import Ended as Process
from helpers.commands import command, environment
from helpers.paths import PRESET
from helpers.surroundings import PATIENCE
from helpers.sweeps import plan, swept
from heterode.base.cores import usable_cores
from heterode.base.errors import InputError
from heterode.geometry import cache
from heterode.parameters import load_parameters
from heterode.progress.board import Board
from heterode.results.manifest import read_manifest
from heterode.sweep.folder import Ended, SweepFolder
from heterode.sweep.pool import Pool, slots_for, tasks_of
from heterode.sweep.schema import is_column
from heterode.sweep.slots import DiedError, Slot, WorkerSlot
from heterode.sweep.worker import Task

# -- the pool, without simulations -----------------------------------------------------------


class Desk:
    """A slot that does as its script says: an Ended, or an exception to raise."""

    def __init__(self, script: dict[int, Ended | Exception], wait: threading.Event | None) -> None:
        self.script, self.wait, self.done, self.stopped = script, wait, 0, threading.Event()

    def prepare(self) -> None:
        return

    def run(self, task: Task, said: Callable[[str], None]) -> Ended:
        self.done += 1
        said(" 50 %")
        if self.wait is not None:
            self.wait.set()
            assert self.stopped.wait(10)
            return Ended("stopped", "stopped by signal 10", signal=10)
        told = self.script.get(self.done, Ended("completed", "done"))
        if isinstance(told, Exception):
            raise told
        return told

    def stop(self) -> None:
        self.stopped.set()

    def kill(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        return


def pool(tmp_path: Path, script: dict[int, Ended | Exception]) -> tuple[SweepFolder, str]:
    """Three runs on one desk; returns the folder and what the board said."""
    found = plan(tmp_path, "[vary]\npenalty.shape = [1, 2, 3]")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    stream = io.StringIO()
    slots: list[Slot] = [Desk(script, None)]
    Pool(folder, slots, Board(stream, "", 3)).run(tasks_of(found, folder, retry=False))
    return folder, stream.getvalue()


def test_a_run_whose_process_dies_does_not_stop_the_others(tmp_path: Path) -> None:
    folder, said = pool(tmp_path, {2: DiedError("its process was ended by signal 9")})
    lines = said.splitlines()
    assert [line.split()[0] for line in lines] == ["1/3", "2/3", "3/3"]
    assert "failed" in lines[1]
    assert lines[1].count("its process was ended by signal 9") == 1
    found = folder.read()
    assert folder.ended(found.runs[1].id) == Ended("failed", "its process was ended by signal 9")
    # Failed runs are done with, until they are asked for again. The desk notes no others.
    left = [task.run.id for task in tasks_of(found, folder, retry=False)]
    assert left == [found.runs[0].id, found.runs[2].id]
    retried = tasks_of(found, folder, retry=True)
    assert [task.again for task in retried] == [False, True, False]


def test_a_slot_without_runs_leaves_time_for_other_things(tmp_path: Path) -> None:
    found = plan(tmp_path, "[vary]\npenalty.shape = [1, 2, 3]")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    stream, shown = io.StringIO(), []
    desks = [Desk({}, None), Desk({}, None)]
    slots: list[Slot] = list(desks)
    told = Board(stream, "", 3)
    pool = Pool(folder, slots, told, lambda: shown.append(sum(desk.done for desk in desks)))
    assert pool.run(tasks_of(found, folder, retry=False)) == 0
    # Once a slot; the last to leave has seen all runs done.
    assert len(shown) == len(desks)
    assert max(shown) == 3


def test_other_measures_are_taken_of_runs_that_are_there(tmp_path: Path) -> None:
    found = plan(tmp_path, "[seeds]\npenalty = 3")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    for run in found.runs[:2]:
        folder.end(run.id, Ended("completed", "done", asked=found.file.measure.asked))
    assert [task.run for task in tasks_of(found, folder, retry=False)] == [found.runs[2]]
    other = plan(tmp_path, "[seeds]\npenalty = 3\n[measure]\nband = 0.05")
    assert [task.run for task in tasks_of(other, folder, retry=False)] == list(other.runs)


def test_a_signal_stops_what_runs_and_starts_no_more(tmp_path: Path) -> None:
    found = plan(tmp_path, "[vary]\npenalty.shape = [1, 2, 3]")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    begun = threading.Event()
    desk = Desk({}, begun)

    def interrupt() -> None:
        assert begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    stream = io.StringIO()
    slots: list[Slot] = [desk]
    ended = Pool(folder, slots, Board(stream, "", 3)).run(tasks_of(found, folder, retry=False))
    assert ended == signal.SIGINT
    assert desk.done == 1
    assert "stopping: each run writes a checkpoint first" in stream.getvalue()
    assert len(tasks_of(found, folder, retry=False)) == 3


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream, clock = Terminal(), iter(range(100))
    board = Board(stream, "My sweep", 3, clock=lambda: float(next(clock)))
    board.begin("aaa", "shape 1")
    board.line("aaa", " 42 %  V = 4.0 V")
    board.end("aaa", "failed", "at t = 3 s: the salt is depleted")
    board.begin("bbb", "shape 2")
    board.close()
    shown = stream.getvalue()
    for part in ("My sweep", "1/3", "shape 1", "running", "the salt is depleted", "1 failed"):
        assert part in shown


# -- cores and meshes ------------------------------------------------------------------------


def cgroup(root: Path, line: str, **files: str) -> Path:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(line + "\n")
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_quotas_of_control_groups_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert usable_cores(tmp_path / "none") == 8
    inner = {"a__b__cpu-max": "max 100000", "a__cpu-max": "350000 100000"}
    assert usable_cores(cgroup(tmp_path / "two", "0::/a/b", **inner)) == 3
    first = {"cpu__cpu-cfs_quota_us": "50000", "cpu__cpu-cfs_period_us": "100000"}
    assert usable_cores(cgroup(tmp_path / "one", "4:cpu,cpuacct:/", **first)) == 1
    free = {"cpu__cpu-cfs_quota_us": "-1", "cpu__cpu-cfs_period_us": "100000"}
    assert usable_cores(cgroup(tmp_path / "free", "4:cpu,cpuacct:/", **free)) == 8


def test_the_threads_of_the_statistics_keep_to_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    from heterode.heterogeneity import compiled

    for cores, threads in ((1, 1), (3, 3), (8, compiled.MOST_THREADS)):
        monkeypatch.setattr("heterode.heterogeneity.compiled.usable_cores", lambda n=cores: n)
        assert compiled.threads() == threads


def test_linear_algebra_takes_one_thread_unless_asked() -> None:
    says = "from heterode.cli import main; main(['check', 'none.toml']); import os; import numpy\n"
    says += "print(os.environ['OMP_NUM_THREADS'])"
    for given, found in (({}, "1"), ({"OMP_NUM_THREADS": "2"}, "2")):
        own = {k: v for k, v in environment().items() if k != "OMP_NUM_THREADS"} | given
        done = subprocess.run(
            [sys.executable, "-c", says], env=own, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{found}\n"


def test_cores_are_never_oversubscribed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heterode.sweep.pool.usable_cores", lambda: 5)
    assert slots_for(1, None) == 5
    assert slots_for(2, None) == 2
    assert slots_for(2, 1) == 1
    with pytest.raises(InputError, match=r"--jobs 3 with 2 ranks .*allowed: 1 to 2"):
        slots_for(2, 3)
    with pytest.raises(InputError, match=r"ranks = 6, .* 5 cores"):
        slots_for(6, None)


@pytest.mark.parametrize("locked", [True, False])
def test_two_runs_that_want_a_mesh_make_it_once(
    locked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path))
    overrides = ["geometry.particles=12", "geometry.mesh.surface_size_factor=0.8"]
    chosen = load_parameters(PRESET, overrides)
    made = cache.mesh_for(chosen)
    (stored,) = (tmp_path / "meshes").iterdir()
    stored.unlink()
    count = []
    second = threading.Event()

    def slowly(*_: object) -> object:
        count.append(1)
        if len(count) > 1:
            second.set()
        # Without the lock the others come here as well, however long they take.
        second.wait(0.3 if locked else PATIENCE)
        return made

    monkeypatch.setattr(cache, "packing_for", lambda _: cache.Packing)
    monkeypatch.setattr(cache, "_terminal_progress", lambda _: None)
    monkeypatch.setattr(cache.Packing, "radii_um", (), raising=False)
    monkeypatch.setattr(cache.meshing, "build_mesh", slowly)
    if not locked:
        monkeypatch.setattr(cache, "_alone", lambda _: nullcontext())
    threads = [threading.Thread(target=cache.mesh_for, args=(chosen,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(count) == 1) == locked
    assert [path.suffix for path in (tmp_path / "meshes").iterdir()] == [".msh"]


# -- with simulations ------------------------------------------------------------------------


def test_a_sweep_lists_what_failed_and_goes_on(
    tmp_path: Path, heterode: Callable[..., Process]
) -> None:
    file = swept(
        tmp_path,
        """
        [levels.case]
        good = { penalty.shape = 2 }
        other = { penalty.shape = 3 }
        [levels.case.bad]
        protocol.steps = ["discharge at 300C for 1 h"]
        active_material.rate_constant = "1e-7 m/s"
        [measure]
        voltage_at = ["1 A h/m^2", "x = 0.5"]
        """,
    )
    ended = heterode("sweep", file, cwd=tmp_path, env={"TERM": "dumb"})
    assert ended.code == 3, ended.err
    assert ended.out.startswith("2 completed, 1 failed\n")
    assert "filled with lithium" in ended.err
    folder = tmp_path / "results" / "small"
    table = pd.read_csv(folder / "sweep.csv", float_precision="round_trip").set_index("run")
    assert list(table["status"]) == ["completed", "completed", "failed"]
    good = table.iloc[0]
    assert good["particles"] == 5
    # No name of a factor can take the place of a column.
    assert [name for name in table.columns if not is_column(name)] == ["case"]
    assert good["wall_s"] > 0
    assert good["memory_bytes"] > 1e8
    # Two minutes at C/2 pass less than that, and half the lithium stays in.
    assert pd.isna(good["voltage_at_x_0.5_V"])
    assert good["peak_spread"] > 0
    assert "5 particles" in good["remark"]
    parquet = pd.read_parquet(folder / "sweep.parquet")
    assert list(parquet["wall_s"].dropna()) == list(table["wall_s"].dropna())
    # Complete runs are left alone; the failed one is listed again, and run again on request.
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*.json")}
    again = heterode("sweep", file, "--quiet", cwd=tmp_path)
    assert (again.code, again.out) == (3, "")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    failed = str(table.index[2])
    one = heterode("sweep", folder, "--run", failed, "--retry-failed", "--quiet", cwd=tmp_path)
    assert one.code == 3
    outcome = folder / "runs" / f"{failed}.json"
    assert outcome.stat().st_mtime_ns > before[outcome]


def started(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(0, ["sweep", *words]),
        cwd=cwd,
        env=environment(TERM="dumb"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(there: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_interrupted_sweep_is_gone_on_with(tmp_path: Path) -> None:
    text = "solver.maximum_step_fraction = 0.002\n[vary]\npenalty.shape = [2, 3]"
    file = swept(tmp_path, text, "charge at C/2 until 4.5 V")
    process = started(file, "--jobs", "1", cwd=tmp_path)
    runs = tmp_path / "results" / "small" / "runs"

    def far() -> bool:
        return any(len(p.read_text().splitlines()) > 5 for p in runs.glob("*/history.csv"))

    wait_for(far)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, err
    assert "1 stopped, 1 waiting" in out
    (first,) = (p for p in runs.iterdir() if p.is_dir())
    assert read_manifest(first / "manifest.json")["status"] == "stopped"
    rows = len((first / "history.csv").read_text().splitlines())
    # Its worker is killed now, as for want of memory: it is replaced, and the run listed.
    process = started(file, "--jobs", "1", cwd=tmp_path)
    wait_for(lambda: len((first / "history.csv").read_text().splitlines()) > rows + 5)
    pieces = read_manifest(first / "manifest.json")["pieces"]
    assert pieces[1]["from_step"] >= 4
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: (runs / f"{first.name}.json").is_file())
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert f"run {first.name}: its process was ended by signal 9 (SIGKILL)" in err


def children(process: int) -> list[int]:
    """Workers of a sweep; Python's own helper of the start method is none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            words = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if parent == process and b"spawn_main" in words:
            found.append(int(path.parent.name))
    return found


def test_a_worker_ends_with_its_pool(tmp_path: Path) -> None:
    found = plan(tmp_path, "")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    slot = WorkerSlot(folder)
    slot.prepare()
    process = slot._process
    assert process is not None
    slot.close()
    assert not process.is_alive()
    assert process.exitcode == 0


@pytest.mark.mpi
def test_runs_may_have_ranks_of_their_own(
    tmp_path: Path, heterode: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    if usable_cores() < 2:
        pytest.skip("two ranks need two cores")
    file = swept(tmp_path, "[vary]\npenalty.shape = [2]")
    # Told by the file, when workers for runs of one rank are loading already.
    file.write_text(f"ranks = 2\n{file.read_text()}", encoding="utf-8")
    ended = heterode("sweep", file, "--quiet", cwd=tmp_path)
    assert ended.code == 0, ended.err
    table = pd.read_csv(tmp_path / "results" / "small" / "sweep.csv")
    assert list(table["ranks"]) == [2]
    assert list(table["status"]) == ["completed"]


def test_a_list_has_a_command_for_each_run(
    tmp_path: Path, heterode: Callable[..., Process]
) -> None:
    file = swept(tmp_path, "[vary]\npenalty.shape = [2, 3]")
    listed = heterode("sweep", file, "--list", "--ranks", "4", cwd=tmp_path)
    lines = listed.out.splitlines()
    assert len(lines) == 2
    folder = tmp_path / "results" / "small"
    for line in lines:
        assert line.startswith(f"mpirun -n 4 heterode sweep {folder} --run ")
    name = lines[0].split()[-1]
    one = heterode("sweep", folder, "--run", name, cwd=tmp_path)
    assert one.code == 0, one.err
    assert one.out.startswith(f"{name} completed")
    # Collected while the other waits; listed are those that are left.
    collected = heterode("sweep", folder, "--collect", cwd=tmp_path)
    assert collected.out.startswith("1 completed, 1 waiting")
    left = heterode("sweep", folder, "--list", cwd=tmp_path).out
    assert left.split()[-1] == lines[1].split()[-1]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["none.toml"], "none.toml: no such file"),
        (["small.toml", "--jobs", "1000"], "--jobs 1000"),
        (["small.toml", "--ranks", "0"], "--ranks: '0'"),
        (["small.toml", "--run", "beef"], "--run beef: is no run"),
        (["."], "no sweep.json"),
        (["small.toml", "--slurm"], "there is no sbatch here"),
        (["small.toml", "--list", "--collect"], "not allowed with"),
    ],
)
def test_wrong_words_are_one_line(
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from heterode.cli import main

    swept(tmp_path, "[vary]\npenalty.shape = [2]")
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
