"""Whether two results folders hold the same run: the same samples, the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.results import read_fields, read_history, read_manifest, read_particle_series

TOLERANCE = 1e-9

# Followed tables have currents of 12 A/m^2, which along a ramp are as exact as the time is.
SCALES = {"time_s": 1e3, "concentration": 1e3, "current_A_m2": 10.0}
"""Sizes of quantities that are not of order one; the largest difference is taken relative to it."""


def difference(one: Path, other: Path) -> float:
    """Largest difference of two runs over everything they wrote; inf where samples are missing."""
    rows = [read_history(folder) for folder in (one, other)]
    series = [vars(read_particle_series(folder)) for folder in (one, other)]
    pairs = [(name, *(table[name].to_numpy() for table in rows)) for name in rows[0]]
    pairs += [(name, *(values[name] for values in series)) for name in series[0]]
    for domain in ("particles", "electrolyte", "carbon"):
        a, b = (read_fields(folder, domain) for folder in (one, other))
        pairs.append(("time_s", a.times_s, b.times_s))
        pairs.append(("points", a.grid.points_um, b.grid.points_um))
        pairs.append(("cells", a.grid.cells, b.grid.cells))
        pairs += [(name, v, b.grid.cell_data[name]) for name, v in a.grid.cell_data.items()]
        for i in range(min(len(a.times_s), len(b.times_s))):
            there = b.load(i)
            pairs += [(name, values, there[name]) for name, values in a.load(i).items()]
    known = [
        _numbers(read_manifest(folder / "manifest.json")["accuracy"]) for folder in (one, other)
    ]
    if known[0].keys() != known[1].keys():
        return np.inf
    pairs += [(name, np.array(value), np.array(known[1][name])) for name, value in known[0].items()]
    tables = [sorted((folder / "stops").glob("*.csv")) for folder in (one, other)]
    if [path.name for path in tables[0]] != [path.name for path in tables[1]]:
        return np.inf
    for path_a, path_b in zip(*tables, strict=True):
        frames = [pd.read_csv(path) for path in (path_a, path_b)]
        pairs += [(name, *(frame[name].to_numpy() for frame in frames)) for name in frames[0]]
    return max(_apart(x, y) / SCALES.get(name, 1.0) for name, x, y in pairs)


def _apart(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(x - y).max()) if x.shape == y.shape else np.inf


def _numbers(section: Mapping[str, Any], name: str = "accuracy") -> dict[str, float]:
    """Numbers of the section `accuracy` of a manifest; times in thousands of seconds."""
    found: dict[str, float] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{name}.{key}")
        elif isinstance(value, int | float):
            found[f"{name}.{key}"] = value / (1e3 if key == "at_s" else 1.0)
    return found


def check_completed(folder: Path) -> None:
    """As an unbroken run leaves it: no checkpoints, no strays, as many rows as steps."""
    manifest = read_manifest(folder / "manifest.json")
    assert manifest["status"] == "completed"
    assert manifest["steps"] + 1 == len(read_history(folder))
    assert not list(folder.rglob("*.partial"))
    assert {path.name for path in folder.iterdir()} - {"stops", "report"} == {
        *("manifest.json", "SHA256SUMS", "history.csv", "particles.csv", "particles.h5"),
        "fields",
    }
    samples = len(read_fields(folder, "carbon").times_s)
    assert len(list((folder / "fields" / "data").glob("0*.h5"))) == samples
