"""The preset of the first and the second cycle, on a small mesh: the spread falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.commands import settings
from helpers.paths import FIVE_DISCS, ROOT
from heterode.cli import main
from heterode.results import read_history
from heterode.viewing.spread import spread_curves

PRESET = ROOT / "params" / "first_cycle.toml"
SMALL = settings(
    geometry__mesh_file=str(FIVE_DISCS), output__fields_every="1000", solver__layers="none"
)


def spreads(out: Path, *more: str) -> dict[tuple[int, int], float]:
    """Largest standard deviation by cycle and direction."""
    assert main(["run", str(PRESET), *SMALL, *more, "--out", str(out), "--quiet"]) == 0
    curves = spread_curves(read_history(out))
    return {(cycle, way): float(sd.max()) for cycle, way, _, sd in curves}


def test_the_spread_is_largest_in_the_first_charge(tmp_path: Path) -> None:
    found = spreads(tmp_path / "out")
    assert set(found) == {(0, 1), (0, -1), (1, 1), (1, -1)}
    assert found[0, 1] > 1.2 * found[1, 1]
    # Autocatalysis tells charge from discharge.
    assert found[0, 1] > 3 * found[0, -1]
    assert (tmp_path / "out" / "report" / "spread.png").stat().st_size > 10_000


@pytest.mark.slow
def test_without_its_causes_the_cycles_are_alike(tmp_path: Path) -> None:
    same = spreads(tmp_path / "same", *settings(penalty__conditioning__fraction="1e-9"))
    assert same[1, 1] == pytest.approx(same[0, 1], rel=0.15)
    plain = spreads(
        tmp_path / "plain",
        *settings(
            active_material__exchange_current='"power_law"',
            active_material__rate_constant="2e-11 m/s",
        ),
    )
    assert plain[0, 1] < 3 * plain[0, -1]


def test_curves_follow_the_direction_of_the_mean() -> None:
    down, up = np.linspace(0.9, 0.3, 20), np.linspace(0.3, 0.9, 20)
    rest = np.full(3, 0.3)
    mean = np.concatenate([down[:10], down[10:], rest, up])
    step = np.repeat([0, 1, 2, 3], [10, 10, 3, 20])
    history = pd.DataFrame(
        {
            "lithium_fraction_mean": mean,
            "lithium_fraction_sd": 0.1 * mean,
            "cycle": 0,
            "step": step,
        }
    )
    charge, discharge = spread_curves(history)
    assert charge[:2] == (0, 1)
    assert discharge[:2] == (0, -1)
    assert charge[2][0] == 0.9
    assert charge[2][-1] == 0.3
    assert np.all(np.diff(discharge[2]) >= 0)
