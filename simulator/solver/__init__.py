"""The solver. PETSc is started here, before anything that would start it in its own way.

Left to itself PETSc reads .petscrc and petscrc in the working folder and .petscrc in the home:
options there load libraries, write files and change solvers. $PETSC_OPTIONS still counts.
"""

# MPI before PETSc: whoever starts it also ends it.
import mpi4py.MPI
import petsc4py

petsc4py.init(["heterode", "-skip_petscrc"])
