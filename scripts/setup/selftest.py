"""Prove that this Python can run heterode; run under `mpirun -n 2`, it raises an error if not.

Importing DOLFINx proves little: a missing compiler, linker or MPI start-up shows only when a form
is compiled and assembled on two ranks. XDG_CACHE_HOME must point to an empty folder, since a form
compiled earlier would hide a broken compiler.
"""

import sys

import dolfinx
import gmsh
import numpy as np
import ufl
from dolfinx.fem import assemble_scalar, form, functionspace
from dolfinx.mesh import create_unit_square
from mpi4py import MPI
from petsc4py import PETSc


def main() -> None:
    """Check ranks, scalar type, versions, a compiled form, a MUMPS factorisation and gmsh."""
    comm = MPI.COMM_WORLD
    expected = int(sys.argv[1])
    if comm.size != expected:
        raise SystemExit(f"mpirun started {expected} ranks but MPI sees {comm.size}")
    if not np.issubdtype(PETSc.ScalarType, np.floating):
        raise SystemExit("this DOLFINx is built for complex numbers; heterode needs real ones")

    mesh = create_unit_square(comm, 4, 4)
    x = ufl.SpatialCoordinate(mesh)
    value = comm.allreduce(assemble_scalar(form((1 + x[0]) * ufl.dx(domain=mesh))), MPI.SUM)
    if abs(value - 1.5) > 1e-12:
        raise SystemExit(f"the integral of 1 + x over the unit square came out as {value}, not 1.5")

    space = functionspace(mesh, ("Lagrange", 2))
    owned = space.dofmap.index_map.size_local
    matrix = PETSc.Mat().createAIJ(((owned, None), (owned, None)), nnz=1, comm=comm)
    first = matrix.getOwnershipRange()[0]
    for row in range(first, first + owned):
        matrix.setValue(row, row, 2.0)
    matrix.assemble()
    solver = PETSc.KSP().create(comm)
    solver.setOperators(matrix)
    solver.setType("preonly")
    solver.getPC().setType("lu")
    solver.getPC().setFactorSolverType("mumps")
    rhs, solution = matrix.createVecs()
    rhs.set(1.0)
    solver.solve(rhs, solution)
    if abs(solution.min()[1] - 0.5) > 1e-12 or abs(solution.max()[1] - 0.5) > 1e-12:
        raise SystemExit("MUMPS solved 2 x = 1 wrongly")

    if comm.rank == 0:
        gmsh.initialize(["gmsh", "-nopopup"], interruptible=False)
        version = gmsh.option.getString("General.Version")
        gmsh.finalize()
        print(f"DOLFINx {dolfinx.__version__}, gmsh {version}, {comm.size} ranks: good")


main()
