"""A way to end a run on a signal, with all ranks at the same point."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from heterode.base.signals import Noted


class Interruption(Noted):
    """Context manager that records signals, on which all ranks can agree later; see `Noted`.

    Args:
        comm: the communicator.
    """

    def __init__(self, comm: MPI.Comm) -> None:
        super().__init__()
        self._comm = comm

    def agreed(self) -> int:
        """Return the signal that any rank has received, 0 for none. Collective."""
        return self.agreed_with()[0]

    def is_agreed(self) -> bool:
        """Return whether any rank has received a signal. Collective."""
        return self.agreed() != 0

    def agreed_with(self, *wishes: bool) -> tuple[int, list[bool]]:
        """Return the signal that any rank has received, and for each wish whether any rank has it.

        Collective, in a single exchange however many wishes there are.
        """
        local = np.array([self.number, *wishes], dtype=np.int64)
        found = np.empty_like(local)
        self._comm.Allreduce(local, found, op=MPI.MAX)
        return int(found[0]), [bool(wish) for wish in found[1:]]
