"""A run that is broken off and resumed gives the history of an unbroken one, to 1e-9."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.broken_runs import (
    broken_at,
    broken_on,
    forget_the_errors,
    forget_the_past,
    resumed_at,
    start,
    steps_of,
)
from helpers.commands import environment, settings, short_run
from helpers.endings import (
    ENDLESS,
    FAILING,
    SMALL_DISK,
    check_readable,
    run_script,
    start_endless,
    the_line,
)
from helpers.paths import HELPERS, ROOT
from helpers.same_run import TOLERANCE, check_completed, difference
from helpers.surroundings import PATIENCE
from heterode.cli import main
from heterode.results import read_history, read_manifest
from heterode.results.checkpoint import list_checkpoints
from heterode.runs.observers import Checkpoint
from heterode.solver.algebra.bordered import BorderedSolver

PROTOCOL = (
    "charge at C/2 until 4.15 V",
    "hold at 4.15 V until C/5",
    "rest for 2 min",
    "discharge at 1C until 4.05 V",  # at once
    "discharge at C/2 for 2 min",
)
THINNED = {"output__fields_every": "7", "output__particles_every": "3"}


def arguments(**more: str) -> list[str]:
    return [*short_run(*PROTOCOL, **(THINNED | more)), "--quiet"]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "out"
    assert main([*arguments(), "--out", str(out)]) == 0
    check_completed(out)
    return out


# -- in one process ---------------------------------------------------------------------------


def test_broken_in_every_protocol_step(unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = read_history(unbroken)
    firsts = rows.groupby("step")["time_s"].idxmin().tolist()[1:]
    places = sorted({0, 1, 2, 10, *firsts, *(f - 1 for f in firsts), *(f + 2 for f in firsts)})
    assert len(places) > 10
    reached = -1
    for place in places:
        if place <= reached:
            continue
        broken_at(place, out, arguments())
        reached = steps_of(out)
        manifest = read_manifest(out / "manifest.json")
        assert manifest["status"] == "stopped"
        assert check_readable_thinned(out) == reached + 1
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    check_completed(out)
    assert difference(unbroken, out) == 0.0
    one, many = (read_manifest(folder / "manifest.json") for folder in (unbroken, out))
    for name in ("reason", "steps", "rejected_steps", "newton_iterations", "balance"):
        assert one[name] == many[name], name
    assert [piece["from_step"] for piece in one["pieces"]] == [0]
    assert len(many["pieces"]) > 10
    assert many["wall_s"]["solve"] > 0.5 * one["wall_s"]["solve"]


def check_readable_thinned(folder: Path) -> int:
    """As `check_readable`, where fields and particles do not hold every row but the last."""
    from heterode.results import read_fields, read_particle_series

    rows = read_history(folder)
    for times in (
        read_particle_series(folder).time_s,
        *(read_fields(folder, name).times_s for name in ("particles", "electrolyte", "carbon")),
    ):
        assert set(times) <= set(rows["time_s"])
        assert times[-1] == rows["time_s"].iloc[-1]
    return len(rows)


def test_a_time_step_is_abandoned_when_a_signal_comes(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls = tmp_path / "out", []
    linearise = BorderedSolver.linearise

    def linearising(self, fluxes, alpha, **how):
        calls.append(1)
        if len(calls) == 20:
            os.kill(os.getpid(), signal.SIGTERM)
        linearise(self, fluxes, alpha, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BorderedSolver, "linearise", linearising)
        assert main([*arguments(), "--out", str(out)]) == 128 + signal.SIGTERM
    # No further linearisation: the run did not wait for the end of the step.
    assert len(calls) == 20
    assert check_readable_thinned(out) == steps_of(out) + 1
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    assert difference(unbroken, out) == 0.0


def test_quadratic_elements(tmp_path: Path) -> None:
    words = [*short_run("charge at C/2 for 1 min", solver__degree="2"), "--quiet"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    broken_at(8, tmp_path / "broken", words)
    assert main([*words, "--out", str(tmp_path / "broken"), "--resume"]) == 0
    assert difference(tmp_path / "whole", tmp_path / "broken") == 0.0


def test_double_layer_and_conducting_particles(tmp_path: Path) -> None:
    more = {
        "active_material__double_layer_capacitance": "20 F/m^2",
        "active_material__electronic_conduction_in_particles": "true",
    }
    words = [*short_run("charge at C/2 for 1 min", "rest for 1 min", **more), "--quiet"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    broken_at(20, tmp_path / "broken", words)
    assert main([*words, "--out", str(tmp_path / "broken"), "--resume"]) == 0
    assert difference(tmp_path / "whole", tmp_path / "broken") == 0.0
    one, many = (read_manifest(tmp_path / n / "manifest.json") for n in ("whole", "broken"))
    assert one["balance"] == many["balance"]


def test_the_past_must_be_restored(unbroken: Path, tmp_path: Path) -> None:
    """The negative control: with less of it, the comparison fails."""
    found = difference(unbroken, resumed_at(30, tmp_path / "out", arguments(), forget_the_past))
    print(f"{found:.1e}")
    assert found > TOLERANCE


def test_errors_and_layers_are_those_of_the_whole_run(tmp_path: Path) -> None:
    """The largest error is that of the first seconds, which the resumed part has not seen."""
    words = [*short_run("charge at C/2 for 1 min", "rest for 1 min", solver__layers="auto")]
    words += ["--quiet"]
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    broken_at(35, tmp_path / "out", words)
    part = read_manifest(tmp_path / "out" / "manifest.json")["accuracy"]
    assert main([*words, "--out", str(tmp_path / "out"), "--resume"]) == 0
    assert difference(tmp_path / "whole", tmp_path / "out") == 0.0
    whole = read_manifest(tmp_path / "whole" / "manifest.json")["accuracy"]
    for key in ("voltage_space_error_V", "voltage_time_error_V"):
        assert 0.0 < part[key]["largest"] <= whole[key]["largest"], key
        assert part[key]["rms"] != whole[key]["rms"], key
    assert part["layers"] == whole["layers"]
    assert whole["voltage_space_error_V"]["at_s"] < 1.0
    forgetful = resumed_at(35, tmp_path / "forgetful", words, forget_the_errors)
    assert difference(tmp_path / "whole", forgetful) > TOLERANCE


def test_checkpoints_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, list[int]] = {}
    save = Checkpoint._save

    def saving(self, kept, accepted):
        save(self, kept, accepted)
        written[every].append(accepted)

    monkeypatch.setattr(Checkpoint, "_save", saving)
    for every in ("0 s", "1 ms", "10 min"):
        written[every] = []
        words = short_run("charge at C/2 for 1 min", "rest for 1 min")
        words += [*settings(output__checkpoint_every=every), "--quiet"]
        assert main([*words, "--out", str(tmp_path / every)]) == 0
    ends = read_history(tmp_path / "0 s").groupby("step")["time_s"].idxmax().tolist()
    assert written["0 s"] == written["10 min"] == ends
    assert written["1 ms"] == list(range(1, ends[-1] + 1))


# -- the command ------------------------------------------------------------------------------


def test_resume_starts_what_is_not_there_and_leaves_what_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*short_run("charge at C/2 for 10 s"), "--resume"]
    assert main([*words, "--quiet"]) == 0
    folder = Path("results/quickstart")
    check_completed(folder)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr() == (f"completed already\nresults: {folder}\n", "")
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    # Without --resume a new folder, which --resume then takes for the latest.
    assert main([*words[:-1], "--quiet"]) == 0
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("results: results/quickstart-2\n")
    assert sorted(path.name for path in Path("results").iterdir()) == [
        "quickstart",
        "quickstart-2",
    ]


def test_a_run_without_a_checkpoint_yet_starts_anew(tmp_path: Path, unbroken: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    (out / "notes.txt").write_text("mine")
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    assert difference(unbroken, out) == 0.0
    assert (out / "notes.txt").read_text() == "mine"
    assert len(read_manifest(out / "manifest.json")["pieces"]) == 1


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--overwrite"], "--resume"),
        (["--set", "seeds.penalty=9"], "seeds.penalty = 9"),
        (["--set", "solver.newton_tolerance=1e-4"], "solver.newton_tolerance = 0.0001"),
    ],
)
def test_mistakes(
    more: list[str],
    named: str,
    unbroken: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")}
    assert main([*arguments(), "--out", str(unbroken), "--resume", *more]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heterode: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")} == before


def test_a_folder_in_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = start_endless(tmp_path, report="false")
    monkeypatch.chdir(tmp_path)
    words = [*short_run(ENDLESS, solver__initial_step="1 s"), "--out", "out", "--quiet"]
    said = []
    for how in ("--resume", "--overwrite"):
        assert main([*words, how]) == 2
        said.append(the_line(capsys.readouterr().err))
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    for line in said:
        assert f"still writing there (process {process.pid} on " in line
    assert check_readable(tmp_path / "out", whole=True) == steps_of(tmp_path / "out") + 1


# -- faults -----------------------------------------------------------------------------------


def test_a_damaged_checkpoint_is_passed_over(
    unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    last = len(read_history(unbroken)) - 3
    broken_at(last, out, arguments())
    newest, before = list_checkpoints(out / "checkpoint")
    for path in (newest, before):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 8
        path.write_bytes(content)
        saved = shutil.copytree(out, tmp_path / path.stem)
        if path == newest:
            assert main([*arguments(), "--out", str(saved), "--resume"]) == 0
            (warning,) = capsys.readouterr().err.splitlines()
            assert f"{newest.name}: is damaged (its checksum differs)" in warning
            assert f"going on from {saved / 'checkpoint' / before.name}" in warning
            assert difference(unbroken, saved) == 0.0
            check_completed(saved)
    files = {path: path.stat().st_mtime_ns for path in saved.rglob("*") if path.is_file()}
    assert main([*arguments(), "--out", str(saved), "--resume"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"heterode: error: {saved}: no checkpoint is usable")
    assert newest.name in line
    assert before.name in line
    now = {path: path.stat().st_mtime_ns for path in saved.rglob("*") if path.is_file()}
    assert now == files


def test_disk_that_fills_up_under_a_checkpoint(unbroken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    broken_at(12, out, arguments())
    (kept,) = list_checkpoints(out / "checkpoint")
    before = kept.read_bytes()
    script = SMALL_DISK.replace("{limit}", str(len(before) - 1000))
    words = [*arguments(output__checkpoint_every="0.01 s"), "--out", "out", "--resume"]
    ended = run_script(script, tmp_path, words, 0)
    assert ended.returncode == 3
    line = the_line(ended.stderr)
    assert line.startswith("heterode: failed: the results cannot be written: out/checkpoint/")
    assert read_manifest(out / "manifest.json")["status"] == "failed"
    assert list_checkpoints(out / "checkpoint") == [kept]
    assert kept.read_bytes() == before
    assert not list(out.rglob("*.partial"))
    # With room again it goes on, and nothing was lost.
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    assert difference(unbroken, out) == 0.0


def test_a_failed_solve_can_be_resumed_from_its_last_state(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*FAILING["filled with lithium"], *settings(output__report="false")]
    words += ["--quiet", "--out", str(out)]
    assert main(words) == 3
    first, rows = read_manifest(out / "manifest.json"), read_history(out)
    assert int(list_checkpoints(out / "checkpoint")[0].stem) == len(rows) - 1
    assert main([*words, "--resume"]) == 3
    again = read_manifest(out / "manifest.json")
    assert again["reason"] == first["reason"]
    assert read_history(out).equals(rows)
    assert len(again["pieces"]) == 2


def test_memory_is_that_of_the_largest_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("heterode.runs.prepared.peak_memory", lambda: 7_000_000_000)
    broken_at(2, out, arguments())
    monkeypatch.setattr("heterode.runs.prepared.peak_memory", lambda: 1_000_000_000)
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    assert read_manifest(out / "manifest.json")["peak_memory_bytes"] == 7_000_000_000


# -- kill -9 ----------------------------------------------------------------------------------


def kill_until_complete(out: Path, kills: int, seed: int, rows: int) -> dict[str, list]:
    # A checkpoint after each time step, on any machine.
    words = arguments(output__checkpoint_every="1 us")
    script = HELPERS / "kill_run.py"
    program = [sys.executable, script, out, str(kills), str(seed), str(rows)]
    done = subprocess.run(
        [*program, *words, "--out", out, "--resume"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, list] = json.loads(done.stdout.splitlines()[-1])
    print(report)
    return report


def test_killed_again_and_again(unbroken: Path, tmp_path: Path) -> None:
    kills, rows = 15, len(read_history(unbroken))
    report = kill_until_complete(tmp_path / "out", kills, seed=1, rows=rows // kills)
    assert report["kills"] == kills
    assert report["stages"][-1] == "completed"
    assert len(set(report["from"])) > 1
    assert difference(unbroken, tmp_path / "out") <= TOLERANCE
    check_completed(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_very_often(seed: int, unbroken: Path, tmp_path: Path) -> None:
    kills, rows = 40, len(read_history(unbroken))
    report = kill_until_complete(tmp_path / "out", kills, seed=seed, rows=max(rows // kills, 2))
    assert report["kills"] > kills // 2
    assert difference(unbroken, tmp_path / "out") <= TOLERANCE
    check_completed(tmp_path / "out")


# -- ranks ------------------------------------------------------------------------------------


@pytest.mark.mpi
def test_on_other_ranks(tmp_path: Path) -> None:
    steps = ("charge at C/2 for 5 min", "hold at 3.9 V for 1 min", "rest for 1 min")
    words = [*short_run(*steps, **THINNED), "--quiet"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main([*words, "--out", str(whole)]) == 0
    for ranks, rows in ((2, 8), (3, 16)):
        broken_on(ranks, rows, words, out)
    assert main([*words, "--out", str(out), "--resume"]) == 0
    check_completed(out)
    found = difference(whole, out)
    print(f"{found:.1e}")
    assert found <= TOLERANCE
    pieces = read_manifest(out / "manifest.json")["pieces"]
    assert [piece["ranks"] for piece in pieces] == [2, 3, 1]


def descendants(process: int) -> list[int]:
    """Processes below one, parents before children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [below for child in map(int, children) for below in (child, *descendants(child))]


