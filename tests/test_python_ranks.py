"""Loops and observers on several ranks: the same rules, the same samples, an end for all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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

ranks = MPI.COMM_WORLD
parameters = heterode.Parameters.load(sys.argv[1]).with_values(
    {
        "geometry.mesh_file": sys.argv[2],
        "protocol.steps": ["charge at C/2 for 20 s"],
        "solver.linear_solver": "fieldsplit",
        "solver.layers": "none",
        # Iterations leave little, so that ranks differ by rounding.
        "solver.newton_tolerance": 1e-7,
        "solver.krylov_tolerance": 1e-3,
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


def watched_loop():
    # Returns on rank 0 what was seen.
    global what
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
        return {"seen": seen, "fields": fields, "ended": ended}


found = {}
for asked in sys.argv[4:]:
    what = asked
    if what == "run":
        results = heterode.run(parameters, sys.argv[3], quiet=True)
        found[asked] = len(results.history)
    else:
        found[asked] = watched_loop()
if ranks.rank == 0:
    print(json.dumps(found))
"""


def on(ranks: int, *what: str, out: Path | str = "") -> subprocess.CompletedProcess[str]:
    """Do some things one after another: to start a rank takes longer than each of them."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*launcher, sys.executable, "-c", SCRIPT, str(PRESET), str(FIVE_DISCS), str(out), *what],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


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


RANKS = (1, 2, 3)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folder that the ranks write to."""
    return {ranks: tmp_path_factory.mktemp("ranks") / "out" for ranks in RANKS}


@pytest.fixture(scope="module")
def found(out: dict[int, Path]) -> dict[int, dict[str, Any]]:
    """What each number of ranks finds; one rank is without a launcher."""
    told = {}
    for ranks in RANKS:
        done = on(ranks, "whole", "break", "caught", "run", out=out[ranks])
        assert done.returncode == 0, done.stderr
        told[ranks] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("ranks", RANKS[1:])
@pytest.mark.parametrize("what", ["whole", "break"])
def test_loops_and_fields_are_the_same(
    what: str, ranks: int, found: dict[int, dict[str, Any]]
) -> None:
    one, many = found[1][what], found[ranks][what]
    assert one["ended"] == many["ended"] == ("stopped" if what == "break" else "completed")
    assert furthest(many["seen"], one["seen"]) < 1e-8
    assert many["fields"]
    assert furthest(many["fields"], one["fields"]) < 1e-8
    # The negative control: the whole loop is longer.
    assert len(found[1]["whole"]["seen"]) > len(found[1]["break"]["seen"])


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


@pytest.mark.parametrize("ranks", RANKS)
def test_a_program_may_catch_what_an_observer_raised(
    ranks: int, found: dict[int, dict[str, Any]]
) -> None:
    assert furthest(found[ranks]["caught"]["seen"], found[1]["whole"]["seen"]) < 1e-8


@pytest.mark.parametrize("ranks", RANKS)
def test_a_run_on_ranks_writes_one_folder(
    ranks: int, out: dict[int, Path], found: dict[int, dict[str, Any]]
) -> None:
    assert found[ranks]["run"] > 5
    assert [path.name for path in out[ranks].parent.iterdir()] == ["out"]
    manifest = json.loads((out[ranks] / "manifest.json").read_text())
    assert (manifest["status"], manifest["ranks"]) == ("completed", ranks)
