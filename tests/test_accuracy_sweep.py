"""The layers of a sweep: those of its hardest run, for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.sweeps import plan
from heterode.forecast.planned import planned
from heterode.parameters import Parameters, load_parameters
from heterode.sweep import plan as sweep_plan
from heterode.sweep.plan import SweepPlan

RATES = """
[levels.rate]
"C/10" = { protocol.steps = ["charge at C/10 until 4.2 V"] }
"1C" = { protocol.steps = ["charge at 1C until 4.2 V"] }
"C/2" = { protocol.steps = ["charge at C/2 until 4.2 V"] }
"""


def parameters_of(found: SweepPlan) -> list[Parameters]:
    return [load_parameters(found.base, run.overrides) for run in found.runs]


def test_runs_that_need_different_layers_share_those_of_the_hardest(tmp_path: Path) -> None:
    runs = parameters_of(plan(tmp_path, RATES))
    layers = {p.solver.layers for p in runs}
    assert len(layers) == 1
    assert layers == {planned(runs[1].with_values({"solver.layers": None})).written}
    # On their own they would differ, and what they share is enough for each of them.
    alone = [planned(p.with_values({"solver.layers": None})).written for p in runs]
    assert len(set(alone)) > 1
    assert all(planned(p).is_met for p in runs)


def test_runs_that_need_the_same_have_it_written_out(tmp_path: Path) -> None:
    """A point that is added later and needs less then changes none of them."""
    text = "[vary]\nseparator.porosity = [{}]\n[seeds]\npacking = [1, 2]"
    found = plan(tmp_path, text.format("0.4, 0.5"))
    (layers,) = {p.solver.layers for p in parameters_of(found)}
    assert layers not in ("auto", "none")
    more = plan(tmp_path, text.format("0.4, 0.45, 0.5"))
    assert {run.id for run in found.runs} < {run.id for run in more.runs}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ('[set]\nsolver.layers = "none"', {"none"}),
        ("[set]\nsolver.layers = 2", {2}),
        ('[vary]\nsolver.accuracy = ["1 mV", "5 mV"]', {"auto"}),
    ],
)
def test_what_the_sweep_says_of_layers_and_accuracy_stands(
    tmp_path: Path, own: str, expected: set[str | int]
) -> None:
    head, _, levels = RATES.partition("[levels")
    found = plan(tmp_path, f"{head}{own}\n[levels{levels}")
    assert {p.solver.layers for p in parameters_of(found)} == expected


def test_no_point_is_loaded_twice_with_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points are planned for without seeds and layers, and each is run with them."""
    loaded: list[tuple[str, ...]] = []

    def counted(base: Path, overrides: tuple[str, ...]) -> Parameters:
        loaded.append(tuple(overrides))
        return load_parameters(base, overrides)

    monkeypatch.setattr(sweep_plan, "load_parameters", counted)
    found = plan(tmp_path, RATES + "[seeds]\npacking = [1, 2]")
    assert len(found.runs) == 6
    assert len(loaded) == 3 + 6
    assert len(set(loaded)) == len(loaded)
