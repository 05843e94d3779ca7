"""scripts/break: what it counts, where it writes, and that an attack that gets through is seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.attacks import flips
from helpers.attacks.attack import Attack, Result
from helpers.attacks.environments import busy_cores
from helpers.attacks.suites import by_pytest
from helpers.commands import run_script_of_project, short_run
from helpers.paths import ROOT
from heterode.cli import main

PAGE = ROOT / "docs" / "reliability.md"
NAMES = ("kills", "corruptions", "inputs", "faults", "environments")


def test_an_unknown_attack_is_refused() -> None:
    ended = run_script_of_project("break", "axe")
    assert ended.code == 2
    assert "no attack 'axe'" in ended.err
    assert ", ".join(NAMES) in ended.err


def test_the_page_has_a_table_of_each_attack() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in NAMES:
        begin, end = (text.index(f"<!-- {word}: {name} -->") for word in ("table", "end"))
        table = text[begin:end].splitlines()[1:]
        assert len(table) > 2
        for row in table[2:]:
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            assert cells[0].startswith(f"`scripts/break {name}")
            assert int(cells[2]) > 0
            assert cells[3:] == ["0", "0", "0", "0"], row


def test_a_result_holds_only_where_something_was_tried_and_nothing_got_through() -> None:
    assert not Result("nothing").held
    assert Result("some", tried=1).held
    for name in ("lost", "wrong", "tracebacks", "hangs"):
        assert not Result("some", tried=1, **{name: 1}).held
    assert Attack("some", lambda place, thorough: []).name == "some"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "whole"
    assert main([*short_run("charge at C/2 for 10 s"), "--quiet", "--out", str(out)]) == 0
    return out


def test_flips_are_found(run: Path) -> None:
    result = Result("history")
    flips.flips(result, run, ("history.csv", "particles.*"), 4, flips.found_by_verify)
    assert result.held, result.notes
    assert result.tried == 4


def test_a_flip_that_nobody_looks_for_is_counted(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: where `heterode verify` finds nothing, every flip gets through."""
    monkeypatch.setattr(flips, "main", lambda words: 0)
    result = Result("history")
    flips.flips(result, run, ("history.csv",), 3, flips.found_by_verify)
    assert (result.tried, result.wrong) == (3, 3)
    assert len(result.notes) == 3


def test_tests_are_counted_and_failures_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("")
    (tmp_path / "test_some.py").write_text(
        "import subprocess\n"
        "def test_good(): pass\n"
        "def test_wrong(): assert False\n"
        "def test_hung(): raise subprocess.TimeoutExpired('x', 1)\n"
    )
    words = ["--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path / "test_some.py")]
    result = by_pytest("some", tmp_path, words)
    assert (result.tried, result.wrong, result.hangs) == (3, 1, 1)
    assert any("test_wrong" in note for note in result.notes)
    shutil.rmtree(tmp_path)


def test_cores_are_kept_busy_only_inside() -> None:
    import multiprocessing

    with busy_cores(True):
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()
