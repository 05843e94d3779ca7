"""The table of balances, and what it takes to add a field: a row and a weak form.

The tracer is that of docs/developing/extending.md (`helpers.tracer`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from helpers.commands import command, environment
from helpers.paths import ROOT
from helpers.surroundings import PATIENCE
from helpers.tracer import CHARGE, DISCS, PAGE, SPHERES, charged, page, tracer
from heterode.geometry import tags
from heterode.physics.balances import (
    CELL,
    COLLECTOR,
    DOUBLE_LAYER,
    INTERFACE,
    LITHIUM,
    Balance,
    Table,
)
from heterode.results.fields import FieldWriter, read_fields
from heterode.solver.cell import Cell

SHORT = ('protocol.steps=["charge at 1C for 5 s"]',)
IN_SPACE = (
    'protocol.steps=["charge at 1C for 10 s"]',
    "geometry.dimension=3",
    "solver.linear_solver=fieldsplit",
    # Iterations that stop early stop elsewhere with a tracer among the unknowns.
    "solver.krylov_tolerance=1e-10",
    "solver.newton_tolerance=1e-10",
)

CONSERVED, LEAKED = 1e-10, 1e-8
"""Relative change of an amount that Newton's and the linear solver's tolerances leave to a balance
that is met, and one that no balance which is met can have."""


def part(cell: Cell, field: str) -> np.ndarray:
    """A field's values at the end."""
    return cell.stepper.state.vector[cell.model.layout.slices[field]]


# -- the table ------------------------------------------------------------------------------


def released(row: Balance, t_ref: float) -> float:
    """Charge that leaves a balance per charge that passes the cell, by its boundary factors."""
    return sum(s.carried * f for s, f in row.factors(t_ref).items() if not s.of_rates)


@pytest.mark.parametrize("t_ref", [0.0, 0.4])
def test_what_crosses_the_surfaces_is_what_is_released(t_ref: float) -> None:
    for row in CELL.rows:
        assert released(row, t_ref) == pytest.approx(row.released, abs=1e-15), row.field
    salt = CELL.row("y")
    wrong = replace(salt, boundary={**salt.boundary, LITHIUM: lambda t: t - 1.0})
    assert released(wrong, t_ref) != pytest.approx(0.0, abs=1e-3)


def test_the_double_layer_is_charged_as_the_interface_reacts_but_for_lithium() -> None:
    for row in CELL.rows:
        factors = row.factors(0.3)
        expected = None if row is CELL.lithium else factors[INTERFACE]
        assert factors.get(DOUBLE_LAYER) == expected, row.field


def test_a_row_takes_its_place_and_others_keep_theirs() -> None:
    assert CELL.fields == ("s", "y", "phi_l", "phi_s")
    assert page()["table"].fields == ("s", "y", "n", "phi_l", "phi_s")
    at_once = replace(tracer(), stored=False, conserved="")
    assert CELL.with_row(at_once).fields == ("s", "y", "phi_l", "phi_s", "n")


def test_a_table_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        CELL.with_row(replace(tracer(), field="y"))
    with pytest.raises(ValueError, match="come first"):
        Table(CELL.rows[::-1])
    with pytest.raises(ValueError, match="n does not meet the surface collector"):
        CELL.with_row(replace(tracer(), boundary={COLLECTOR: 1.0}))
    with pytest.raises(ValueError, match="is to be named"):
        replace(tracer(), conserved="")


def test_a_form_that_is_not_what_its_row_says_is_refused() -> None:
    def moved_by_salt(c: Any) -> Any:
        moved = c.u["y"] * c.u["n"] * c.v["n"] * c.dx["electrolyte"]
        return replace(tracer().forms(c), volume=moved)

    def not_stored(c: Any) -> Any:
        return replace(tracer().forms(c), storage=None)

    with pytest.raises(ValueError, match="n is not linear: it holds n, y"):
        charged(DISCS, CHARGE, CELL.with_row(replace(tracer(), forms=moved_by_salt)))
    with pytest.raises(ValueError, match="differ in whether it is stored"):
        charged(DISCS, CHARGE, CELL.with_row(replace(tracer(), forms=not_stored)))


def test_a_property_differs_by_region_and_by_particle() -> None:
    found: list[Any] = []

    def looking(c: Any) -> Any:
        found.append(c.by_region("particles", {"particles": np.arange(5.0)}))
        found.append(c.by_region("electrolyte", {"binder": 1.0, "separator": 2.0}))
        assert c.by_region("electrolyte", {"binder": 1.0, "separator": 2.0}) is found[1]
        with pytest.raises(ValueError, match="lacks one of its regions"):
            c.by_region("electrolyte", {"binder": 1.0})
        return tracer().forms(c)

    table = CELL.with_row(replace(tracer(), forms=looking))
    mesh = charged(DISCS, SHORT, table).model.mesh
    of_particle, of_region = found
    assert np.array_equal(values_in_cells(of_particle), mesh.particle_of_cell)
    expected = np.where(mesh.electrolyte.cell_tags == tags.CBD, 1.0, 2.0)
    assert np.array_equal(values_in_cells(of_region), expected)
    assert set(expected) == {1.0, 2.0}


def values_in_cells(function: Any) -> np.ndarray:
    return function.x.array[np.asarray(function.function_space.dofmap.list).ravel()]


