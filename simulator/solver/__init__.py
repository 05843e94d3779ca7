"""The solver. PETSc is started here, before other code could start it with other settings.

By default PETSc reads .petscrc and petscrc in the working folder and .petscrc in the home folder,
whose options could load libraries, write files and change solvers. $PETSC_OPTIONS still counts.
"""

import petsc4py
from mpi4py import MPI

# PETSc must not handle signals: a closed pipe is an error in Python, but PETSc would abort.
petsc4py.init(["heterode", "-skip_petscrc", "-no_signal_handler"], comm=MPI.COMM_WORLD)
