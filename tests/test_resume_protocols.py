"""Runs broken off in the middle of each kind of protocol step go on as if they had not been."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.broken_runs import broken_at, resumed_at, steps_of
from helpers.commands import command, environment, short_run
from helpers.same_run import SCALES, TOLERANCE, check_completed, difference
from helpers.surroundings import PATIENCE
from heterode.cli import main
from heterode.particles.table import COLUMNS, ParticleTable
from heterode.results import read_history, read_manifest, read_particle_series
from heterode.results.stops import STOP_COLUMNS
from heterode.solver.snapshot import Snapshots

TABLE = "time_s,current_A_m2\n0,0\n30,12\n60,12\n90,-6\n90.5,8\n120,0\n"
OF_A_CELL = "Time [s],Current [A]\n0,0\n30,-6\n60,-6\n90,3\n90.5,-4\n120,0\n"
"""The same currents, of an electrode of 0.5 m^2, positive on discharge."""

STEPS = (
    '"gitt: charge at C/2 for 30 s, rest for 30 s, until 3.8 V"',
    '"charge at 60 W/m^2 until 4.0 V"',
    '"follow {file} until above 4.4 V"',
    '{repeat = 2, steps = ["charge at C/2 until 0.4 A h/m^2", '
    '"follow {cell} stepwise with area 0.5 m^2"]}',
    '"discharge at 60 W/m^2 until 1 A h/m^2"',
    '"charge at C/2 until x = 0.75"',
)
STOPS = '["3.7 V", "3.85 V", "3.95 V", "4.0 V"]'


def arguments(folder: Path) -> list[str]:
    file = folder / "drive.csv"
    if not file.exists():
        file.write_text(TABLE)
    cell = folder / "cell.csv"
    if not cell.exists():
        cell.write_text(OF_A_CELL)
    steps = ", ".join(STEPS).replace("{file}", str(file)).replace("{cell}", str(cell))
    more = {"protocol__steps": f"[{steps}]", "protocol__stops": STOPS, "protocol__repeat": "2"}
    return [*short_run(**more, output__particles_every="3", output__fields_every="7"), "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("protocols")


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> Path:
    out = folder / "unbroken"
    assert main([*arguments(folder), "--out", str(out)]) == 0
    check_completed(out)
    return out


def test_the_run_has_all_of_it(unbroken: Path) -> None:
    rows = read_history(unbroken)
    assert rows["cycle"].unique().tolist() == [0, 1]
    assert rows["step"].nunique() > 12
    first, second = (rows[rows["cycle"] == cycle] for cycle in (0, 1))
    assert first["time_s"].max() < second["time_s"].min()
    assert len(list((unbroken / "stops").iterdir())) > 4


def test_a_cell_s_current_is_followed_and_recorded_with_its_area(unbroken: Path) -> None:
    content = read_manifest(unbroken / "manifest.json")
    text = "follow cell.csv stepwise with area 0.5 m^2"
    assert text in content["parameters"]["protocol"]["steps"][3]["steps"]
    (told,) = (line for line in content["described"]["protocol"] if text in line)
    assert "positive on discharge, divided by -0.5 m^2" in told
    # The group is step 3 of its pass: its charges are 3 and 5, its tables 4 and 6.
    rows = read_history(unbroken)
    followed = rows[(rows["cycle"] == 0) & (rows["step"] == 4)]
    assert followed["current_A_m2"].max() == pytest.approx(12.0, rel=1e-9)
    assert followed["current_A_m2"].min() == pytest.approx(-6.0, rel=1e-9)


def test_stops_hold_the_particles_as_they_were(unbroken: Path) -> None:
    rows, series = read_history(unbroken), read_particle_series(unbroken)
    particles = ParticleTable.read_csv(unbroken / "particles.csv")
    for number, path in enumerate(sorted((unbroken / "stops").iterdir()), start=1):
        index, voltage = path.stem.removesuffix("V").split("_")
        assert int(index) == number
        assert path.read_text().splitlines()[0] == ",".join(STOP_COLUMNS)
        assert ParticleTable.read_csv(path) == particles
        values = np.genfromtxt(path, delimiter=",", names=True)
        # The series holds a sample at that time though it holds every third alone.
        gaps = np.abs(series.lithium_fraction - values["lithium_fraction"]).max(axis=1)
        at = int(gaps.argmin())
        assert gaps[at] == 0.0
        surface = series.surface_lithium_fraction[at]
        assert np.array_equal(surface, values["surface_lithium_fraction"])
        row = rows[rows["time_s"] == series.time_s[at]].iloc[0]
        assert row["voltage_V"] == pytest.approx(float(voltage), abs=1e-5)
    assert STOP_COLUMNS[: len(COLUMNS)] == COLUMNS


def test_broken_in_every_kind_of_step(unbroken: Path, folder: Path, tmp_path: Path) -> None:
    rows, out, words = read_history(unbroken), tmp_path / "out", arguments(folder)
    firsts = rows.groupby("step")["time_s"].idxmin().tolist()[1:]
    # Just before a protocol step, within it, and where a row of a table or a stop is.
    kinks = [int(np.abs(rows["time_s"] - t).idxmin()) for t in kink_times(rows)]
    places = sorted({*(f - 1 for f in firsts[::3]), *(f + 3 for f in firsts[::2]), *kinks})
    assert len(places) > 15
    reached = -1
    for place in places:
        if place <= reached:
            continue
        broken_at(place, out, words)
        reached = steps_of(out)
    assert main([*words, "--out", str(out), "--resume"]) == 0
    check_completed(out)
    assert difference(unbroken, out) == 0.0
    one, many = (read_manifest(folder / "manifest.json") for folder in (unbroken, out))
    assert many["steps"] == len(rows) - 1
    # All pieces together pass what the tables, steps and powers prescribe.
    assert one["balance"] == many["balance"]
    assert many["balance"]["prescribed_charge"] < 1e-9


def kink_times(rows) -> list[float]:
    """When the rows of the current tables came, but the first and last: the current's jumps."""
    current = rows["current_A_m2"]
    found = rows.loc[np.isclose(current, 12.0) & np.isclose(current.shift(-1), 12.0), "time_s"]
    return found.tolist()[:4]


