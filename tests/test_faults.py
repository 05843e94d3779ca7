"""Whatever ends a command, there is one line and a code: libraries, paths, memory, streams."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import environment, short_run
from helpers.paths import PRESET, ROOT
from helpers.surroundings import PATIENCE
from heterode.base.errors import LONGEST_LINE, CompileError, InputError, ResumeError, one_line
from heterode.base.ranks import is_agreed, on_root, together
from heterode.base.reading import check_regular, read_regular
from heterode.cli.faults import explain

NASTY = (
    "two\nlines",
    "a\rb",
    "\x1b[31mred\x1b[0m",
    "bell\x07",
    "null\0",
    "back\b\b",
    "\u202eesrever",
    "un\udce4decodable",
    "line\u2028separator",
    "x" * 5000,
    "x " * 500_000,
)


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text[:12]))
@pytest.mark.parametrize("kind", [InputError, ResumeError, CompileError])
def test_a_message_is_one_printable_line(kind: type[Exception], text: str) -> None:
    line = str(kind(f"{text}: begins here, and here is the remedy"))
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE
    assert line.endswith("here is the remedy")
    # The negative control: the exception that they derive from keeps what it is given.
    raw = str(Exception(text))
    assert not raw.isprintable() or len(raw) > LONGEST_LINE


def test_a_plain_message_is_kept() -> None:
    text = "params/größe.toml: geometry.width = 3 (allowed: above 0, up to 10000 µm). Change it."
    assert one_line(text) == text == str(InputError(text))


def system_error(number: int, name: str = "a/b.csv") -> OSError:
    return OSError(number, os.strerror(number), name)


CASES = {
    "no such module": (ModuleNotFoundError("No module named 'h5py'", name="h5py"), 2, "h5py"),
    "part of a module": (
        ModuleNotFoundError("No module named 'skimage.io'", name="skimage.io"),
        2,
        "pip install scikit-image",
    ),
    "dolfinx": (ModuleNotFoundError("", name="dolfinx"), 2, "conda-forge fenics-dolfinx"),
    "broken module": (ImportError("no symbol x", name="numba"), 2, "numba fails: no symbol x"),
    "library of gmsh": (
        OSError("libGLU.so.1: cannot open shared object file: No such file or directory"),
        2,
        "libGLU.so.1",
    ),
    "own module": (
        ImportError("cannot import name 'f' from 'heterode.x'", name="heterode.x"),
        3,
        "a fault of the program (ImportError",
    ),
    "name too long": (system_error(errno.ENAMETOOLONG, "n" * 3000), 2, "File name too long"),
    "a loop of links": (system_error(errno.ELOOP), 2, "a/b.csv: Too many levels"),
    "file for a folder": (system_error(errno.ENOTDIR), 2, "a/b.csv: Not a directory"),
    "no permission": (system_error(errno.EACCES), 2, "a/b.csv: Permission denied"),
    "disk full": (system_error(errno.ENOSPC), 3, "No space left on device. Free space"),
    "too many files": (system_error(errno.EMFILE), 3, "ulimit -n"),
    "disk broken": (system_error(errno.EIO), 3, "a/b.csv: Input/output error"),
    "memory": (MemoryError("Unable to allocate 9 EiB\nfor an array"), 3, "memory ran out"),
    "stack": (RecursionError("maximum recursion depth exceeded"), 3, "RecursionError"),
    "fault": (ZeroDivisionError("division\nby zero"), 3, "ZeroDivisionError: division by zero"),
    "silent fault": (AssertionError(), 3, "(AssertionError"),
    "long fault": (KeyError("k" * 100_000), 3, "KeyError"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_exception_has_a_line_and_a_code(name: str) -> None:
    error, code, part = CASES[name]
    line, found = explain(error)
    assert found == code
    assert part in line
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE


def test_a_fault_names_its_place() -> None:
    try:
        one_line(None)  # type: ignore[arg-type]
    except Exception as error:
        line, code = explain(error)
    assert code == 3
    assert "errors.py:" in line


class Pair:
    """What two ranks would say to one another, of which this one is the second."""

    rank, size = 1, 2

    def __init__(self, error: Exception) -> None:
        self._error = error

    def bcast(self, value: object, root: int = 0) -> object:
        return self._error

    def allgather(self, value: object) -> list[object]:
        return [self._error, value]


def test_an_error_that_all_ranks_raise_is_known_as_one() -> None:
    error = system_error(errno.ENOSPC)
    for act in (on_root, together):
        with pytest.raises(OSError, match="No space") as caught:
            act(Pair(error), lambda: None)
        assert is_agreed(caught.value)
        assert caught.value.errno == errno.ENOSPC
    # The negative control: one that a rank raised by itself.
    assert not is_agreed(system_error(errno.ENOSPC))


def without(module: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`heterode ARGUMENTS` where a module cannot be found, as if it were not installed."""
    script = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from heterode.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(
        words, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )


