"""What `heterode report` says of trends, of ranges and of randomly exchanged values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helpers.heterogeneity_cases import packing
from heterode.cli.main import main
from heterode.reporting.page import _trend_rows
from heterode.viewing.style import new_figure


@pytest.fixture(autouse=True)
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are looked at here, and drawing is slow."""
    for name in ("heterogeneity_figure", "directions_figure"):
        monkeypatch.setattr(
            f"heterode.reporting.heterogeneity.{name}", lambda *_: new_figure(1.0, 1.0)
        )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """120 particles whose value rises by 2 over the 80 um of y, with noise of 0.3."""
    x, y = packing(120, 80.0).T
    value = y / 40.0 + 0.3 * np.random.default_rng(1).standard_normal(120)
    path = tmp_path / "tilted.csv"
    pd.DataFrame({"x_um": x, "y_um": y, "value": value}).to_csv(path, index=False)
    return path


def report(table: Path, *options: str) -> tuple[int, dict[str, Any]]:
    out = table.parent / "out"
    code = main(
        ["report", str(table), "--out", str(out), "--overwrite", "--permutations", "39", *options]
    )
    path = out / "heterogeneity.json"
    return code, json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_the_trend_is_told_and_removed(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = report(table, "--depth", "y")
    out = capsys.readouterr().out
    assert code == 0
    assert "values differ from randomly exchanged values" in out
    assert found["trend"]["depth"] == 1
    assert found["trend"]["difference"][1] == pytest.approx(2.0, abs=0.3)
    assert "trend with the depth (y): +" in out
    assert "rising at" in out
    assert dict(_trend_rows(found))["trend with the depth"].startswith("+")
    code, flat = report(table, "--detrend", "all")
    out = capsys.readouterr().out
    assert code == 0
    assert "values cannot be told from randomly exchanged values" in out
    assert "removed from all that is said" in out
    assert flat["scale"]["p_value"] > 0.05 >= found["scale"]["p_value"]
    assert flat["trend"]["difference"][1] == pytest.approx(found["trend"]["difference"][1])
    assert dict(_trend_rows(flat))["linear trend"] == "removed from all else"
    # The particles keep the values that were given.
    kept = pd.read_csv(table.parent / "out" / "heterogeneity_particles.csv")["value"]
    assert kept.to_numpy() == pytest.approx(pd.read_csv(table)["value"].to_numpy())
    rows = pd.read_csv(table.parent / "out" / "heterogeneity_directions.csv")
    assert rows["along_pairs"].sum() + rows["across_pairs"].sum() == sum(
        flat["correlogram"]["pairs"]
    )


def test_removal_along_a_direction_that_has_no_trend(table: Path) -> None:
    """Negative control: the trend runs along y, and the removal of that along x leaves it."""
    _, found = report(table, "--detrend", "depth")
    assert found["scale"]["p_value"] == 1 / 40
    _, found = report(table, "--detrend", "depth", "--depth", "y")
    assert found["scale"]["p_value"] > 0.05


def test_no_depth(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = report(table, "--depth", "none")
    assert code == 0
    assert found["trend"]["depth"] is None
    assert found["directional"] is None
    out = capsys.readouterr().out
    assert "trend with the depth" not in out
    assert "trend in all directions" in out


def test_a_robust_range_is_offered_and_taken(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.read_csv(table)
    rows["value"] = np.random.default_rng(2).standard_normal(len(rows))
    rows.loc[0, "value"] = 30.0
    rows.to_csv(table, index=False)
    _, found = report(table)
    out = capsys.readouterr().out
    assert "with the band by the range from 1 to 99 %" in out
    assert "1 particle lies far from the others" in out
    assert found["range"]["outliers"] == 1
    assert found["scale"]["value_range"] == found["scale_by_range"]["full"]["value_range"]
    _, robust = report(table, "--robust-range")
    out = capsys.readouterr().out
    assert "with the band by the range of all values" in out
    assert "far from the others" not in out
    assert robust["scale"]["value_range"] == found["scale_by_range"]["robust"]["value_range"]
    assert robust["scale"]["value_range"] < 0.5 * found["scale"]["value_range"]


def test_options_that_exclude_each_other(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        ("--robust-range", "--range", "0,1"): "--robust-range and --range 1",
        ("--detrend", "depth", "--depth", "z"): "the depth (z) is none of the fields' coordinates",
        ("--detrend", "depth", "--depth", "none"): "(allowed: x, y)",
        (
            "--depth",
            "z",
        ): "--depth z: this is none of the fields' coordinates (allowed: x, y, none)",
    }
    for options, expected in wrong.items():
        assert report(table, *options) == (2, {})
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert expected in err
    rows = pd.read_csv(table)
    rows["value"] = rows["y_um"]
    rows.to_csv(table, index=False)
    assert report(table, "--detrend", "all") == (2, {})
    assert "--detrend all leaves no variation" in capsys.readouterr().err
