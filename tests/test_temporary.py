"""Files on their way never take a name that could be a user's, and leave nothing behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.paths import FIVE_DISCS
from helpers.synthetic import synthetic_run
from heterode.base.temporary import is_leftover, leftovers, new_beside, remove_leftovers
from heterode.geometry.msh import read_msh, write_msh
from heterode.results import ResultsFolder
from heterode.results.storage import write_atomically
from heterode.results.written import write_output
from heterode.viewing.movie.video import write_gif, write_mp4


def movie(path: Path) -> None:
    frames = [np.full((64, 96, 3), shade, np.uint8) for shade in (0, 90, 180)]
    mp4 = path.with_suffix(".mp4")
    assert write_mp4(mp4, frames, (96, 64), 10) == 3
    if path.suffix == ".gif":
        write_gif(path, mp4)


def particles(path: Path) -> None:
    ResultsFolder(path.parent).write_particles(synthetic_run(4).discs)


WRITERS: dict[str, Callable[[Path], object]] = {
    "history.csv": lambda path: write_atomically(path, b"1"),
    "durable.h5": lambda path: write_atomically(path, b"1", durable=True),
    "summary.json": lambda path: write_output(path, b"{}"),
    "manifest.json": lambda path: ResultsFolder(path.parent).start_manifest(),
    "particles.csv": particles,
    "cell.msh": lambda path: write_msh(path, read_msh(FIVE_DISCS)),
    "movie.mp4": movie,
    "movie.gif": movie,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_users_file_beside_an_output_is_never_written_over(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    users = [
        *(f"{name}.partial", f".{name}.partial", f"{path.stem}.partial{path.suffix}"),
        *(f"{name}.tmp", f"{name}~", ".heterode-mine.partial"),
    ]
    for user in users:
        (tmp_path / user).write_text(f"mine: {user}")
    for _ in range(2):
        WRITERS[name](path)
        assert path.is_file()
    for user in users:
        assert (tmp_path / user).read_text() == f"mine: {user}"
    assert leftovers(tmp_path) == []


def test_a_name_that_is_taken_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / ".heterode-aaaaaaaa.partial"
    taken.write_text("of another process")
    (tmp_path / ".heterode-bbbbbbbb.partial").symlink_to(taken)
    drawn = iter(("aaaaaaaa", "bbbbbbbb", "cccccccc"))
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(drawn))
    with new_beside(tmp_path / "x.csv") as made:
        assert made.name == ".heterode-cccccccc.partial"
    assert not made.exists()
    assert taken.read_text() == "of another process"


def test_the_longest_name_that_a_file_can_have(tmp_path: Path) -> None:
    path = tmp_path / f"{251 * 'n'}.csv"
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_file_is_as_public_as_others(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "x.csv", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_a_kill_leaves_is_known_by_its_name(tmp_path: Path) -> None:
    kept = ("x.csv.partial", ".heterode-.partial", ".heterode-0a1b2c3d.partial.tar.gz", "lock")
    gone = (".heterode-0a1b2c3d.partial", ".heterode-0a1b2c3d.partial.mp4")
    for name in (*kept, *gone):
        (tmp_path / name).touch()
        assert is_leftover(name) == (name in gone)
    remove_leftovers([tmp_path, tmp_path / "missing", tmp_path / "lock"])
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
