"""The solver. PETSc is started here, before anything that would start it in its own way.

Left to itself PETSc reads .petscrc and petscrc in the working folder and .petscrc in the home:
options there load libraries, write files and change solvers. $PETSC_OPTIONS still counts.
"""

import petsc4py
from mpi4py import MPI

# Nor are signals PETSc's: a closed pipe is an error to Python, to PETSc the program's end.
petsc4py.init(["heterode", "-skip_petscrc", "-no_signal_handler"], comm=MPI.COMM_WORLD)
