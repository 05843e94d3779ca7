"""Writes esda_values.json: what esda gives for the field of test_heterogeneity_correlogram.py.

esda wants another pandas than the project's userland has, so it is no requirement of the tests.
In an environment that has it, run `python3 tests/helpers/esda_values.py`.
"""

from __future__ import annotations

import json
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
from esda.geary import Geary
from esda.moran import Moran
from libpysal.weights import W

EDGES = (0.0, 8.0, 16.0, 32.0, 60.0)
FILE = Path(__file__).with_suffix(".json")


def main() -> None:
    rng = np.random.default_rng(3)
    positions = rng.uniform(0, 100, (150, 2))
    value = np.sin(positions[:, 0] / 20) + rng.standard_normal(150) + 5
    apart = np.hypot(*(positions[:, None] - positions).transpose(2, 0, 1))
    found: dict[str, list[float]] = {"moran": [], "geary": [], "moran_by_rows": []}
    for low, high in pairwise(EDGES):
        near = (apart >= low) & (apart < high) & ~np.eye(150, dtype=bool)
        weights = W(
            {k: np.flatnonzero(row).tolist() for k, row in enumerate(near)}, silence_warnings=True
        )
        binary = Moran(value, weights, transformation="b", permutations=0)
        found["moran"].append(float(binary.I))
        found["geary"].append(float(Geary(value, weights, "b", permutations=0).C))
        rows = Moran(value, weights, transformation="r", permutations=0)
        found["moran_by_rows"].append(float(rows.I))
    table = {"esda": metadata.version("esda"), "edges_um": EDGES, **found}
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
