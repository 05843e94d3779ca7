"""Small sweeps: their files and plans."""

from __future__ import annotations

from pathlib import Path

from helpers.paths import FIVE_DISCS, PRESET
from heterode.sweep.plan import SweepPlan, lay_out, read_sweep


def sweep_file(folder: Path, text: str, base: Path = PRESET) -> Path:
    """A sweep file of the quickstart, in a folder."""
    file = folder / "sweep.toml"
    file.write_text(f'parameters = "{base}"\n{text}', encoding="utf-8")
    return file


def plan(folder: Path, text: str, base: Path = PRESET) -> SweepPlan:
    return lay_out(read_sweep(sweep_file(folder, text, base)))


SMALL = f"""
parameters = "{PRESET}"
[set]
geometry.mesh_file = "{FIVE_DISCS}"
solver.layers = "none"
"""


def swept(folder: Path, text: str, steps: str = "charge at C/2 for 2 min") -> Path:
    """A sweep file of five particles without layers, and seconds; `text` begins in [set]."""
    file = folder / "small.toml"
    file.write_text(f'{SMALL}protocol.steps = ["{steps}"]\n{text}', encoding="utf-8")
    return file
