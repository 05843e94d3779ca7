"""Writes gstools_values.json: the variograms that GSTools gives for three fields.

GSTools is no requirement of the tests. In an environment that has it (`pip install gstools`, in a
virtual environment of its own), run `python3 tests/helpers/gstools_values.py`.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import gstools
import numpy as np

EDGES = (0.0, 8.0, 16.0, 32.0, 60.0)
FILE = Path(__file__).with_suffix(".json")


def main() -> None:
    fields: dict[str, Any] = {}
    for name, dimension, ties in (("2D", 2, False), ("3D", 3, False), ("2D with ties", 2, True)):
        rng = np.random.default_rng(3)
        positions = rng.uniform(0, 100, (150, dimension))
        value = np.sin(positions[:, 0] / 20) + rng.standard_normal(150) + 5
        if ties:
            value = np.round(value)
        _, gamma, pairs = gstools.vario_estimate(
            positions.T, value, EDGES, estimator="matheron", return_counts=True
        )
        fields[name] = {"gamma": gamma.tolist(), "pairs": pairs.tolist()}
    table = {"gstools": metadata.version("gstools"), "edges_um": EDGES, "fields": fields}
    FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
