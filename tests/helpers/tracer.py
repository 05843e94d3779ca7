"""A passive tracer beside the cell's own fields, as docs/developing/extending.md adds it.

The page's blocks of code are run as they stand.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from helpers.cells import parameters
from helpers.paths import ROOT
from heterode.physics.balances import Balance, Table
from heterode.solver.cell import Cell

PAGE = ROOT / "docs" / "developing" / "extending.md"
DISCS, SPHERES = (str(ROOT / "meshes" / f"{name}.msh") for name in ("five_discs_2d", "spheres_3d"))
CHARGE = ('protocol.steps=["charge at 1C for 2 min", "rest for 1 min"]',)


@cache
def page() -> dict[str, Any]:
    """What the page's blocks of code define, one after the other."""
    names: dict[str, Any] = {"__name__": "extending"}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def charged(mesh: str, settings: tuple[str, ...], table: Table) -> Cell:
    found: Cell = page()["charged"](mesh, parameters(settings), table)
    return found


def tracer() -> Balance:
    row: Balance = page()["TRACER"]
    return row
