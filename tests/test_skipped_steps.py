"""Steps whose ends are met where they begin are skipped, said and listed; nothing else is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from helpers.broken_runs import broken_at
from helpers.commands import command, environment, short_run
from helpers.marched import Run, run
from helpers.same_run import difference
from helpers.surroundings import PATIENCE
from heterode.base.errors import InputError, SolveError
from heterode.cli import main
from heterode.protocol import Group, parse_item
from heterode.protocol.sequence import counted, passed_idly
from heterode.results import read_history, read_manifest
from heterode.solver.time.march import Marched
from heterode.solver.time.newton import StepRejectedError
from heterode.solver.time.stepper import Stepper

QUICK = "active_material.rate_constant=1e-9 m/s"


def skipped(found: Run) -> list[int]:
    """Numbers of the steps that were skipped."""
    for marched in found.steps:
        assert (marched.skipped > 0) == (marched.time_step == 0.0)
    return [marched.protocol_step for marched in found.steps if marched.skipped]


def of(found: Run, step: int) -> Marched:
    (marched,) = found.of(step)
    return marched


# -- legal protocols --------------------------------------------------------------------------

LEGAL = {
    "slower and slower": (
        ("charge at C/2 until 4.2 V", "charge at C/20 until 4.2 V"),
        [],
    ),
    "down in three": (
        (
            "charge at C/2 for 1 h",
            *(f"discharge at {rate} until 3.5 V" for rate in ("1C", "C/5", "C/20")),
        ),
        [],
    ),
    "a hold, then slower": (
        ("charge at C/2 until 4.1 V", "hold at 4.1 V until C/10", "charge at C/100 until 4.1 V"),
        [],
    ),
    "a hold, then faster": (
        ("charge at C/2 until 4.1 V", "hold at 4.1 V until C/5", "charge at C/2 until 4.1 V"),
        [2],
    ),
    "the same twice": (
        ("charge at C/2 until 4.1 V", "charge at C/2 until 4.1 V", "rest for 1 min"),
        [1],
    ),
    "a hold behind a rest": (
        ("rest for 10 s", "hold at 3.7 V until C/50 or 5 min", "rest for 1 min"),
        [],
    ),
    "a hold that never has so much": (
        ("charge at C/20 for 5 min", "hold at 3.7 V until 10C", "rest for 1 min"),
        [1],
    ),
    "a hold at what is there": (
        ("charge at C/20 until 3.7 V", "hold at 3.7 V until C/10", "rest for 1 min"),
        [1],
    ),
    "a power beyond": (
        ("charge at C/2 until 4.1 V", "charge at 60 W/m^2 until 4.1 V", "rest for 1 min"),
        [1],
    ),
    "a power within": (
        ("charge at C/2 until 4.1 V", "charge at 4 W/m^2 until 4.1 V"),
        [],
    ),
    "a fraction": (
        ("charge at C/2 until x = 0.9", "charge at C/9 until x = 0.9", "charge at C/2 for 1 min"),
        [1],
    ),
    "a fraction beyond": (
        ("charge at C/2 until x = 0.9", "hold at 4.0 V until x below 0.95 or 1 min"),
        [1],
    ),
    "below the rest": (
        ("rest for 10 s", "charge at C/2 until 3.0 V", "charge at C/2 for 1 min"),
        [1],
    ),
    "a titration": (
        ("charge at C/2 until 4.1 V", "gitt: charge at C/2 for 1 min, rest for 1 min, until 4.1 V"),
        [1],
    ),
    "the last": (
        ("charge at C/2 until 4.1 V", "charge at 1C until 4.1 V"),
        [1],
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_protocols_run(name: str) -> None:
    steps, without_time = LEGAL[name]
    found = run(*steps)
    assert skipped(found) == without_time
    for number in without_time:
        marched = of(found, number)
        assert marched.ended_by.endswith(" at once")
        assert marched.prescribed.charge in (0.0, None)
    # Every other step took time, and met its end.
    numbers = {marched.protocol_step for marched in found.steps if marched.time_step > 0}
    assert numbers.isdisjoint(without_time)
    assert len(numbers) + len(without_time) == found.ends[-1].protocol_step + 1
    for end in found.ends:
        if not end.skipped and "until 4.1 V" in end.text and "gitt" not in end.text:
            assert pytest.approx(4.1, abs=1e-5) == end.state.V


def test_a_small_capacity_is_passed_not_skipped() -> None:
    """No jump passes charge: an end within the shortest time step is met all the same."""
    found = run("charge at C/2 until 0.001 A s/m^2", "charge at C/2 until 1 A h/m^2")
    area = found.model.mesh.collector_area
    assert skipped(found) == []
    assert found.ends[0].state.charge / area == pytest.approx(1e-3, rel=2e-6)
    assert found.ends[0].state.time < 1e-3


def test_the_first_step_is_refused_where_it_cannot_begin() -> None:
    for steps in (
        ("charge at C/2 until 3.0 V",),
        ("discharge at C/2 until 4.0 V",),
        ("charge at C/2 until x = 0.99",),
        ("{repeat=2, steps=['charge at C/2 until 3.0 V']}",),
    ):
        with pytest.raises(InputError, match="would end at once"):
            run(*steps)


def test_what_comes_after_a_skipped_step_is_as_without_it() -> None:
    first, again, last = "charge at C/2 until 4.1 V", "charge at 1C until 4.1 V", "rest for 10 min"
    found, plain = run(first, again, last), run(first, last)
    assert skipped(found) == [1]
    assert pytest.approx(plain.ends[-1].state.V, abs=1e-6) == found.ends[-1].state.V
    assert [s.protocol_step for s in found.ends] == [0, 1, 2]


# -- groups -----------------------------------------------------------------------------------


def test_of_a_repeated_list_the_steps_that_can_begin_run() -> None:
    found = run("charge at C/2 until 4.1 V", "rest for 10 s", overrides=("protocol.repeat=3",))
    numbers = [(s.protocol_step, s.cycle) for s in found.ends]
    assert numbers == [(n, n // 2) for n in range(6)]


def test_passes_that_would_skip_everything_are_not_tried() -> None:
    up = "charge at C/2 until 4.1 V"
    found = run(up, f"{{repeat=9000, steps=['{up}', 'charge at 1C until 4.1 V']}}", "rest for 1 s")
    counts = [(s.protocol_step, s.skipped) for s in found.steps if s.skipped]
    # Of the first pass each step; all the others with its last.
    assert counts == [(1, 1), (2, 1 + 2 * 8_999)]
    assert found.ends[-1].protocol_step == 1 + 2 * 9_000
    assert found.ends[-1].text == "rest for 1 s"


def test_a_group_of_groups_is_left_too() -> None:
    up = "charge at C/2 until 4.1 V"
    inner = f"{{repeat=30, steps=['{up}']}}"
    found = run(up, f"{{repeat=30, steps=[{inner}, {inner}]}}", "rest for 1 s")
    # The first of the first, with all of it; then of the second, and with it all that is left.
    assert [s.skipped for s in found.steps if s.skipped] == [30, 30 * 60 - 30]
    assert found.ends[-1].protocol_step == 1 + 30 * 60


def test_a_group_that_waits_for_what_never_comes_ends_at_once() -> None:
    up = "charge at C/2 until 4.1 V"
    with pytest.raises(SolveError, match="meet their ends where they begin"):
        run(up, f"{{until='4.2 V', steps=['{up}']}}")


def test_a_group_whose_own_end_is_met_is_left() -> None:
    up = "charge at C/2 until 4.1 V"
    found = run(up, f"{{until='4.1 V', steps=['{up}', 'rest for 1 s']}}", "rest for 2 s")
    assert skipped(found) == [1]
    assert [end.text for end in found.ends] == [up, up, "rest for 2 s"]


def test_every_kind_of_end_that_is_met_where_it_begins_is_skipped_and_said(
    tmp_path: Path,
) -> None:
    """All of them between one charge and a rest, so that each begins at 4.1 V."""
    table = tmp_path / "drive.csv"
    table.write_text("time_s,current_A_m2\n0,10\n30,10\n60,-10\n")
    follow, group = f"follow {table}", "{{until='{}', steps=['{}', 'rest for 1 s']}}"
    kinds = (
        f"{follow} until above 4.0 V",
        f"{follow} stepwise until x below 0.999",
        "{until='x below 0.999', steps=['rest for 5 s', 'charge at C/2 for 1 h']}",
        group.format("above 4.0 V", "hold at 4.1 V for 5 s"),
        group.format("below 4.3 V", follow),
        group.format("4.0 V", "charge at C/2 for 5 s"),
        f"{{repeat=4, steps=['{follow} until above 4.0 V']}}",
    )
    found = run("charge at C/2 until 4.1 V", *kinds, "rest for 1 s")
    without_time = [s for s in found.steps if s.skipped]
    assert [s.skipped for s in without_time] == [1] * 6 + [4]
    assert all(s.ended_by.endswith(" at once") for s in without_time)
    # A group that ends is named: what stands behind in it is not run either.
    groups = [", the end of 'until " in s.ended_by for s in without_time]
    assert groups == [False, False, True, True, True, True, False]
    assert [s.text for s in found.steps if s.time_step > 0][-1] == "rest for 1 s"
    assert {s.text for s in found.steps if s.time_step > 0} == {
        "charge at C/2 until 4.1 V",
        "rest for 1 s",
    }


def test_of_the_same_kinds_what_is_not_met_takes_time(tmp_path: Path) -> None:
    table = tmp_path / "drive.csv"
    table.write_text("time_s,current_A_m2\n0,1\n5,1\n10,-1\n")
    follow = f"follow {table}"
    found = run(
        "rest for 1 s",
        f"{follow} until above 4.2 V",
        f"{{until='x below 0.9', steps=['{follow} until below 2.8 V', 'charge at C/2 for 1 h']}}",
    )
    assert skipped(found) == []
    assert [end.protocol_step for end in found.ends] == [0, 1, 2, 3]


def places(*pairs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return pairs


def test_idle_passes_are_told_by_places() -> None:
    step = parse_item("rest for 1 s")
    root = Group((step, Group((step, step), 5)))
    last, again = places((1, 0), (1, 2)), places((1, 0), (0, 3))
    assert passed_idly(root, last, again, places((0, 0))) == 1
    assert passed_idly(root, last, again, None) == 1
    assert passed_idly(root, last, again, places((1, 0), (1, 1))) == 1
    assert passed_idly(root, last, again, places((1, 0), (0, 2))) is None
    # Within a pass, and out of the group.
    assert passed_idly(root, again, places((1, 0), (1, 3)), None) is None
    assert passed_idly(root, last, (), None) is None
    assert counted(root)
    assert not counted(Group((Group((step,), None),)))


# -- a solve that fails -------------------------------------------------------------------------


def no_first_steps(patching: pytest.MonkeyPatch, current: float) -> None:
    """No step of a size of the current, A m^-2, is solved."""
    attempt = Stepper.attempt

    def failing(self, step, control):
        if getattr(control, "current", 0.0) > current:
            raise StepRejectedError("Newton's method diverged")
        return attempt(self, step, control)

    patching.setattr(Stepper, "attempt", failing)


def test_a_jump_beyond_the_end_that_cannot_be_solved_is_skipped(monkeypatch) -> None:
    no_first_steps(monkeypatch, 0.0)
    # From rest at 3.534 V, the interface alone takes 1C beyond 3.6 V.
    found = run("rest for 1 s", "charge at 1C until 3.6 V", "rest for 1 s")
    assert skipped(found) == [1]
    assert found.ends[-1].text == "rest for 1 s"


def test_a_step_that_cannot_be_solved_fails_where_its_end_is_far(monkeypatch) -> None:
    """The negative controls: an end that no jump meets, and a voltage held."""
    no_first_steps(monkeypatch, 0.0)
    with pytest.raises(SolveError, match="diverged"):
        run("rest for 1 s", "charge at 1C until 4.5 V")

    def failing(self, step, control):
        raise StepRejectedError("Newton's method diverged")

    monkeypatch.setattr(Stepper, "attempt", failing)
    with pytest.raises(SolveError, match="diverged"):
        run("hold at 4.0 V until C/10")


# -- what is said -------------------------------------------------------------------------------

UP = "charge at C/2 until 4.0 V"
STEPS = (UP, "charge at 1C until 4.0 V", "rest for 30 s", "charge at C/2 for 30 s")
OFTEN = (UP, "charge at 1C until 4.0 V", "charge at C/2 until 4.0 V")


def words(steps: Sequence[str], out: Path, **more: str) -> list[str]:
    return [*short_run(*steps, **more), "--out", str(out)]


def test_the_run_says_and_lists_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(words(STEPS, out)) == 0
    said = capsys.readouterr().err
    assert "skipped step 1 'charge at 1C until 4.0 V': reached 4 V at once (t = " in said
    manifest, rows = read_manifest(out / "manifest.json"), read_history(out)
    (entry,) = manifest["skipped_steps"]
    before = rows[rows["step"] == 0].iloc[-1]
    assert entry == {
        "cycle": 0,
        "step": 1,
        "text": "charge at 1C until 4.0 V",
        "reason": "reached 4 V at once",
        "time_s": before["time_s"],
        "voltage_V": before["voltage_V"],
        "steps": 1,
    }
    assert manifest["skipped_step_count"] == 1
    # The history keeps the protocol's numbers, and has no row of what took no time.
    assert rows["step"].unique().tolist() == [0, 2, 3]
    assert rows["time_s"].is_monotonic_increasing
    assert rows["time_s"].is_unique
    assert manifest["balance"]["prescribed_charge"] < 1e-9


JUMPS = ("rest for 20 s", "charge at C/2 until 4.0 V", "rest for 10 s")
STOPS = {"protocol__stops": '["3.52 V", "3.54 V", "3.95 V"]'}


def test_a_stop_that_a_jump_leads_across_is_said_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "cell.csv").write_text("Time [s],Current [A]\n0,0\n5,1\n")
    follow = f"follow {tmp_path / 'cell.csv'} with area 0.5 m^2"
    assert main(words((*JUMPS, follow), out, **STOPS)) == 0
    said = capsys.readouterr().err
    assert "positive on discharge, divided by -0.5 m^2; up to 2 A/m^2" in said
    manifest, rows = read_manifest(out / "manifest.json"), read_history(out)
    (entry,) = manifest["left_out_stops"]
    before, after = (rows[rows["step"] == n].iloc[at] for n, at in ((0, -1), (1, 0)))
    # The voltage at the end of the first, shortest time step is that of history.csv.
    assert before["voltage_V"] < 3.54 < after["voltage_V"]
    wanted = {"cycle": 0, "step": 1, "text": JUMPS[1], "stop_V": 3.54}
    wanted |= {"time_s": before["time_s"], "before_V": before["voltage_V"]}
    assert entry == {**wanted, "after_V": after["voltage_V"]}
    assert manifest["left_out_stop_count"] == 1
    assert "stop at 3.54 V left out: the jump of the current where step 1" in said
    # The negative controls: what lies on the way is met, and what lies behind is neither.
    assert [path.name for path in (out / "stops").iterdir()] == ["01_3.95V.csv"]
    assert said.count("left out") == 1
    assert manifest["skipped_steps"] == []


def test_left_out_stops_survive_a_break(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = [*short_run(*JUMPS, protocol__repeat="2", **STOPS), "--quiet"]
    assert main([*arguments, "--out", str(whole)]) == 0
    rows = read_history(whole)
    broken_at(int(rows[rows["step"] == 2].index[-1]), broken, arguments)
    assert main([*arguments, "--out", str(broken), "--resume"]) == 0
    one, many = (read_manifest(folder / "manifest.json") for folder in (whole, broken))
    assert one["left_out_stops"] == many["left_out_stops"]
    assert one["left_out_stop_count"] == many["left_out_stop_count"] >= 1


def test_what_was_skipped_before_a_failure_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, up = tmp_path / "out", "charge at C/2 until 3.8 V"
    arguments = [*short_run(up), "--quiet", "--out", str(out)]
    group = f"{{until='4.2 V', steps=['{up}']}}"
    assert main([*arguments, "--set", f'protocol.steps=["{up}", {group}]']) == 3
    assert "would be repeated for ever" in capsys.readouterr().err
    manifest = read_manifest(out / "manifest.json")
    assert manifest["status"] == "failed"
    assert [entry["step"] for entry in manifest["skipped_steps"]] == [1]


def test_nothing_is_listed_where_nothing_was_skipped(tmp_path: Path) -> None:
    assert main([*words((STEPS[2],), tmp_path / "out"), "--quiet"]) == 0
    manifest = read_manifest(tmp_path / "out" / "manifest.json")
    assert (manifest["skipped_steps"], manifest["skipped_step_count"]) == ([], 0)


def test_a_run_that_goes_on_lists_the_same(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = [*short_run(*STEPS, protocol__repeat="2"), "--quiet"]
    assert main([*arguments, "--out", str(whole)]) == 0
    rows = read_history(whole)
    ends = [int(rows[rows["step"] == 0].index[-1]), int(rows[rows["step"] == 2].index[-1])]
    broken_at(ends[0], broken, arguments)
    broken_at(ends[1], broken, arguments)
    assert main([*arguments, "--out", str(broken), "--resume"]) == 0
    assert difference(whole, broken) == 0.0
    one, many = (read_manifest(folder / "manifest.json") for folder in (whole, broken))
    for name in ("skipped_steps", "skipped_step_count", "balance"):
        assert one[name] == many[name]
    assert one["skipped_step_count"] >= 2


@pytest.mark.mpi
def test_on_three_ranks_by_the_iterative_solver(tmp_path: Path) -> None:
    """With a table behind the skipped step, whose integral passes there as well."""
    out, table = tmp_path / "out", tmp_path / "fall.csv"
    table.write_text("time_s,current_A_m2\n0,20\n0.5,2\n1,0\n")
    steps = ("charge at C/2 for 2 s", "charge at C/2 until 3.54 V", f"follow {table}")
    done = subprocess.run(
        command(3, [*words(steps, out, solver__linear_solver="fieldsplit"), "--quiet"]),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    manifest, rows = json.loads((out / "manifest.json").read_text()), read_history(out)
    assert manifest["linear_solver"] == "fieldsplit"
    assert [entry["step"] for entry in manifest["skipped_steps"]] == [1]
    assert manifest["balance"]["prescribed_charge"] < 1e-9
    passed = 3600 * np.ptp(rows[rows["time_s"] >= 2.0]["capacity_Ah_m2"])
    assert passed == pytest.approx(6.0, rel=1e-9)
