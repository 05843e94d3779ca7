"""Blocks of the assembled matrix hold its values, on any number of ranks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from helpers.commands import environment
from helpers.paths import ROOT

PROGRAM = """
import json
from itertools import product
import numpy as np
from mpi4py import MPI
from petsc4py import PETSc
from heterode.solver.discretisation.matrix import CoordinateMatrix

comm = MPI.COMM_WORLD
owned = 7 + 3 * comm.rank
start, total = comm.exscan(owned) or 0, comm.allreduce(owned)
rng = np.random.default_rng(comm.rank)
# Repeated entries, rows of other ranks, empty rows.
rows, columns = rng.integers(0, total, (2, 90)).astype(PETSc.IntType)
whole = CoordinateMatrix(comm, owned, total, rows, columns)
stretches = [slice(0, 3), slice(3, 3), slice(3, owned)]
sets = [PETSc.IS().createStride(s.stop - s.start, start + s.start, 1, comm) for s in stretches]
pairs = list(product(range(3), repeat=2))
blocks = [whole.block(stretches[a], stretches[b]) for a, b in pairs]
differences, stale = [], []
for _ in range(2):
    values = rng.standard_normal(rows.size)
    # Rounding depends on the order of the sum; these are summed exactly.
    values = np.round(values * 1024) / 1024
    matrix = whole.assemble(values)
    dense = np.zeros((total, total))
    np.add.at(dense, (rows, columns), values)
    comm.Allreduce(MPI.IN_PLACE, dense)
    x, y = matrix.createVecs()
    x.array[:] = np.arange(start, start + owned) + 1.0
    matrix.mult(x, y)
    expected = dense[start:start + owned] @ (np.arange(total) + 1.0)
    differences.append(float(np.abs(y.array_r - expected).max()))
    for (a, b), block in zip(pairs, blocks):
        reference = matrix.createSubMatrix(sets[a], sets[b])
        for into in (stale, differences):
            found = block.renew() if into is differences else block.matrix
            assert found.getSizes() == reference.getSizes()
            x, y = reference.createVecs()
            z = y.duplicate()
            x.array[:] = rng.standard_normal(x.array_r.size)
            reference.mult(x, y)
            found.mult(x, z)
            z.axpy(-1.0, y)
            into.append(z.norm())
if comm.rank == 0:
    print(json.dumps({"largest": max(differences), "stale": max(stale)}))
"""


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_blocks_follow_the_whole(ranks: int) -> None:
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*launcher, sys.executable, "-c", PROGRAM],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["largest"] < 1e-12
    # Before they are renewed they do not: the comparison can fail.
    assert found["stale"] > 0.1