def test_the_page_counts_files_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## What larger additions cost")[2]
    counts = []
    for table, count in re.findall(r"\| file .*?\n((?:\|.*\n)+)\n(\d+) files", text):
        cells = [row.split("|")[1] for row in table.splitlines()[1:]]
        names = [(n, "new" in cell) for cell in cells for n in re.findall(r"`([^`]+)`", cell)]
        for name, is_new in names:
            path = ROOT / "simulator" / name.removeprefix("simulator/")
            assert path.exists() != is_new, name
        assert len(names) == int(count)
        counts.append(len(names))
    assert len(counts) == 4
    assert max(counts) <= 8


# -- the tracer -----------------------------------------------------------------------------


def test_a_passive_field_takes_one_row_and_one_weak_form(tmp_path: Path) -> None:
    with_it, without = charged(DISCS, CHARGE, page()["table"]), charged(DISCS, CHARGE, CELL)
    found = with_it.balances.as_dict()
    assert found.pop("tracer") < CONSERVED
    assert found == without.balances.as_dict()
    # It has spread, which is no change of its amount.
    start = part_of_start(with_it, "n")
    assert np.ptp(part(with_it, "n")) < 0.5 * np.ptp(start)
    # The rest of the run is the same in all its bits.
    for field in CELL.fields:
        assert np.array_equal(part(with_it, field), part(without, field)), field
    ends = [(cell.stepper.state, cell.stepper.steps) for cell in (with_it, without)]
    assert len({(state.time, state.V, state.I, steps) for state, steps in ends}) == 1
    # It is written like the others.
    values = with_it.viewer.values(4.0)
    assert values is not None
    FieldWriter(tmp_path / "fields", with_it.viewer.grids()).write(0.0, values)
    series = read_fields(tmp_path, "electrolyte")
    assert np.array_equal(series.load(0)["tracer"], values["electrolyte"]["tracer"])
    with h5py.File(tmp_path / "fields" / "data" / "000000.h5") as file:
        assert file["electrolyte/tracer"].attrs["unit"] == "1"
        assert file["electrolyte/concentration"].attrs["unit"] == "mol m^-3"


def part_of_start(cell: Cell, field: str) -> np.ndarray:
    return cell.model.start().vector[cell.model.layout.slices[field]]


def test_a_tracer_that_leaks_is_found_out() -> None:
    leaking = replace(tracer(), boundary={LITHIUM: 1e-3})
    assert charged(DISCS, CHARGE, CELL.with_row(leaking)).balances.as_dict()["tracer"] > LEAKED


def test_a_tracer_that_asks_for_time_steps_changes_the_run() -> None:
    """The comparison with the run without a tracer can fail."""
    asking = charged(DISCS, CHARGE, CELL.with_row(replace(tracer(), tolerance=1e-4)))
    assert asking.stepper.steps != charged(DISCS, CHARGE, CELL).stepper.steps


@pytest.mark.parametrize("field", ["s", "y"])
def test_a_wrong_boundary_factor_is_found_by_conservation(field: str) -> None:
    row = CELL.row(field)

    def wrong(t_ref: float) -> float:
        return 1.01 * row.factors(t_ref)[INTERFACE]

    spoilt = replace(row, boundary={**row.boundary, INTERFACE: wrong})
    table = Table(tuple(spoilt if r is row else r for r in CELL.rows))
    assert charged(DISCS, CHARGE, table).balances.as_dict()[row.conserved] > 1e-5


def test_in_space_the_rest_of_the_run_is_the_same_to_rounding() -> None:
    with_it, without = charged(SPHERES, IN_SPACE, page()["table"]), charged(SPHERES, IN_SPACE, CELL)
    assert with_it.balances.as_dict()["tracer"] < CONSERVED
    assert with_it.stepper.steps == without.stepper.steps
    a, b = with_it.stepper.state, without.stepper.state
    assert pytest.approx(b.V, rel=1e-13) == a.V
    assert pytest.approx(b.I, rel=1e-13) == a.I
    for field in ("s", "y"):
        assert np.allclose(part(with_it, field), part(without, field), rtol=1e-12, atol=0), field


PROGRAM = """
import json, sys
sys.path[:0] = [{tests!r}]
import test_balances as t
cell = t.charged(t.DISCS, t.SHORT, t.page()["table"])
leaking = t.replace(t.tracer(), boundary={{t.LITHIUM: 1e-3}})
leaked = t.charged(t.DISCS, t.SHORT, t.CELL.with_row(leaking)).balances.as_dict()
state, found = cell.stepper.state, cell.balances.as_dict()
amount = cell.model.system.stored(t.tracer(), state.vector)
if cell.model.layout.comm.rank == 0:
    print(json.dumps([state.V, amount, found["tracer"], leaked["tracer"]]))
"""


@pytest.mark.mpi
def test_on_two_ranks_it_is_the_same(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(tests=str(Path(__file__).parent)))
    words = command(2, [])
    words = [*words[: words.index(sys.executable)], sys.executable, str(script)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    V, amount, conserved, leaked = json.loads(done.stdout)
    cell = charged(DISCS, SHORT, page()["table"])
    assert pytest.approx(cell.stepper.state.V, abs=1e-9) == V
    assert amount == pytest.approx(part_stored(cell), rel=1e-12)
    assert conserved < CONSERVED < LEAKED < leaked


def part_stored(cell: Cell) -> float:
    return cell.model.system.stored(tracer(), cell.stepper.state.vector)
