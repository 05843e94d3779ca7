"""What goes to disk is in the order of the mesh file, whatever the number of ranks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import command, environment
from helpers.paths import ROOT
from helpers.surroundings import PATIENCE

PROGRAM = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
from mpi4py import MPI
from heterode.geometry.msh import read_msh
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.discretisation.grids import FieldViewer
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.numbering import StateOrder
from heterode.solver.discretisation.spaces import Spaces

comm, name, degree = MPI.COMM_WORLD, sys.argv[1], int(sys.argv[2])
data = read_msh(Path(name)) if comm.rank == 0 else None
mesh = distribute(comm, data)
spaces = Spaces.on(mesh, degree)
layout = FieldLayout(comm, spaces.functions)
order = StateOrder(layout, spaces.by_field, mesh.vertices)

# Each field is its own linear function of the place, which Lagrange elements of straight cells
# hold exactly; curved edges put the same numbers at the same nodes.
vector = np.empty(layout.owned)
for number, (field, part) in enumerate(layout.slices.items()):
    x = spaces.by_field[field].space.tabulate_dof_coordinates()[: part.stop - part.start]
    # Rounded, since sums of three may differ in their last digit.
    vector[part] = np.round(x @ [1e6, 1e7, 1e8], 6) + number
ordered = order.gather(vector)
assert np.array_equal(order.scatter(ordered), vector)
shuffled = None if ordered is None else ordered[::-1].copy()
back = order.gather(order.scatter(shuffled))
layout.spread(vector)
viewer = FieldViewer(mesh, spaces.functions, np.ones(len(mesh.particle_table)),
                     dict.fromkeys(layout.fields, 1.0))
grids, values = viewer.grids(), viewer.values(0.0)
if comm.rank == 0:
    assert np.array_equal(back, shuffled)
    digests = {"state": ordered}
    for grid in grids:
        digests[grid.name + " cells"] = grid.cells.astype(np.int64)
        digests[grid.name + " points"] = grid.points_um
        digests |= {f"{grid.name} {k}": v for k, v in values[grid.name].items()}
        # The values belong to the points they are listed with, and cells to their vertices.
        expected = grid.points_um @ [1.0, 10.0, 100.0][: grid.dimension]
        first = next(iter(values[grid.name].values()))
        number = {"particles": 0, "electrolyte": 1, "carbon": 3}[grid.name]
        assert np.abs(first - expected - number).max() < 2e-6
        corners = grid.points_um[grid.cells]
        edges = corners[:, 1:] - corners[:, :1]
        assert np.abs(np.linalg.det(edges)).min() > 0
    found = {k: hashlib.sha256(np.ascontiguousarray(v).tobytes()).hexdigest()
             for k, v in digests.items()}
    print(json.dumps(found))
"""


def digests(ranks: int, mesh: str, degree: int, place: Path) -> dict[str, str]:
    """Hashes of everything a program gathered, on some ranks."""
    script = place / "program.py"
    script.write_text(PROGRAM)
    words = command(ranks, [])
    words = [*words[: words.index(sys.executable)], sys.executable, str(script)]
    words += [str(ROOT / "meshes" / f"{mesh}.msh"), str(degree)]
    done = subprocess.run(
        words, env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.mpi
@pytest.mark.parametrize(("mesh", "degree"), [("five_discs_2d", 2), ("spheres_3d", 1)])
def test_same_order_on_any_ranks(mesh: str, degree: int, tmp_path: Path) -> None:
    alone = digests(0, mesh, degree, tmp_path)
    assert len(alone) == 11
    for ranks in (2, 3):
        assert digests(ranks, mesh, degree, tmp_path) == alone
