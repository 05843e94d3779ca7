"""Solves homogenised counterparts in PyBaMM: reads {name: twin.json} from stdin, prints voltages.

The equations and the solver are those of the twin.py that `heterode twin` writes.
"""

import importlib.util
import json
import sys
from pathlib import Path

TWIN = Path(__file__).resolve().parents[2] / "simulator" / "homogenised" / "half_cell.py"


def main():
    """Read the question, solve every cell and print the answer."""
    spec = importlib.util.spec_from_file_location("half_cell", TWIN)
    half_cell = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(half_cell)
    answer = {}
    for name, twin in json.load(sys.stdin).items():
        columns, _ = half_cell.solve(twin)
        answer[name] = columns["voltage_V"].tolist()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
