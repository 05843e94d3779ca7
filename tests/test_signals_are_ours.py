"""PETSc leaves signals to Python: a reader that goes away is an error, not the program's end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpers.commands import environment
from helpers.surroundings import PATIENCE

CLOSED_PIPE = """
import os
{start}
from petsc4py import PETSc
PETSc.Log
heard, told = os.pipe()
os.close(heard)
try:
    os.write(told, b"x")
except BrokenPipeError:
    print("an error")
"""


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("import heterode.solver", "an error\n"),
        # The negative control: PETSc as it starts by itself.
        ("import petsc4py; petsc4py.init(['heterode'])", ""),
    ],
)
def test_a_closed_pipe_is_an_error(start: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSED_PIPE.format(start=start)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout == said
