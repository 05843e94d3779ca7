"""scripts/compare: what it calls equal is equal, and what differs is named."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from helpers.paths import ROOT


@pytest.fixture(scope="module")
def comparing() -> ModuleType:
    path = ROOT / "scripts" / "compare.py"
    spec = importlib.util.spec_from_file_location("comparing", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["comparing"] = module
    spec.loader.exec_module(module)
    return module


def test_runs_are_equal_where_every_bit_is(comparing: ModuleType) -> None:
    columns = {name: ["0.0", "3.5342292202518560"] for name in comparing.COLUMNS}
    counts = dict.fromkeys(comparing.COUNTS, 7)
    ours = comparing.Ran(columns, counts, 1.0)
    # Seconds differ from run to run, and are no difference.
    assert comparing.difference(ours, comparing.Ran(columns, counts, 2.0)) == ""
    moved = columns | {"voltage_V": ["0.0", "3.5342292202518564"]}
    assert "voltage_V by 4.4e-16" in comparing.difference(ours, comparing.Ran(moved, counts, 1.0))
    longer = {name: [*column, "1.0"] for name, column in columns.items()}
    found = comparing.difference(ours, comparing.Ran(longer, counts, 1.0))
    assert "(2 rows, were 3)" in found
    more = counts | {"newton_iterations": 8}
    found = comparing.difference(ours, comparing.Ran(columns, more, 1.0))
    assert found == "newton_iterations 7, were 8"


def test_keys_are_written_for_checkouts_that_have_them(
    comparing: ModuleType, tmp_path: Path
) -> None:
    assert comparing._known(ROOT, ("solver.layers=none",)) == ["solver.layers=none"]
    older = tmp_path / "simulator" / "parameters" / "operation.py"
    older.parent.mkdir(parents=True)
    older.write_text("class Solver:\n    degree: int = 1\n", encoding="utf-8")
    changes = ("solver.layers=none", "solver.degree=2")
    assert comparing._known(tmp_path, changes) == ["solver.degree=2"]
