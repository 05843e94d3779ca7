"""The same run on 1, 2 and 3 ranks gives the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helpers.commands import Ended, packed_run, run_in_turn, short_run
from heterode.particles.table import ParticleTable
from heterode.results import ParticleHistory, read_history, read_manifest, read_particle_series

pytestmark = pytest.mark.mpi

RANKS = (1, 2, 3)
PROTOCOL = ("charge at C/2 for 4 min", "hold at 3.9 V for 1 min")

# What an iterative solve and Newton's method leave differs between numbers of ranks.
TIGHT = {"solver__newton_tolerance": "1e-7", "solver__krylov_tolerance": "1e-3"}

CASES = {
    "five discs": short_run(*PROTOCOL, solver__linear_solver="direct"),
    "packed": packed_run(*PROTOCOL, solver__linear_solver="direct"),
    "fieldsplit": short_run(*PROTOCOL, solver__linear_solver="fieldsplit", **TIGHT),
    "packed by fieldsplit": packed_run(*PROTOCOL, solver__linear_solver="fieldsplit", **TIGHT),
    "conducting particles, double layer": short_run(
        *PROTOCOL,
        solver__linear_solver="direct",
        active_material__electronic_conduction_in_particles="true",
        active_material__double_layer_capacitance="5 F/m^2",
    ),
    "other penalties": short_run(*PROTOCOL, solver__linear_solver="direct", seeds__penalty="2"),
}

# Largest difference to one rank. Measured: 1e-12 at most, with either solver.
VOLTAGE_BOUND = 1e-8  # V
PARTICLE_BOUND = 1e-7


@dataclass(frozen=True)
class Written:
    """What a run on some ranks left."""

    ranks: int
    history: pd.DataFrame
    series: ParticleHistory
    table: ParticleTable
    manifest: dict[str, Any]


def run_cases(ranks: int, folder: Path, *cases: str) -> dict[str, Path]:
    """Run some cases on the same ranks, one after another; return the folder of each."""
    folders = {case: folder / str(number) for number, case in enumerate(cases)}
    ended = run_in_turn(
        ranks, [[*CASES[case], "--out", out, "--quiet"] for case, out in folders.items()]
    )
    assert ended == Ended(0, json.dumps([0] * len(cases)) + "\n", "")
    return folders


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Path]]:
    """The folders of all cases on all numbers of ranks."""
    return {ranks: run_cases(ranks, tmp_path_factory.mktemp("ranks"), *CASES) for ranks in RANKS}


@pytest.fixture(scope="module")
def run_on(folders: dict[int, dict[str, Path]]) -> Callable[[str, int], Written]:
    """run_on(case, ranks) reads what a case left."""

    def read(case: str, ranks: int) -> Written:
        folder = folders[ranks][case]
        manifest = read_manifest(folder / "manifest.json")
        assert manifest["ranks"] == ranks
        return Written(
            ranks,
            read_history(folder),
            read_particle_series(folder),
            ParticleTable.read_csv(folder / "particles.csv"),
            manifest,
        )

    return read


def differences(one: Written, many: Written) -> dict[str, float]:
    """Largest absolute difference of each quantity over all samples."""
    names = ("time_s", "lithium_fraction", "surface_lithium_fraction", "current_A_m2")
    found = {
        f"{name} (history)": float(np.abs(one.history[name] - many.history[name]).max())
        for name in ("time_s", "voltage_V", "lithium_fraction_sd", "voltage_space_error_V")
    }
    for name in names:
        a, b = getattr(one.series, name), getattr(many.series, name)
        found[name] = float(np.abs(a - b).max())
    return found


@pytest.mark.parametrize("ranks", RANKS[1:])
@pytest.mark.parametrize("case", CASES)
def test_same_numbers(case: str, ranks: int, run_on: Callable[..., Written]) -> None:
    one, many = run_on(case, 1), run_on(case, ranks)
    assert len(one.history) == len(many.history)
    assert len(one.history) > 20
    # Particle order, geometry and penalties to the last digit: rank 0 alone makes them.
    assert one.table == many.table
    found = differences(one, many)
    print(f"{case} on {ranks} ranks against 1:", {k: f"{v:.1e}" for k, v in found.items()})
    assert found["voltage_V (history)"] <= VOLTAGE_BOUND, found
    assert found["voltage_space_error_V (history)"] <= VOLTAGE_BOUND, found
    for name in ("lithium_fraction", "surface_lithium_fraction", "current_A_m2"):
        assert found[name] <= PARTICLE_BOUND, found


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the packed cases, run by other processes once more on 2 ranks."""
    cases = ("packed by fieldsplit", "packed")
    return run_cases(2, tmp_path_factory.mktemp("second"), *cases)


def test_a_second_run_is_the_same_to_the_last_digit(
    folders: dict[int, dict[str, Path]], second: dict[str, Path]
) -> None:
    one, two = (found["packed by fieldsplit"] for found in (folders[2], second))
    for name in ("history.csv", "particles.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_second_run_by_the_direct_solver_is_the_same_but_for_rounding(
    folders: dict[int, dict[str, Path]], second: dict[str, Path]
) -> None:
    # MUMPS adds up what other ranks send in the order in which it arrives.
    one, two = (read_history(found["packed"]) for found in (folders[2], second))
    assert len(one) == len(two)
    assert (one["voltage_V"] - two["voltage_V"]).abs().max() < 1e-10
    assert (one["lithium_fraction_sd"] - two["lithium_fraction_sd"]).abs().max() < 1e-10


def test_another_run_is_told_apart(run_on: Callable[..., Written]) -> None:
    """The negative control: other penalties violate every bound."""
    one = run_on("five discs", 1)
    other = run_on("other penalties", 2)
    assert one.table != other.table
    last = -1
    found = {
        "voltage": abs(one.history["voltage_V"].iloc[10] - other.history["voltage_V"].iloc[10]),
        "fraction": np.abs(
            one.series.lithium_fraction[last] - other.series.lithium_fraction[last]
        ).max(),
    }
    print(found)
    assert found["voltage"] > 1e4 * VOLTAGE_BOUND, found
    assert found["fraction"] > 1e4 * PARTICLE_BOUND, found


def test_fieldsplit_agrees_with_the_direct_solver(run_on: Callable[..., Written]) -> None:
    direct, fieldsplit = run_on("five discs", 1), run_on("fieldsplit", 1)
    assert direct.manifest["linear_solver"] == "direct"
    assert fieldsplit.manifest["linear_solver"] == "fieldsplit"
    assert fieldsplit.manifest["krylov_iterations"] > len(fieldsplit.history)
    # Their Newton paths differ, so may the time steps: compared where each protocol step ends,
    # to the tolerances of time integration (1e-4 V, 1e-4).
    ends = [run.history.groupby("step").last() for run in (direct, fieldsplit)]
    found = (ends[0] - ends[1]).abs().max()
    print(found)
    assert found["time_s"] < 1e-6
    assert found["voltage_V"] < 1e-4
    assert found["lithium_fraction_mean"] < 1e-6
    assert found["lithium_fraction_sd"] < 1e-4


def test_cases_are_what_they_say(run_on: Callable[..., Written]) -> None:
    assert len(run_on("five discs", 1).table) == 5
    assert 10 <= len(run_on("packed", 1).table) <= 14
