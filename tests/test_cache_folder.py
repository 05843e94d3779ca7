"""The cache folder holds programs that heterode runs: nobody else may write there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import Ended, environment, short_run
from helpers.paths import ROOT
from helpers.surroundings import PATIENCE
from heterode.base.cache_folder import cache_folder, own_folder
from heterode.base.errors import InputError
from heterode.base.own_python import python_of, python_with
from heterode.geometry import cache as mesh_cache


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_a_new_one_is_the_users_alone(umask: int, tmp_path: Path) -> None:
    path = tmp_path / "above" / "heterode"
    before = os.umask(umask)
    try:
        assert own_folder(path) == path
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o700
    assert own_folder(path) == path


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o702])
def test_one_that_others_can_write_to_is_refused_by_all_who_use_it(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "heterode"
    path.mkdir()
    monkeypatch.setenv("HETERODE_CACHE", str(path))
    own_folder(path)
    mesh_cache.cache_folder()
    path.chmod(mode)
    for use in (
        lambda: own_folder(path),
        mesh_cache.cache_folder,
        lambda: python_with("nothing", Path(__file__), print),
    ):
        with pytest.raises(InputError, match="others can write there") as refused:
            use()
        assert f"chmod go-w {path}" in str(refused.value)
    assert list(path.iterdir()) == []
    done = set_up(path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"chmod go-w '{path}'" in done.stderr
    path.chmod(0o700)
    # The negative control: mended as the line says, it serves.
    assert set_up(path).returncode == 0
    own_folder(path)


def set_up(path: Path) -> subprocess.CompletedProcess[str]:
    """Call the check of scripts/run alone."""
    script = f"source {ROOT}/scripts/setup/common.sh; prepare_cache"
    return subprocess.run(
        ["bash", "-c", script],
        env=environment(HETERODE_CACHE=str(path)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_set_up_makes_it_for_the_user_alone_and_leaves_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "above" / "heterode"
    script = f"umask 002; source {ROOT}/scripts/setup/common.sh; prepare_cache; umask"
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(HETERODE_CACHE=str(path)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "0002\n")
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_one_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heterode"
    path.mkdir(mode=0o755)
    os.chown(path, 12345, 12345)
    link = tmp_path / "link"
    link.symlink_to(path)
    for named in (path, link):
        with pytest.raises(InputError, match="belongs to another user"):
            own_folder(named)
        done = set_up(named)
        assert done.returncode == 1
        assert "belongs to another user" in done.stderr


def test_there_is_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from heterode.solver.discretisation import compilation

    lock = ROOT / "simulator" / "homogenised" / "pybamm.lock"
    naming = f'source {ROOT / "scripts" / "setup" / "common.sh"}; printf %s "$cache"'

    def is_at(place: Path) -> None:
        assert cache_folder() == place
        assert mesh_cache.cache_folder() == place / "meshes"
        assert compilation.cache_folder() == place / "equations"
        assert python_of("pybamm", lock).parents[2] == place
        shell = subprocess.run(["bash", "-c", naming], capture_output=True, text=True, check=True)
        assert shell.stdout == str(place)

    monkeypatch.delenv("HETERODE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    is_at(tmp_path / "heterode")
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path / "own"))
    is_at(tmp_path / "own")
    # An empty name is none, and a relative one is that of the working folder.
    monkeypatch.setenv("HETERODE_CACHE", "")
    is_at(tmp_path / "heterode")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HETERODE_CACHE", "here")
    is_at(tmp_path / "here")
    monkeypatch.delenv("HETERODE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    is_at(tmp_path / "home" / ".cache" / "heterode")


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    """A folder `heterode` where a run of a sweep starts does not take the package's place."""
    from heterode.sweep.slots import command_of

    (tmp_path / "heterode").mkdir()
    (tmp_path / "heterode" / "__init__.py").write_text("print('foreign')\n")
    words = command_of(tmp_path / "none", 1)
    for safe in (True, False):
        started = [*words, "0"] if safe else [w for w in [*words, "0"] if w != "-P"]
        done = subprocess.run(
            started,
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        # Without -P the foreign package is imported: the negative control.
        assert ("foreign" in done.stdout) != safe
    assert sys.executable in words


def test_equations_that_others_could_have_compiled_are_not_loaded(
    tmp_path: Path, heterode: Callable[..., Ended]
) -> None:
    cache = tmp_path / "cache" / "heterode" / "equations"
    cache.mkdir(parents=True)
    cache.parent.chmod(0o700)
    cache.chmod(0o777)
    words = [*short_run("charge at C/2 for 10 s"), "--out", "out", "--quiet"]
    ended = heterode(*words, cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert ended.code == 3
    (line,) = ended.err.splitlines()
    assert f"chmod go-w {cache}" in line
    assert list(cache.iterdir()) == []