@pytest.mark.parametrize("module", ["mpi4py", "dolfinx", "gmsh", "h5py", "pydantic", "pint"])
def test_a_missing_library_is_named(module: str, tmp_path: Path) -> None:
    arguments = [*short_run(), "--out", "out"]
    if module == "gmsh":
        # A packing of this seed is in no cache.
        arguments = ["mesh", PRESET, "-o", "a.msh", "--set", "seeds.packing=987654"]
        arguments += ["--set", "geometry.particles=5"]
    done = without(module, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    if module == "gmsh":
        assert "gmsh is needed to make a mesh and cannot be loaded" in done.stderr
        assert "Install it" in done.stderr
    else:
        said = f"heterode: error: the Python package {module} is not installed"
        assert done.stderr.startswith(said)
        assert "scripts/run" in done.stderr
    assert list(tmp_path.iterdir()) == []


def shell(line: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of the shell with the words of `heterode` in $H."""
    text = f'set -o pipefail; heterode() {{ "{sys.executable}" -m heterode "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", text],
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("heterode check demo.toml | head -n 1", 0, ""),
        ("heterode check demo.toml | true", 0, ""),
        ("heterode check demo.toml >&-", 0, ""),
        ("heterode check demo.toml >&- 2>&- <&-", 0, ""),
        ("heterode --help | true", 0, ""),
        ("heterode check demo.toml >/dev/full", 3, "standard output: No space left on device"),
        ("heterode --help >/dev/full", 3, "standard output: No space left on device"),
        ("heterode check none.toml 2>/dev/full", 2, ""),
        ("heterode check none.toml 2>&-", 2, ""),
        ("heterode check none.toml >/dev/full", 2, "none.toml: no such file"),
        ("ulimit -n 12; heterode check demo.toml", 2, "at most 12 files may be open"),
        ("ulimit -S -n 20; heterode check demo.toml >/dev/null", 0, ""),
    ],
)
def test_streams_of_any_kind(line: str, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_bytes(PRESET.read_bytes())
    done = shell(line, tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_the_letters(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "größe €.toml").write_bytes(PRESET.read_bytes())
    done = shell(
        "heterode check größe*.toml --set 'title=Größe in €'", tmp_path, PYTHONIOENCODING=encoding
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u20ac" in done.stdout


def test_a_complete_run_says_so_in_ascii(tmp_path: Path, heterode: Callable) -> None:
    ended = heterode(
        *short_run("charge at C/2 for 1 min"),
        "--out",
        "für später €",
        cwd=tmp_path,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert "results: f\\xfcr sp\\xe4ter \\u20ac" in ended.out
    assert (tmp_path / "für später €" / "manifest.json").exists()


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"content")
    assert read_regular(plain) == b"content"
    assert read_regular(plain, 7) == b"content"
    (tmp_path / "link").symlink_to(plain)
    assert read_regular(tmp_path / "link") == b"content"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "piped").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)  # the address of a socket is at most 108 bytes long
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        for name, part in (
            ("pipe", "it is a pipe"),
            ("piped", "it is a pipe"),
            ("socket", "it is a socket"),
            ("/dev/zero", "it is a device"),
            (".", "Is a directory"),
            ("none", "No such file"),
            ("nu\0ll", "No such file"),
            ("sur\ud800rogate", "No such file"),
            ("n" * 300, "File name too long"),
        ):
            for read in (check_regular, read_regular):
                with pytest.raises(OSError) as caught:  # noqa: PT011
                    read(tmp_path / name)
                assert part in str(caught.value.strerror)
    with pytest.raises(OSError, match="at most 6e-06 MB") as caught:
        read_regular(plain, 6)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize(
    ("number", "own", "code"),
    [
        (signal.SIGTERM, 1, 128 + signal.SIGTERM),
        (signal.SIGTERM, 137, 128 + signal.SIGTERM),
        (signal.SIGUSR1, 1, 128 + signal.SIGUSR1),
        (signal.SIGTERM, 3, 3),
        (signal.SIGTERM, 0, 0),
        (None, 1, 1),
    ],
)
def test_code_of_ranks_that_a_signal_ended(
    number: signal.Signals | None, own: int, code: int
) -> None:
    # In place of mpirun: a program that ends with a code of its own when it is asked to.
    mpirun = (
        "import os, signal, sys\n"
        "def leave(*_): os._exit(int(sys.argv[1]))\n"
        "for one in (signal.SIGTERM, signal.SIGUSR1): signal.signal(one, leave)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "leave()\n"
    )
    words = [sys.executable, ROOT / "scripts/setup/ranks.py", sys.executable, "-c", mpirun]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*map(str, words), str(own)], text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number is not None:
            process.send_signal(number)
            process.wait(timeout=PATIENCE)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (code, "")