def forgetting(**changes: object) -> Callable[[pytest.MonkeyPatch], None]:
    """A resume that takes other values for some of its position."""

    def patch(patching: pytest.MonkeyPatch) -> None:
        restore = Snapshots.restore

        def restoring(self, snapshot):
            position = restore(self, snapshot)
            charge = self._stepper.state.charge
            new = {k: charge if v == "present" else v for k, v in changes.items()}
            return replace(position, **new)

        patching.setattr(Snapshots, "restore", restoring)

    return patch


def first_capacity(rows) -> int:
    """A row within the first charge that ends on a capacity."""
    for _, steps in rows[rows["cycle"] == 0].groupby("step"):
        flow, passed = steps["current_A_m2"], np.ptp(steps["capacity_Ah_m2"])
        if flow.iloc[0] > 0 and np.ptp(flow) < 1e-9 and passed > 0.3 and len(steps) > 8:
            return int(steps.index[0]) + 5
    raise AssertionError("there is no such charge")


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"charge": "present"}, first_capacity),
        ({"place": ((3, 1), (0, 0))}, first_capacity),
        ({"length": 3.0}, lambda rows: int(np.abs(rows["time_s"] - kink_times(rows)[0]).idxmin())),
    ],
)
def test_the_position_must_be_restored(
    changes: dict, row: Callable, unbroken: Path, folder: Path, tmp_path: Path
) -> None:
    """The negative controls: the charge it began with, the pass, and the step's length at a row."""
    at, out, words = row(read_history(unbroken)), tmp_path / "out", arguments(folder)
    broken_at(at, out, words)
    with pytest.MonkeyPatch.context() as patch:
        forgetting(**changes)(patch)
        # What was forgotten shows where the pass or the protocol step ends, not at the run's end.
        broken_at(at + 100, out, words)
    one, other = (read_history(path).iloc[: at + 100] for path in (unbroken, out))
    assert one[: at + 1].equals(other[: at + 1])
    found = max((one[name] - other[name]).abs().max() / SCALES.get(name, 1.0) for name in one)
    print(f"{found:.1e}")
    assert found > TOLERANCE


def test_another_table_is_refused(
    unbroken: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, out = arguments(folder), tmp_path / "out"
    broken_at(5, out, words)
    table = folder / "drive.csv"
    try:
        table.write_text(TABLE.replace("30,12", "30,11"))
        assert main([*words, "--out", str(out), "--resume"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "its table of 'follow drive.csv until above 4.4 V' has the hash" in line
    finally:
        table.write_text(TABLE)


@pytest.mark.mpi
def test_on_other_ranks(unbroken: Path, folder: Path, tmp_path: Path) -> None:
    words, out = arguments(folder), tmp_path / "out"
    # In the second pass of the group, in the second cycle.
    broken_at(int(read_history(unbroken)["step"].eq(14).idxmax()) + 5, out, words)
    done = subprocess.run(
        command(2, [*words, "--out", str(out), "--resume"]),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = difference(unbroken, out)
    print(f"{found:.1e}")
    assert found <= TOLERANCE


def test_penalties_change_with_the_cycle_and_resumed_runs_find_them(tmp_path: Path) -> None:
    steps = ("charge at C/2 for 1 min", "discharge at C/2 for 30 s")
    rule = {"penalty__conditioning": "{rule='redraw'}"}

    def words(**more: str) -> list[str]:
        return [*short_run(*steps, protocol__repeat="2", **more), "--quiet"]

    whole, plain = tmp_path / "whole", tmp_path / "plain"
    assert main([*words(**rule), "--out", str(whole)]) == 0
    assert main([*words(), "--out", str(plain)]) == 0
    rows, without = read_history(whole), read_history(plain)
    first, later = rows["cycle"] == 0, rows["cycle"] == 1
    assert rows[first].equals(without[without["cycle"] == 0])
    # Negative control: without the rule the second cycle goes on as the first.
    assert (
        abs(rows[later]["voltage_V"].iloc[3] - without[without["cycle"] == 1]["voltage_V"].iloc[3])
        > 1e-3
    )
    in_second = int(later.idxmax()) + 2
    broken = resumed_at(in_second, tmp_path / "broken", words(**rule))
    assert difference(whole, broken) <= TOLERANCE
