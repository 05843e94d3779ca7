"""One run at a time in a folder, and readers that need no locks: with file locks and without them.

A file system without locks is played by a library loaded before the C library (no_file_locks.c).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from helpers.broken_runs import broken_at
from helpers.commands import Ended, environment, settings, short_run
from helpers.paths import HELPERS, ROOT
from helpers.synthetic import synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.results import ResultsFolder, read_fields, read_particle_series
from heterode.results.lock import FolderLock

WITHOUT_LOCKS = HELPERS / "no_file_locks.c"

HOLD = """
import sys
from heterode.results import ResultsFolder
from heterode.results.lock import FolderLock
lock = FolderLock(ResultsFolder(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""


@pytest.fixture(scope="session")
def lockless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process whose file system knows no locks."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "the equations could not be compiled either"
    made = tmp_path_factory.mktemp("lockless") / "no_file_locks.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, WITHOUT_LOCKS], check=True)
    env = {"LD_PRELOAD": str(made)}
    tried = "import fcntl, sys; fcntl.flock(sys.stdin, fcntl.LOCK_SH)"
    with Path(__file__).open() as file:
        plain, faked = (
            subprocess.run(
                [sys.executable, "-c", tried], stdin=file, env=environment(**more), check=False
            ).returncode
            for more in ({}, env)
        )
    assert (plain, faked) == (0, 1)
    return env


Holder = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def holder() -> Iterator[Holder]:
    """holder(folder, env): a process that holds a folder until it is told to let go."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, env: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            env=environment(**env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        process.said = process.stdout.readline()  # type: ignore[attr-defined]
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def let_go(process: subprocess.Popen[str]) -> str:
    """End a holder as a run ends; returns what it wrote to stderr."""
    return process.communicate("go\n")[1]


def test_without_locks_a_folder_is_held_by_its_file(
    tmp_path: Path, lockless: dict[str, str], holder: Holder
) -> None:
    first = holder(tmp_path, lockless)
    assert first.said == "held\n"
    second = holder(tmp_path, lockless)
    assert second.said == ""
    assert f"still writing there (process {first.pid} on " in let_go(second).splitlines()[-1]
    assert first.poll() is None
    said = let_go(first)
    assert "knows no locks" in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_of_this_host_gives_way(
    tmp_path: Path, lockless: dict[str, str], holder: Holder
) -> None:
    first = holder(tmp_path, lockless)
    # Killed and not waited for: a dead process that still has its number.
    first.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    assert (tmp_path / "lock").exists()
    second = holder(tmp_path, lockless)
    assert second.said == "held\n"
    assert f"process {second.pid} on" in (tmp_path / "lock").read_text()
    let_go(second)
    assert list(tmp_path.iterdir()) == []


def test_a_later_process_of_the_same_number_is_another(
    tmp_path: Path, lockless: dict[str, str], holder: Holder
) -> None:
    mine = f"process {os.getpid()} on {socket.gethostname()}"
    (tmp_path / "lock").write_text(f"{mine} since 1 without locks\n")
    taken = holder(tmp_path, lockless)
    assert taken.said == "held\n"
    let_go(taken)
    (tmp_path / "lock").write_text(f"{mine} since 0 without locks\n")
    assert holder(tmp_path, lockless).said == ""


CONTAINER = f"process 99999999 on {socket.gethostname()} since 5 in pid:[1] without locks\n"
"""Of a container that has this host's name and processes of its own: that one is not seen here."""


@pytest.mark.parametrize("text", ["process 7 on elsewhere\n", CONTAINER, "", "\x1b[2J nonsense\n"])
def test_another_hosts_file_is_named_and_left(
    text: str, tmp_path: Path, lockless: dict[str, str], holder: Holder
) -> None:
    (tmp_path / "lock").write_text(text)
    refused = holder(tmp_path, lockless)
    assert refused.said == ""
    last = let_go(refused).splitlines()[-1]
    assert f"remove {tmp_path / 'lock'}" in last
    assert "\x1b" not in last
    assert (tmp_path / "lock").read_text() == text
    # With locks the same file is a dead run's, or no run's: the system would know of a living one.
    if "nonsense" in text or text == CONTAINER:
        with pytest.raises(InputError, match=r"is not heterode's|may still be writing"):
            FolderLock(ResultsFolder(tmp_path))
        assert (tmp_path / "lock").read_text() == text
    else:
        FolderLock(ResultsFolder(tmp_path)).release()


def test_a_host_without_locks_keeps_out_one_with_them(
    tmp_path: Path, lockless: dict[str, str], holder: Holder
) -> None:
    first = holder(tmp_path, lockless)
    with pytest.raises(InputError, match=f"process {first.pid} on"):
        FolderLock(ResultsFolder(tmp_path))
    let_go(first)
    FolderLock(ResultsFolder(tmp_path)).release()


def test_a_lock_let_go_between_two_calls_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run before unlinks the file after this one opened it: such a lock would guard nothing."""
    lock, tries = fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not tries:
            (tmp_path / "lock").unlink()
        tries.append(handle)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    held = FolderLock(ResultsFolder(tmp_path))
    assert len(tries) == 2
    assert (tmp_path / "lock").exists()
    held.release()


# -- readers ----------------------------------------------------------------------------------

TELL = """
import sys
from heterode.results import read_fields, read_particle_series
folder = sys.argv[1]
print(len(read_particle_series(folder).time_s), len(read_fields(folder, "carbon").times_s))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("results") / "out", synthetic_run(8)).path


def test_readers_need_no_locks(results: Path, lockless: dict[str, str]) -> None:
    words = [sys.executable, "-c", TELL, str(results)]
    done = subprocess.run(
        words, env=environment(**lockless), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    count = len(read_particle_series(results).time_s)
    assert done.stdout.split() == [str(count), str(len(read_fields(results, "carbon").times_s))]


LOCKED = """
import sys, h5py
with h5py.File(sys.argv[1], "r+", locking=True):
    print("open", flush=True)
    sys.stdin.readline()
"""


def test_a_file_open_elsewhere_is_read(results: Path, tmp_path: Path) -> None:
    path = shutil.copy(results / "particles.h5", tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", LOCKED, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    try:
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r", locking=True)
        found = read_particle_series(path)
    finally:
        other.communicate("go\n")
    assert found.time_s.tolist() == read_particle_series(results).time_s.tolist()


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "folder", "missing", "no values"])
def test_what_cannot_be_read_is_one_plain_line(damage: str, results: Path, tmp_path: Path) -> None:
    path = tmp_path / "particles.h5"
    content = (results / "particles.h5").read_bytes()
    if damage == "no values":
        with h5py.File(path, "w") as file:
            file["time_s"] = [0.0]
    elif damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "cut": content[:700], "noise": b"x" * 4096}[damage])
    with pytest.raises(InputError) as error:
        read_particle_series(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.count(str(path)) == 1
    assert "synchronously" not in message
    assert "errno" not in message


def test_a_run_without_locks_goes_on(
    tmp_path: Path, lockless: dict[str, str], heterode: Callable[..., Ended]
) -> None:
    words = [*short_run("charge at C/2 for 2 min"), "--out", str(tmp_path / "out")]
    broken_at(2, tmp_path / "out", words)
    words += ["--resume", *settings(output__report="true")]
    ended = heterode(*words, env=lockless)
    assert ended.code == 0, ended.err
    assert "going on from t =" in ended.err
    assert "knows no locks" in ended.err
    assert "report/" not in ended.err, "a figure was lost"
    assert not (tmp_path / "out" / "lock").exists()
    report = tmp_path / "out" / "report"
    assert {"voltage.png", "particles.png", "lithium_fraction.png"} <= set(os.listdir(report))


# -- set-up -----------------------------------------------------------------------------------

COMMON = ROOT / "scripts" / "setup" / "common.sh"
AT_WORK = 'set -euo pipefail; source "$1"; shift; cache=$1; locked demo bash -c "$2"'


def set_up(cache: Path, work: str, env: dict[str, str], limit: float = 20.0) -> Ended:
    """What `locked` does in a cache folder on a file system such as `env` makes it."""
    words = ["bash", "-c", AT_WORK, "bash", str(COMMON), str(cache), work]
    process = subprocess.Popen(
        words, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return Ended(process.returncode, out, err)


def test_set_up_without_locks_holds_a_file(tmp_path: Path, lockless: dict[str, str]) -> None:
    held = tmp_path / "demo.held"
    done = set_up(tmp_path, f"cat {held}", lockless)
    assert (done.code, done.err) == (0, "")
    process, host = done.out.split()
    assert host == socket.gethostname()
    assert not held.exists()
    # That process is dead by now.
    held.write_text(f"{process} {host}\n")
    assert set_up(tmp_path, "echo at work", lockless).out == "at work\n"
    assert not held.exists()


@pytest.mark.parametrize("holder", ["alive", "elsewhere"])
def test_set_up_without_locks_waits_for_another(
    holder: str, tmp_path: Path, lockless: dict[str, str]
) -> None:
    held = tmp_path / "demo.held"
    host = socket.gethostname() if holder == "alive" else "elsewhere"
    held.write_text(f"{os.getpid()} {host}\n")
    waited = set_up(tmp_path, "echo at work", lockless, limit=3.0)
    assert waited.code < 0
    assert waited.out == ""
    # Once, not as fast as it can.
    assert waited.err.count("\n") == 1
    assert f"process {os.getpid()} on {host}" in waited.err
    assert f"remove {held}" in waited.err
    assert held.read_text() == f"{os.getpid()} {host}\n"
    # With locks the file says nothing.
    assert set_up(tmp_path, "echo at work", {}).out == "at work\n"