@pytest.mark.mpi
def test_a_rank_that_dies(unbroken: Path, tmp_path: Path) -> None:
    words, out = arguments(output__checkpoint_every="0.05 s"), tmp_path / "out"
    program = [str(ROOT / "scripts" / "run"), "-n", "2", *words[1:], "--out", str(out), "--resume"]
    process = start(program, out, 40, HETERODE_INSIDE="test")
    ranks = [
        number
        for number in descendants(process.pid)
        if b"heterode" in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
    os.kill(ranks[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    line = the_line(err)
    assert line.startswith("heterode: failed: a rank was ended by signal 9 (SIGKILL")
    assert "--resume" in line
    assert read_manifest(out / "manifest.json")["status"] == "running"
    assert len(read_history(out)) > 30
    assert list_checkpoints(out / "checkpoint")
    assert main([*arguments(), "--out", str(out), "--resume"]) == 0
    check_completed(out)
    assert len(read_history(out)) == len(read_history(unbroken))
    assert difference(unbroken, out) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.mpi
def test_killed_often_on_changing_ranks(tmp_path: Path) -> None:
    words = arguments(output__checkpoint_every="0.05 s")
    whole, out, chance = tmp_path / "whole", tmp_path / "out", random.Random(7)
    assert main([*words, "--out", str(whole)]) == 0
    launcher = str(ROOT / "scripts" / "run")
    for kill in range(15):
        program = [launcher, "-n", str(1 + kill % 3), *words[1:], "--out", str(out), "--resume"]
        process = subprocess.Popen(
            program,
            env=environment(HETERODE_INSIDE="test"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # By progress, so that each life comes some time steps further than its checkpoint.
        history, further = out / "history.csv", chance.randrange(1, 12)
        goal = further + (len(read_history(out)) if list_checkpoints(out / "checkpoint") else 0)
        while process.poll() is None and (
            not history.exists() or history.read_bytes().count(b"\n") <= goal
        ):
            time.sleep(0.02)
        # Whoever is killed, launcher or rank, takes all the others along.
        alive = [process.pid, *descendants(process.pid)] if process.poll() is None else []
        for victim in chance.sample(alive, min(1, len(alive))):
            os.kill(victim, signal.SIGKILL)
        code = process.wait(PATIENCE)
        if not alive:
            assert code == 0
            break
        time.sleep(1.0)
    assert kill > 2
    assert main([*words, "--out", str(out), "--resume"]) == 0
    check_completed(out)
    found = difference(whole, out)
    pieces = [(p["ranks"], p["from_step"]) for p in read_manifest(out / "manifest.json")["pieces"]]
    print(f"{kill} kills: {found:.1e} {pieces}")
    assert len({ranks for ranks, _ in pieces}) > 1
    assert found <= TOLERANCE
