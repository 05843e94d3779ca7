"""Files beside a user's: heterode's own give way, a user's never does, and inputs are not written.

Each refusal stands beside the same write into a place where nothing is in the way.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import environment
from heterode.base.errors import InputError
from heterode.results import written
from heterode.results.storage import OutputError
from heterode.results.written import RECORD, put_output, recorded, write_output, writing


def make_in_vain(folder: Path, content: bytes = b"", error: Exception | None = None) -> None:
    """Make a folder, perhaps a file in it, and fail."""
    with writing():
        written.make_folder(folder)
        if content:
            write_output(folder / "x.csv", content)
        raise error or InputError("no particles")


def attempt(path: Path, outputs: list[Path], rule: dict[str, Any]) -> None:
    with writing(outputs, **rule):
        assert not outputs, "refused only while it was written"
        write_output(path, b"new")


def refused(path: Path, *parts: str, **rule: Any) -> None:
    """Expect that nothing is written to `path`, before and while it is written; in one line."""
    before = path.read_bytes() if path.is_file() else None
    for outputs in ([path], []):
        with pytest.raises(InputError) as error:
            attempt(path, outputs, rule)
        message = str(error.value)
        assert "\n" not in message
        for part in (path.name, *parts):
            assert part in message
    if before is not None:
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("--output", "Free space or choose another --output"),
        ("--out", "Free space or choose another --out"),
        ("", "Free space there"),
    ],
)
def test_a_full_disk_names_the_option_of_the_command(
    option: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    named = tmp_path / "calibration.csv"
    monkeypatch.setattr(os, "replace", full)
    with writing(option=option, named={named: "--write-calibration"}):
        for write in (lambda path: write_output(path, b"new"), lambda path: moved_to(path)):
            for path, said in (
                (tmp_path / "table.csv", remedy),
                (named, "Free space or choose another --write-calibration"),
            ):
                with pytest.raises(OutputError) as error:
                    write(path)
                assert str(error.value).endswith(f". {said}")
                assert str(error.value).startswith(f"{path}: cannot be written (No space left on")


def moved_to(path: Path) -> None:
    made = path.with_suffix(".made")
    made.write_bytes(b"new")
    put_output(made, path)


def test_own_files_give_way(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for content in (b"first", b"second", b"third"):
        with writing([path]):
            write_output(path, content)
        assert path.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == [RECORD, "table.csv"]
    assert len(recorded(tmp_path)["table.csv"]) == 3


def test_a_file_that_heterode_did_not_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"mine")
    refused(
        path,
        "not written by heterode",
        "--overwrite",
        "another --out",
        option="--out",
        overwrite=False,
    )
    with pytest.raises(InputError) as error:
        write_output(path, b"new")
    assert "--overwrite" not in str(error.value), "advised where it cannot be asked for"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_file_changed_since_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_output(path, b"1,2,3")
    path.write_bytes(b"1,2,4")
    refused(path, "changed since", "table.yours.csv", overwrite=False)
    path.write_bytes(b"1,2,3")
    write_output(path, b"new")


def test_overwrite_keeps_what_is_the_users_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.csv"
    for content in (b"mine", b"mine too"):
        path.write_bytes(content)
        with writing([path], overwrite=True):
            write_output(path, b"new")
        assert path.read_bytes() == b"new"
        assert "kept as" in capsys.readouterr().err
    assert (tmp_path / "table.yours.csv").read_bytes() == b"mine"
    assert (tmp_path / "table.yours-2.csv").read_bytes() == b"mine too"
    with writing([path], overwrite=True):
        write_output(path, b"newer")
    assert len(list(tmp_path.glob("*yours*"))) == 2, "its own file was kept as the user's"


@pytest.mark.parametrize("way", ["same", "link", "hard link", "spelling"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_no_output_replaces_an_input(tmp_path: Path, way: str, overwrite: bool) -> None:
    real, path = tmp_path / "in.tif", tmp_path / "out.tif"
    # Heterode's own file at that: what is read is not written to all the same.
    write_output(real, b"pixels")
    if way == "same":
        path = real
    elif way == "link":
        path.symlink_to(real)
    elif way == "hard link":
        os.link(real, path)
    else:
        (tmp_path / "sub").mkdir()
        path = tmp_path / "sub" / ".." / "in.tif"
    refused(path, "is read by this command", inputs=[real], overwrite=overwrite)
    with writing([tmp_path / "other.tif"], inputs=[real]):
        write_output(tmp_path / "other.tif", b"new")


@pytest.mark.parametrize("what", ["link", "broken link", "folder", "pipe", "read-only"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_no_file_replaces(tmp_path: Path, what: str, overwrite: bool) -> None:
    path = tmp_path / "out.csv"
    if what == "link":
        (tmp_path / "real").write_bytes(b"mine")
        path.symlink_to("real")
    elif what == "broken link":
        path.symlink_to("nowhere")
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        write_output(path, b"own, and protected")
        path.chmod(0o444)
    kind = stat.S_IFMT(os.lstat(path).st_mode)
    refused(path, overwrite=overwrite)
    assert stat.S_IFMT(os.lstat(path).st_mode) == kind


def test_two_outputs_are_not_one_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    with pytest.raises(InputError, match="written twice"), writing([path, tmp_path / "." / path]):
        pass
    (tmp_path / "linked").symlink_to(tmp_path)
    other = tmp_path / "linked" / path.name
    with pytest.raises(InputError, match="written twice"), writing([path, other]):
        pass
    with writing([path, tmp_path / "other.csv"]):
        pass


@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_what_is_no_record_is_left(tmp_path: Path, what: str) -> None:
    """A pipe, of which a reader would wait for ever."""
    record, path = tmp_path / RECORD, tmp_path / "table.csv"
    if what == "pipe":
        os.mkfifo(record)
    elif what == "folder":
        record.mkdir()
    else:
        (tmp_path / "precious").write_bytes(b"mine")
        record.symlink_to("precious")
    path.write_bytes(b"mine")
    for outputs in ([path], []):
        with pytest.raises(InputError, match="is not heterode's record"):
            attempt(path, outputs, {"overwrite": True})
    assert path.read_bytes() == b"mine"
    if what == "link":
        assert (tmp_path / "precious").read_bytes() == b"mine"


def test_folders_made_in_vain_are_removed(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    for content in (b"", b"a result"):
        with pytest.raises(InputError):
            make_in_vain(deep, content)
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError):
        make_in_vain(deep)
    assert [path.name for path in tmp_path.rglob("*")] == ["a"], "an older folder went as well"
    deep.mkdir()
    with pytest.raises(InputError):
        make_in_vain(deep, b"a result")
    assert (deep / "x.csv").exists(), "a file in an older folder went as well"


def test_a_full_disk_takes_no_result_along(tmp_path: Path) -> None:
    full = OutputError("x.csv: cannot be written (No space left on device)")
    with pytest.raises(OutputError):
        make_in_vain(tmp_path / "a" / "b", b"hours of work", full)
    assert (tmp_path / "a" / "b" / "x.csv").read_bytes() == b"hours of work"
    with pytest.raises(OutputError):
        make_in_vain(tmp_path / "c" / "d", b"", full)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_folders_place(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(InputError, match="in the way"), writing([tmp_path / place / "x.csv"]):
        pass
    with pytest.raises(InputError, match="in the way"):
        written.make_folder(tmp_path / place)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_files_of_other_programs_are_recorded(tmp_path: Path) -> None:
    made, path = tmp_path / "movie.partial.mp4", tmp_path / "movie.mp4"
    for content in (b"frames", b"more frames"):
        made.write_bytes(content)
        put_output(made, path)
        assert path.read_bytes() == content
        assert not made.exists()
    path.write_bytes(b"cut by hand")
    made.write_bytes(b"frames")
    with pytest.raises(InputError, match="changed since"):
        put_output(made, path)
    assert path.read_bytes() == b"cut by hand"


def test_a_damaged_record_knows_less_and_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_output(path, b"1")
    whole = (tmp_path / RECORD).read_bytes()
    (tmp_path / RECORD).write_bytes(b'\xff\n[]\n{"a": 1}\n' + b"[" * 5000 + b"\n" + whole[:-9])
    refused(path, "not written by heterode")
    write_output(tmp_path / "b.csv", b"2")
    assert list(recorded(tmp_path)) == ["b.csv"]
    with (tmp_path / RECORD).open("ab") as file:
        file.write(whole)
    write_output(path, b"3")


_KILLED = """
import os, signal, sys
from pathlib import Path
from heterode.results import storage
from heterode.results.written import write_output
replace = os.replace
def die(*names):
    if sys.argv[2] == "after":
        replace(*names)
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = die
write_output(Path(sys.argv[1]), b"new")
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_beside_the_rename_the_file_is_heterodes_own(tmp_path: Path, when: str) -> None:
    path = tmp_path / "table.csv"
    write_output(path, b"old")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, path, when], env=environment(), check=False
    )
    assert done.returncode < 0
    assert path.read_bytes() == (b"old" if when == "before" else b"new")
    write_output(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_a_name_of_any_characters_is_recorded(tmp_path: Path) -> None:
    for name in ("Messung \u00fc \u03bcm.csv", "two\nlines.csv", '"quoted".csv', "raw\udcff.csv"):
        path = tmp_path / name
        write_output(path, b"1")
        write_output(path, b"2")
        assert len(recorded(tmp_path)[name]) == 2
