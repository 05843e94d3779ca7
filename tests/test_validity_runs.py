"""A run says what it leaves: in its log, its manifest and the reason of a failure."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.broken_runs import signal_at
from helpers.commands import Ended, short_run
from heterode.base.run_warnings import RunWarning
from heterode.cli import main
from heterode.results.manifest import add_warnings, read_manifest

Heterode = Callable[..., Ended]

LEAVING = {
    "active_material__diffusivity": "colclasure_nmc532",
    "active_material__rate_constant": "1e-9 m/s",
    "solver__layers": "auto",
}
"""With these the run begins above what the diffusivity was measured at, and comes in.
Without layers the mesh would err by more than the accuracy asked for, which is another warning."""


def warnings(folder: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = read_manifest(folder / "manifest.json")["warnings"]
    return entries


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    """But for the last digits of numbers."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for key in ("code", "message", "unit", "allowed", "key", "count"):
            assert a[key] == b[key]
        for key in ("value", "first_time_s", "last_time_s"):
            assert a[key] == pytest.approx(b[key], rel=1e-6)
        assert a["where"].keys() == b["where"].keys()
        assert a["where"].get("particle") == b["where"].get("particle")
        assert a["where"]["position_um"] == pytest.approx(b["where"]["position_um"], abs=1e-5)


def test_a_normal_run_has_no_warning(heterode: Heterode, tmp_path: Path) -> None:
    # Without layers the mesh errs by more than the accuracy asked for, and the run says so.
    done = heterode(*short_run(solver__layers="auto"), "--out", tmp_path / "out")
    assert done.code == 0
    assert "warning" not in done.err
    assert warnings(tmp_path / "out") == []


def test_what_is_left_is_said_twice_and_counted(heterode: Heterode, tmp_path: Path) -> None:
    run = short_run("charge at C/2 for 20 min", **LEAVING)
    done = heterode(*run, "--out", tmp_path / "one")
    assert done.code == 0
    said = [line for line in done.err.splitlines() if "warning: " in line]
    assert len(said) == 2
    assert "warning: at t = " in said[0]
    assert "time steps, t = " in said[1]
    (entry,) = warnings(tmp_path / "one")
    assert entry["code"] == "diffusivity_function"
    assert entry["count"] > 1
    assert 0 < entry["first_time_s"] < entry["last_time_s"] < 1200
    assert entry["value"] > 0.98
    assert entry["where"]["particle"] in range(5)
    # In the middle of a particle that is not yet reached by what leaves its surface.
    assert heterode(*run, "--out", tmp_path / "two", ranks=2).code == 0
    same([entry], warnings(tmp_path / "two"))


def test_counts_go_on_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = [*short_run("charge at C/2 for 20 min", **LEAVING), "--quiet"]
    assert main([*run, "--out", str(tmp_path / "whole")]) == 0
    (entry,) = warnings(tmp_path / "whole")
    broken = [*run, "--out", str(tmp_path / "broken")]
    with monkeypatch.context() as patch:
        signal_at(entry["count"] // 2, patch)
        assert main(broken) == 128 + signal.SIGUSR1
    (half,) = warnings(tmp_path / "broken")
    assert half["count"] == entry["count"] // 2
    assert half["last_time_s"] < entry["last_time_s"]
    # As if written after the checkpoint, by a piece that was killed then.
    add_warnings(
        tmp_path / "broken" / "manifest.json",
        RunWarning("salt_concentration", "lost with its piece", first_time_s=1e6),
        RunWarning("altered", "stays"),
    )
    assert main([*broken, "--resume"]) == 0
    altered, resumed = warnings(tmp_path / "broken")
    assert altered["code"] == "altered"
    same([entry], [resumed])


def test_a_failed_solve_names_its_likely_cause(heterode: Heterode, tmp_path: Path) -> None:
    run = short_run("charge at C/2 for 1 min", separator__porosity="1e-30")
    done = heterode(*run, "--out", tmp_path / "out")
    assert done.code == 3
    last = done.err.splitlines()[-1]
    assert "failed" in last
    assert "likely cause: the ohmic drop across the separator" in last
    assert "separator.porosity" in last
    found = {entry["code"]: entry for entry in warnings(tmp_path / "out")}
    assert found["loss_separator"]["count"] == 1
    assert found["loss_separator"]["first_time_s"] is None
    assert "likely cause" in read_manifest(tmp_path / "out" / "manifest.json")["reason"]


def test_a_mesh_file_is_described_by_its_own_lengths(heterode: Heterode, tmp_path: Path) -> None:
    run = short_run("charge at C/2 for 1 min")
    done = heterode(*run, "--out", tmp_path / "out")
    assert done.code == 0
    told = next(line for line in done.err.splitlines() if "1C = " in line)
    one_C = float(told.split("1C = ")[1].split()[0])
    derived = read_manifest(tmp_path / "out" / "manifest.json")["described"]["derived"]
    (line,) = [line for line in derived if line.startswith("1C ")]
    assert float(line.split()[1]) == pytest.approx(one_C, rel=0.01)
    checked = heterode("check", *run[1:])
    assert f"1C                          {float(line.split()[1]):.2f} A/m^2" in checked.out
