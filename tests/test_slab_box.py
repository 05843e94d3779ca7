"""Where coating, separator and side walls lie: once, for figures, statistics and DFN models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heterode.base.errors import InputError
from heterode.homogenised.electrode import meshed_electrode
from heterode.particles.table import ParticleTable
from heterode.results.fields import FieldWriter
from heterode.results.sample import FieldGrid
from heterode.results.slab_box import slab_box
from heterode.viewing.section import mid_section
from heterode.viewing.slab import layout_of

CORNERS = {"particles": (10.0, 20.0), "carbon": (50.0, 30.0), "electrolyte": (70.0, 30.0)}
"""Where each domain ends, along the thickness and across it, um; all begin at 0."""


def grid(name: str, dimension: int) -> FieldGrid:
    """A simplex that reaches from 0 to the corner."""
    along, across = CORNERS[name]
    sizes = [across, across, along] if dimension == 3 else [along, across]
    points = np.vstack([np.zeros(dimension), np.diag(sizes)])
    data = {"particle": np.zeros(1, dtype=np.int64)} if name == "particles" else {}
    return FieldGrid(name, points, np.arange(dimension + 1)[None], data)


def written(folder: Path, dimension: int) -> Path:
    """A results folder with fields of one moment."""
    grids = [grid(name, dimension) for name in CORNERS]
    fields = {g.name: {"potential": np.zeros(len(g.points_um))} for g in grids}
    FieldWriter(folder / "fields", grids).write(0.0, fields)
    return folder


def particles(z: float = 0.0) -> ParticleTable:
    one, two = np.array([1.0, 1.0]), np.array([4.0, 9.0])
    return ParticleTable(np.arange(2), two, two, z * two, one, one, one, one)


@pytest.mark.parametrize("dimension", [2, 3])
def test_all_read_the_same_bounds(tmp_path: Path, dimension: int) -> None:
    box = slab_box(written(tmp_path, dimension))
    assert (box.coating_um, box.separator_um) == (50.0, 20.0)
    assert box.sides_um.tolist() == [30.0] * (dimension - 1)
    assert box.coating[:, 1].tolist() == ([50.0, 30.0] if dimension == 2 else [30.0, 30.0, 50.0])
    found = meshed_electrode(tmp_path, particles(), dimension, "none")
    assert found.coating == pytest.approx(50e-6, rel=1e-12)
    assert found.separator == pytest.approx(20e-6, rel=1e-12)
    assert found.area == pytest.approx(30e-6 ** (dimension - 1), rel=1e-12)


def test_figures_show_it(tmp_path: Path) -> None:
    planar = written(tmp_path, 2)
    layout = layout_of(planar, mid_section(grid("particles", 2)))
    assert (layout.coating_um, layout.cell_um) == (50.0, 70.0)
    assert (layout.bottom_um, layout.top_um) == (0.0, 30.0)


def test_what_is_missing_is_made_up_for_or_refused(tmp_path: Path) -> None:
    written(tmp_path, 2)
    (tmp_path / "fields" / "electrolyte.xdmf").unlink()
    box = slab_box(tmp_path)
    assert (box.coating_um, box.separator_um) == (50.0, 0.0)
    with pytest.raises(InputError, match="electrolyte"):
        slab_box(tmp_path, whole=True)
    for name in ("particles", "carbon"):
        (tmp_path / "fields" / f"{name}.xdmf").unlink()
    with pytest.raises(InputError, match="not readable as fields"):
        slab_box(tmp_path)
    assert slab_box(tmp_path, particles()).coating.tolist() == [[3.0, 10.0], [3.0, 10.0]]
    assert len(slab_box(tmp_path, particles(z=1.0)).coating) == 3
