"""The paper's ex-situ protocol on a small mesh: a table of the particles at every voltage stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.commands import settings
from helpers.paths import FIVE_DISCS, ROOT
from heterode.cli import main
from heterode.parameters import load_parameters
from heterode.results import read_history, read_particle_series
from heterode.viewing.differential import differential_curves

PRESET = ROOT / "params" / "ex_situ.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ex_situ") / "out"
    small = settings(
        geometry__mesh_file=str(FIVE_DISCS), output__fields_every="1000", solver__layers="none"
    )
    assert main(["run", str(PRESET), *small, "--out", str(out), "--quiet"]) == 0
    return out


def test_every_voltage_has_its_tables(folder: Path) -> None:
    stops = sorted(load_parameters(PRESET).protocol.stops)
    up = [f"{voltage:.2f}V" for voltage in stops if voltage > 3.54]
    down = [f"{voltage:.2f}V" for voltage in reversed(stops) if voltage < 4.5]
    names = [path.name for path in sorted((folder / "stops").iterdir())]
    assert names == [f"{n:02d}_{v}.csv" for n, v in enumerate([*up, *down], start=1)]


def test_tables_are_of_the_time_at_the_voltage(folder: Path) -> None:
    rows, series = read_history(folder), read_particle_series(folder)
    columns = pd.read_csv(folder / "particles.csv").columns.tolist()
    shares = pd.read_csv(folder / "particles.csv")["volume_um3"]
    before = -1.0
    for path in sorted((folder / "stops").iterdir()):
        voltage = float(path.stem.split("_")[1].removesuffix("V"))
        table = pd.read_csv(path, dtype=str, keep_default_na=False).astype(float)
        assert table.columns.tolist() == [
            *columns,
            "lithium_fraction",
            "surface_lithium_fraction",
        ]
        near = rows[(rows["voltage_V"] - voltage).abs() < 1e-5]
        near = near[near["time_s"] > before]
        before = float(near["time_s"].iloc[0])
        mean = float(shares @ table["lithium_fraction"] / shares.sum())
        assert mean == pytest.approx(near["lithium_fraction_mean"].iloc[0], abs=1e-6)
        sample = int(np.flatnonzero(series.time_s == before)[0])
        assert np.array_equal(series.lithium_fraction[sample], table["lithium_fraction"])


def test_both_half_cycles_are_drawn(folder: Path) -> None:
    charge, discharge = differential_curves(read_history(folder))
    assert (charge.sign, discharge.sign) == (1, -1)
    assert (charge.cycle, discharge.cycle) == (0, 0)
    assert charge.voltage[-1] > 4.45
    # The tall peak of the curve, near 3.75 V; at C/40 both ways lie close together.
    peaks = [c.voltage[np.argmax(np.abs(c.slope))] for c in (charge, discharge)]
    assert peaks == pytest.approx([3.75, 3.75], abs=0.03)
    assert (folder / "report" / "dqdv.png").stat().st_size > 10_000
