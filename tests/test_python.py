"""import heterode: runs from Python, by the same path as the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import heterode
from helpers.commands import environment, short_run
from helpers.paths import FIVE_DISCS, PRESET
from helpers.surroundings import PATIENCE
from heterode.base import signals
from heterode.base.errors import ArgumentError
from heterode.cli import main
from heterode.results import read_history, read_manifest
from heterode.results.history import COLUMNS
from heterode.results.lock import FolderLock

STEPS = ("charge at C/2 for 30 s", "rest for 20 s")


def parameters(*steps: str, **more: object) -> heterode.Parameters:
    """A cell of five particles, seconds of wall time."""
    values: dict[str, object] = {
        "geometry.mesh_file": FIVE_DISCS,
        "protocol.steps": list(steps or STEPS),
        "output.report": False,
        "solver.layers": "none",
    }
    own = {key.replace("__", "."): value for key, value in more.items()}
    return heterode.Parameters.load(PRESET).with_values(values | own)


class Notes(heterode.Observer):
    """Notes what it is called with."""

    def __init__(self, fields_at: Sequence[int] = ()) -> None:
        self.calls: list[str] = []
        self.steps: list[heterode.Step] = []
        self.lines: list[str] = []
        self.start_: heterode.Start | None = None
        self.ending: heterode.Ending | None = None
        self._fields_at = fields_at

    def check(self, parameters: heterode.Parameters) -> None:
        self.calls.append("check")

    def wants(self, coming: heterode.Coming) -> heterode.Wants:
        return heterode.Wants(fields=coming.accepted in self._fields_at)

    def begin(self, setting: object) -> None:
        self.calls.append("begin")

    def start(self, start: heterode.Start) -> None:
        self.calls.append("start")
        self.start_ = start

    def observe(self, step: heterode.Step) -> None:
        self.steps.append(step)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def end(self, ending: heterode.Ending) -> None:
        self.calls.append("end")
        self.ending = ending


# -- the package --------------------------------------------------------------------------------


def test_every_name_is_there() -> None:
    assert heterode.__all__ == sorted(heterode.__all__)
    for name in heterode.__all__:
        assert getattr(heterode, name).__name__ == name
        assert getattr(heterode, name).__doc__, name
    assert set(heterode.__all__) <= set(dir(heterode))
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = heterode.rum


def test_nothing_is_loaded_before_it_is_used() -> None:
    script = (
        "import sys, heterode\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'dolfinx', 'mpi4py', 'h5py', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "heterode.Parameters\n"
        "assert not {'dolfinx', 'mpi4py', 'matplotlib'} & set(sys.modules)\n"
        "heterode.run\n"
        "assert 'dolfinx' in sys.modules and callable(heterode.run)\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True, timeout=PATIENCE)


# -- a run as the command has it ----------------------------------------------------------------


def without_times(manifest: dict[str, object]) -> dict[str, object]:
    """A manifest without what differs from run to run."""
    left_out = {"started", "updated", "wall_s", "solve_s", "peak_memory_bytes", "pieces"}
    left_out |= {"input", "digests", "digest", "parameter_file"}
    return {key: value for key, value in manifest.items() if key not in left_out}


def test_run_writes_what_the_command_writes(tmp_path: Path) -> None:
    one, two = tmp_path / "command", tmp_path / "python"
    assert main([*short_run(*STEPS), "--out", str(one), "--quiet"]) == 0
    results = heterode.run(parameters(), two, quiet=True)
    assert isinstance(results, heterode.Results)
    names = {
        folder: {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        for folder in (one, two)
    }
    assert names[one] == names[two]
    for name in ("history.csv", "particles.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    manifests = [read_manifest(folder / "manifest.json") for folder in (one, two)]
    assert without_times(manifests[0]) == without_times(manifests[1])
    assert len(results.history) > 10
    # The negative control: another protocol writes another history.
    other = heterode.run(parameters("charge at C/2 for 20 s"), tmp_path / "other", quiet=True)
    assert not other.history.equals(results.history)


def test_a_folder_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(heterode.InputError, match="is not empty, and not a results folder"):
        heterode.run(parameters(), tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(heterode.InputError, match="resume goes on with the run"):
        heterode.run(parameters(), tmp_path, resume=True, overwrite=True)
    with pytest.raises(heterode.InputError, match="accept_altered goes with resume"):
        heterode.run(parameters(), tmp_path, accept_altered=True)


def test_what_is_no_parameters_or_observer_is_refused() -> None:
    with pytest.raises(heterode.InputError, match=r"Parameters\.load"):
        heterode.prepare("params/quickstart.toml")
    with pytest.raises(heterode.InputError, match=r"inherit from heterode\.Observer"):
        heterode.prepare(parameters(), [print])


# -- a loop -------------------------------------------------------------------------------------


def test_a_loop_yields_the_rows_of_the_history(tmp_path: Path) -> None:
    out, rows, notes = tmp_path / "out", [], Notes()
    with heterode.prepare(parameters(), [heterode.Recorder(out), notes]) as cell:
        for step in cell:
            rows.append(step)
        assert list(cell) == []
    assert cell.outcome is not None
    assert cell.outcome.status == "completed"
    history = read_history(out)
    for name in COLUMNS:
        assert history[name].tolist() == [getattr(row.sample, name) for row in rows]
    assert [row.time_step_s for row in rows] == pytest.approx(
        [0.0, *np.diff(history["time_s"])], rel=1e-9
    )
    assert [row.ended_by for row in rows if row.ended_by] == ["reached its duration"] * 2
    assert rows[0].done == 0.0
    assert rows[-1].done == 1.0
    assert rows[-1].errors == read_manifest(out / "manifest.json")["balance"]
    assert 0 < rows[-1].errors["charge"] < 1e-9
    assert notes.steps == rows
    assert notes.calls == ["check", "begin", "start", "end"]
    assert notes.ending is not None
    assert notes.ending.outcome == cell.outcome
    assert any(line.startswith("compiling") for line in notes.lines)


def test_a_loop_can_be_left_and_taken_up_again(tmp_path: Path) -> None:
    def voltages(breaks_at: float) -> list[float]:
        found = []
        with heterode.prepare(parameters()) as cell:
            for step in cell:
                found.append(step.sample.voltage_V)
                if step.sample.time_s > breaks_at:
                    break
            found += [step.sample.voltage_V for step in cell]
        return found

    whole = voltages(1e9)
    assert voltages(10.0) == whole
    assert len(whole) > 10


def test_a_run_whose_loop_is_left_keeps_its_results(tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    recorder = heterode.Recorder(out)
    with heterode.prepare(parameters(), [recorder, notes, heterode.Checkpoint(recorder)]) as cell:
        for step in cell:
            if step.sample.step == 1:
                break
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    manifest = read_manifest(out / "manifest.json")
    assert (manifest["status"], manifest["digests"]["covers"]) == ("stopped", "whole")
    assert "was left" in manifest["reason"]
    assert read_history(out)["time_s"].tolist() == [s.sample.time_s for s in notes.steps]
    assert list(cell) == []
    FolderLock(heterode.results.ResultsFolder(out)).release()
    # The checkpoint of the first protocol step leads on to the same end.
    results = heterode.run(parameters(), out, resume=True, quiet=True)
    whole = heterode.run(parameters(), tmp_path / "whole", quiet=True)
    assert results.manifest["status"] == "completed"
    assert results.history.equals(whole.history)
    assert len(results.manifest["pieces"]) == 2
    assert heterode.run(parameters(), out, resume=True).history.equals(whole.history)


def test_fields_come_where_they_are_wanted() -> None:
    notes = Notes(fields_at=[2])
    with heterode.prepare(parameters(), [notes]) as cell:
        for step in cell:
            if step.sample.accepted == 2:
                now = cell.fields()
            if step.sample.accepted == 3:
                break
    assert [step.fields is not None for step in notes.steps] == [False, False, True, False]
    assert all(step.kept is None for step in notes.steps)
    assert notes.start_ is not None
    points = {grid.name: len(grid.points_um) for grid in notes.start_.grids}
    fields = notes.steps[2].fields
    assert fields is not None
    assert now is not None
    for domain, values in fields.items():
        for name, array in values.items():
            assert array.shape == (points[domain],)
            assert np.array_equal(array, now[domain][name])


def test_a_signal_ends_a_loop_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recorder = heterode.Recorder(out)
    observers = [recorder, heterode.Checkpoint(recorder)]
    seen = []

    def loop() -> None:
        with heterode.prepare(parameters(), observers) as cell:
            for step in cell:
                seen.append(step.sample.accepted)
                if step.sample.accepted == 4:
                    os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(KeyboardInterrupt) as caught:
        loop()
    assert isinstance(caught.value, heterode.StoppedError)
    assert caught.value.number == signal.SIGUSR1
    assert seen[-1] in (4, 5)
    manifest = read_manifest(out / "manifest.json")
    assert manifest["reason"] == f"stopped by signal {int(signal.SIGUSR1)}"
    assert manifest["steps"] == seen[-1]
    results = heterode.run(parameters(), out, resume=True, quiet=True)
    whole = heterode.run(parameters(), tmp_path / "whole", quiet=True)
    assert results.history.equals(whole.history)


def test_a_signal_that_nobody_heeded_has_its_usual_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "ECHO_S", 0.0)

    def begun() -> None:
        with heterode.prepare(parameters()) as cell:
            next(cell)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        begun()


# -- exceptions ---------------------------------------------------------------------------------


class Failing(heterode.Observer):
    """Raises in one of its methods."""

    def __init__(self, where: str) -> None:
        self._where = where

    def _fail(self, where: str) -> None:
        if where == self._where:
            raise ZeroDivisionError(f"in {where}")

    def wants(self, coming: heterode.Coming) -> heterode.Wants:
        if coming.accepted == 2:
            self._fail("wants")
        return heterode.Wants()

    def begin(self, setting: object) -> None:
        self._fail("begin")

    def start(self, start: heterode.Start) -> None:
        self._fail("start")

    def observe(self, step: heterode.Step) -> None:
        if step.sample.accepted == 2:
            self._fail("observe")

    def say(self, line: str) -> None:
        self._fail("say")

    def end(self, ending: heterode.Ending) -> None:
        self._fail("end")


@pytest.mark.parametrize("where", ["begin", "start", "say", "wants", "observe", "end", "loop"])
def test_what_an_observer_raises_ends_the_run(where: str, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    observers = [heterode.Recorder(out), notes, Failing(where)]

    def loop() -> None:
        with heterode.prepare(parameters(), observers) as cell:
            for step in cell:
                if step.sample.accepted == 2 and where == "loop":
                    raise ZeroDivisionError("in loop")

    with pytest.raises(ZeroDivisionError, match=f"in {where}"):
        loop()
    assert notes.calls[-1] == "end"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    manifest = read_manifest(out / "manifest.json")
    assert manifest["status"] == "failed"
    assert f"ZeroDivisionError: in {where}" in manifest["reason"]
    FolderLock(heterode.results.ResultsFolder(out)).release()


def test_a_failed_solve_is_raised_with_its_results_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    filled = parameters("discharge at 1C for 10 h", active_material__initial_lithium_fraction=0.95)
    with pytest.raises(heterode.SolveError) as caught:
        heterode.run(filled, out, quiet=True)
    manifest = read_manifest(out / "manifest.json")
    assert (manifest["status"], manifest["reason"]) == ("failed", str(caught.value))
    assert manifest["steps"] == len(read_history(out)) - 1
    assert list((out / "checkpoint").iterdir())


def test_a_balance_out_of_bounds_ends_the_run() -> None:
    loose, tight = heterode.Balances(1e-6), heterode.Balances(1e-15)
    with heterode.prepare(parameters(), [loose]) as cell:
        *_, last = cell
    assert loose.errors == last.errors
    with pytest.raises(heterode.SolveError, match=r"the balance of .* is off"):
        for _ in heterode.prepare(parameters(), [tight]):
            pass


def test_a_checkpoint_comes_after_its_recorder(tmp_path: Path) -> None:
    recorder = heterode.Recorder(tmp_path / "out")
    with pytest.raises(ArgumentError, match="a Recorder comes before"):
        heterode.prepare(parameters(), [heterode.Checkpoint(recorder), recorder])
    assert not (tmp_path / "out").exists()


def test_warnings_are_logged_where_nobody_shows_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", logger="heterode")
    with heterode.prepare(parameters("charge at C/2 for 2 min")) as cell:
        next(cell)
    assert any("lithium diffuses" in record.getMessage() for record in caplog.records)
    caplog.clear()
    with heterode.prepare(parameters("charge at C/2 for 2 min"), [Notes()]) as cell:
        next(cell)
    assert not [record for record in caplog.records if record.name == "heterode"]


def test_two_cells_can_be_run_side_by_side() -> None:
    slow, fast = (parameters(f"charge at {rate} for 20 s") for rate in ("C/4", "C/2"))
    with heterode.prepare(slow) as one, heterode.prepare(fast) as two:
        pairs = list(zip(one, two, strict=False))
    assert len(pairs) > 5
    first, last = pairs[0], pairs[-1]
    assert first[0].sample.voltage_V == first[1].sample.voltage_V
    assert last[0].sample.voltage_V < last[1].sample.voltage_V
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
