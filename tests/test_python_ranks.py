"""Loops and observers on several ranks: the same rules, the same samples, an end for all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment
from helpers.paths import FIVE_DISCS, PRESET
from helpers.surroundings import PATIENCE

pytestmark = pytest.mark.mpi

SCRIPT = """
import json
import sys

import heterode
from mpi4py import MPI

ranks, what = MPI.COMM_WORLD, sys.argv[1]
parameters = heterode.Parameters.load(sys.argv[2]).with_values(
    {
        "geometry.mesh_file": sys.argv[3],
        "protocol.steps": ["charge at C/2 for 20 s"],
        "solver.linear_solver": "fieldsplit",
        "output.report": False,
    }
)


class Watching(heterode.Observer):
    def __init__(self):
        self.steps = []
        self.ending = None

    def wants(self, coming):
        if what == "wants" and coming.rank == ranks.size - 1 and coming.accepted == 2:
            raise ZeroDivisionError("in wants")
        # One rank that asks is enough.
        return heterode.Wants(fields=coming.rank == ranks.size - 1 and coming.accepted == 3)

    def observe(self, step):
        assert ranks.rank == 0, "observers are called on rank 0 alone"
        self.steps.append(step)
        if what == "observe" and step.sample.accepted == 2:
            raise ZeroDivisionError("in observe")

    def end(self, ending):
        self.ending = ending


def loop(observer):
    seen = []
    with heterode.prepare(parameters, [observer]) as cell:
        for step in cell:
            seen.append((step.sample.time_s, step.sample.voltage_V, step.errors["lithium"]))
            if what == "loop" and ranks.rank == ranks.size - 1 and len(seen) == 3:
                raise ZeroDivisionError("in the loop")
            if what == "break" and step.sample.voltage_V > 3.7995:
                break
    return seen


observer = Watching()
if what == "caught":
    # A program that catches it goes on, on every rank.
    what = "observe"
    try:
        loop(observer)
    except ZeroDivisionError:
        what = "whole"
    observer = Watching()
seen = loop(observer)
everywhere = ranks.gather(seen, root=0)
if ranks.rank == 0:
    assert all(one == seen for one in everywhere), "samples differ between ranks"
    fields = {
        domain: {name: array.tolist() for name, array in values.items()}
        for step in observer.steps
        if step.fields is not None
        for domain, values in step.fields.items()
    }
    watched = [step.sample.voltage_V for step in observer.steps]
    assert watched == [voltage for _, voltage, _ in seen]
    ended = observer.ending.outcome.status
    print(json.dumps({"seen": seen, "fields": fields, "ended": ended}))
"""


def on(ranks: int, what: str) -> subprocess.CompletedProcess[str]:
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*launcher, sys.executable, "-c", SCRIPT, what, str(PRESET), str(FIVE_DISCS)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def furthest(one: object, other: object) -> float:
    """The largest difference between the numbers of two nested tables of one form."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        return max((furthest(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other)
        return max((furthest(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    assert isinstance(one, float)
    assert isinstance(other, float)
    # Concentrations of some 1000 mol m^-3 among them.
    return abs(one - other) / max(1.0, abs(one))


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, object]]:
    """What one rank without a launcher finds."""
    return {what: told(on(1, what)) for what in ("whole", "break")}


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("what", ["whole", "break"])
def test_loops_and_fields_are_the_same(
    what: str, ranks: int, alone: dict[str, dict[str, object]]
) -> None:
    found = told(on(ranks, what))
    assert found["ended"] == alone[what]["ended"] == ("stopped" if what == "break" else "completed")
    assert furthest(found["seen"], alone[what]["seen"]) < 1e-8
    assert found["fields"]
    assert furthest(found["fields"], alone[what]["fields"]) < 1e-8
    # The negative control: the whole loop is longer.
    assert len(str(alone["whole"]["seen"])) > len(str(alone["break"]["seen"]))


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("what", ["observe", "wants", "loop"])
def test_an_exception_on_one_rank_ends_all(what: str, ranks: int) -> None:
    if ranks == 1 and what != "observe":
        pytest.skip("in one process, as tested without a launcher")
    done = on(ranks, what)
    assert done.returncode != 0
    assert done.stdout == ""
    where = "the loop" if what == "loop" else what
    # Raised on all ranks, it is shown once.
    assert done.stderr.count(f"ZeroDivisionError: in {where}\n") == 1


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_program_may_catch_what_an_observer_raised(
    ranks: int, alone: dict[str, dict[str, object]]
) -> None:
    found = told(on(ranks, "caught"))
    assert furthest(found["seen"], alone["whole"]["seen"]) < 1e-8


def test_a_run_on_ranks_writes_one_folder(tmp_path: Path) -> None:
    script = (
        "import heterode, sys\n"
        "p = heterode.Parameters.load(sys.argv[1]).with_values({'geometry.mesh_file': sys.argv[2],"
        " 'protocol.steps': ['charge at C/2 for 10 s'], 'output.report': False})\n"
        "results = heterode.run(p, sys.argv[3], quiet=True)\n"
        "assert len(results.history) > 5\n"
    )
    out = tmp_path / "out"
    words = [sys.executable, "-c", script, str(PRESET), str(FIVE_DISCS), str(out)]
    subprocess.run(["mpirun", "-n", "2", *words], env=environment(), check=True, timeout=PATIENCE)
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["status"], manifest["ranks"]) == ("completed", 2)
