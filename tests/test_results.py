"""The results folder: what is written reads back, and no mishap of a run tears a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.breaking import no_room_beyond
from helpers.paths import HELPERS, PACKAGE_PATH
from helpers.refusals import one_line
from helpers.surroundings import PATIENCE
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.results import (
    FieldWriter,
    History,
    Manifest,
    OutputError,
    ParticleSeries,
    ResultsFolder,
    SampleFiles,
    collect_versions,
    particle_series,
    read_fields,
    read_history,
    read_manifest,
    read_particle_series,
)
from heterode.results.history import COLUMNS


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


# What is written reads back.


def test_whole_folder_reads_back(tmp_path: Path, run: SyntheticRun) -> None:
    folder = write_run(tmp_path / "out", run)
    names = {path.name for path in folder.path.iterdir()}
    assert names == {
        *("manifest.json", "SHA256SUMS", "history.csv", "particles.csv", "particles.h5", "fields")
    }
    rows = read_history(folder.path)
    assert tuple(rows.columns) == COLUMNS
    for name in COLUMNS:
        # Bit for bit: a history loses nothing.
        expected = [getattr(sample, name) for sample, _ in run.samples]
        np.testing.assert_array_equal(rows[name].to_numpy(), expected)
    series = read_particle_series(folder.path)
    last = run.samples[-1][0]
    assert series.lithium_fraction.shape == (len(run.samples), len(run.discs))
    np.testing.assert_array_equal(series.time_s, rows["time_s"])
    np.testing.assert_array_equal(series.lithium_fraction[-1], last.lithium_fraction)
    np.testing.assert_array_equal(
        series.surface_lithium_fraction[-1], last.surface_lithium_fraction
    )
    np.testing.assert_array_equal(series.current_A_m2[-1], last.particle_current_A_m2)
    table = pd.read_csv(folder.particles)
    assert table.columns[0] == "particle"
    assert len(table) == len(run.discs)
    for domain, fields in run.samples[3][1].items():
        stored = read_fields(folder.path, domain).load(3)
        for name, values in fields.items():
            np.testing.assert_array_equal(stored[name], values)


def test_manifest_holds_every_key_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest = Manifest(path, versions=collect_versions(), seeds={"packing": 7})
    expected = {
        *("status", "reason", "parameters", "seeds", "versions", "mesh_hash", "ranks", "dofs"),
        *("particles", "steps", "newton_iterations", "krylov_iterations", "wall_s"),
        *("peak_memory_bytes", "balance"),
    }
    first = read_manifest(path)
    assert expected <= first.keys()
    assert first["status"] == "running"
    assert first["balance"].keys() == {"charge", "lithium", "salt", "prescribed_charge"}
    assert {"heterode", "python", "numpy"} <= first["versions"].keys()
    manifest.update(wall_s={"mesh": np.float64(1.5)}, dofs=np.int64(7), balance={"charge": 1e-12})
    manifest.update(wall_s={"solve": 3.0}, parameters={"x": np.arange(2), "y": float("nan")})
    manifest.finish("completed", "end of the protocol")
    last = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert last["wall_s"] == {"mesh": 1.5, "solve": 3.0}
    assert last["balance"] == {
        "charge": 1e-12,
        "lithium": None,
        "salt": None,
        "prescribed_charge": None,
    }
    assert last["parameters"] == {"x": [0, 1], "y": None}
    assert (last["status"], last["dofs"], last["seeds"]) == ("completed", 7, {"packing": 7})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "completed"}'])
def test_foreign_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json") as error:
        ResultsFolder.open(tmp_path)
    one_line(error)


def test_reader_leaves_out_a_torn_last_row(tmp_path: Path, run: SyntheticRun) -> None:
    path = tmp_path / "history.csv"
    history = History(path)
    for sample, _ in run.samples[:3]:
        history.append(sample)
    whole = path.read_bytes()
    rows = len(whole.splitlines()) - 1
    start_of_last = whole[:-1].rfind(b"\n") + 1
    for cut in range(start_of_last, len(whole)):
        path.write_bytes(whole[:cut])
        assert len(read_history(path)) == rows - 1
    path.write_bytes(whole)
    assert len(read_history(path)) == rows


@pytest.mark.parametrize("name", ["history.csv", "particles.h5"])
def test_missing_or_foreign_files_are_named(tmp_path: Path, name: str) -> None:
    read = read_history if name == "history.csv" else read_particle_series
    with pytest.raises(InputError, match=name) as error:
        read(tmp_path / name)
    one_line(error)
    (tmp_path / name).write_text("time,voltage\n1,2\n")
    with pytest.raises(InputError, match=name) as error:
        read(tmp_path)
    one_line(error)


# Claiming a folder.


def test_create_makes_parents_and_accepts_an_empty_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    ResultsFolder.create(path)
    ResultsFolder.create(path)
    assert list(path.iterdir()) == []


def test_create_refuses_a_folder_in_use(tmp_path: Path, run: SyntheticRun) -> None:
    folder = write_run(tmp_path / "out", run)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    with pytest.raises(InputError, match="not empty") as error:
        ResultsFolder.create(folder.path)
    assert "--overwrite" in one_line(error)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


@pytest.mark.parametrize("manifest", [None, "{}", "my own list"])
def test_a_folder_that_never_was_a_runs_is_not_advised_upon(
    manifest: str | None, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    for look in (ResultsFolder.create, ResultsFolder.check):
        with pytest.raises(InputError, match="not empty, and not a results folder") as error:
            look(tmp_path)
        line = one_line(error)
        assert line.endswith("Choose another --out")
        assert "--overwrite" not in line
        assert "--resume" not in line


def test_claiming_a_folder_to_overwrite_changes_nothing_yet(
    tmp_path: Path, run: SyntheticRun
) -> None:
    folder = write_run(tmp_path / "out", run)
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert len(before) > 8
    ResultsFolder.create(folder.path, overwrite=True)
    after = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert after == before


def test_overwrite_spares_what_is_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not a results folder") as error:
        ResultsFolder.create(tmp_path, overwrite=True)
    one_line(error)
    assert (tmp_path / "fields" / "thesis.tex").exists()


def test_overwrite_follows_no_links(tmp_path: Path, run: SyntheticRun) -> None:
    folder = write_run(tmp_path / "out", run)
    shutil.rmtree(folder.fields)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "data").write_text("x")
    folder.fields.symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match="links"):
        ResultsFolder.create(folder.path, overwrite=True)
    assert (tmp_path / "precious" / "data").exists()


def test_unwritable_places_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/heterode/out")):
        with pytest.raises(InputError, match=str(path)) as error:
            ResultsFolder.create(path)
        assert "--out" in one_line(error)
    made = tmp_path / "new" / "deep"
    with no_room_beyond(0), pytest.raises(InputError, match="cannot be written"):
        ResultsFolder.create(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


# Disasters.


def test_full_disk_is_one_line_and_keeps_what_was_there(tmp_path: Path, run: SyntheticRun) -> None:
    folder = ResultsFolder.create(tmp_path / "out")
    manifest = folder.start_manifest()
    fields = FieldWriter(folder.fields, run.grids)
    series = ParticleSeries(folder.particle_series, len(run.discs), wall_share=float("inf"))
    history = History(folder.history)
    for sample, values in run.samples[:4]:
        fields.write(sample.time_s, values)
        series.append(sample)
        history.append(sample)
    after, values = run.samples[4]
    # Room for the first bytes only, so that every write breaks off in its middle.
    room = folder.history.stat().st_size + 9
    for write in (
        lambda: history.append(after),
        lambda: fields.write(after.time_s, values),
        lambda: series.append(after),
        lambda: manifest.update(parameters={"long": "x" * 10 * room}),
    ):
        with no_room_beyond(room), pytest.raises(OutputError, match="cannot be written") as error:
            write()
        assert one_line(error).startswith(str(folder.path))
    assert len(read_history(folder.path)) == 4
    assert folder.history.read_bytes().endswith(b"\n")
    assert len(read_particle_series(folder.path).time_s) == 4
    stored = read_fields(folder.path, "carbon")
    assert len(stored.times_s) == 4
    assert read_manifest(folder.manifest)["parameters"] == {}
    assert not list(folder.path.rglob("*.partial"))
    history.append(after)  # there is room again
    assert len(read_history(folder.path)) == 5


def test_vanished_folder_is_noticed_by_every_writer(tmp_path: Path, run: SyntheticRun) -> None:
    folder = ResultsFolder.create(tmp_path / "out")
    manifest = folder.start_manifest()
    fields = FieldWriter(folder.fields, run.grids)
    series = ParticleSeries(folder.particle_series, len(run.discs), wall_share=float("inf"))
    history = History(folder.history)
    shutil.rmtree(folder.path)
    sample, values = run.samples[0]
    for write in (
        lambda: history.append(sample),
        lambda: fields.write(sample.time_s, values),
        lambda: series.append(sample),
        lambda: manifest.finish("completed", ""),
        lambda: folder.write_particles(run.discs),
    ):
        with pytest.raises(OutputError, match="cannot be written") as error:
            write()
        one_line(error)
    assert not folder.path.exists()


def kill_rounds(tmp_path: Path, rounds: int, mode: str) -> dict[str, list[str] | int]:
    script = HELPERS / "kill_writer.py"
    result = subprocess.run(
        [sys.executable, script, tmp_path / "out", str(rounds), mode],
        env={**os.environ, "PYTHONPATH": str(PACKAGE_PATH)},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    answer: dict[str, list[str] | int] = json.loads(result.stdout)
    return answer


def test_killed_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    answer = kill_rounds(tmp_path, 40, "atomic")
    assert answer["damaged"] == []
    assert answer["samples"] > 10


def test_kills_do_tear_files_written_in_place(tmp_path: Path) -> None:
    assert kill_rounds(tmp_path, 40, "in_place")["damaged"]


# The particle series keeps to its share of the wall time.


@pytest.mark.parametrize(("share", "expected"), [(0.02, 11), (float("inf"), 501)])
def test_series_is_rewritten_no_oftener_than_its_share(
    tmp_path: Path,
    run: SyntheticRun,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    expected: int,
) -> None:
    now = [0.0]
    writes = []

    def slow_write(path: Path, content: bytes) -> None:
        writes.append(len(content))
        now[0] += 1.0
        path.write_bytes(content)

    monkeypatch.setattr(particle_series, "write_atomically", slow_write)
    monkeypatch.setattr(particle_series.time, "monotonic", lambda: now[0])
    series = ParticleSeries(tmp_path / "particles.h5", len(run.discs), wall_share=share)
    for _ in range(500):
        series.append(run.samples[0][0])
        now[0] += 1.0
    # A write takes a second: once per 51 s of wall time at 2 %.
    assert len(writes) == pytest.approx(expected, abs=1)
    series.close()
    assert len(read_particle_series(tmp_path).time_s) == 500


def test_recorder_flushes_the_series_when_the_run_breaks(tmp_path: Path, run: SyntheticRun) -> None:
    folder = ResultsFolder.create(tmp_path / "out")

    def broken_run() -> None:
        with SampleFiles(folder, len(run.discs), run.grids) as recorder:
            for sample, fields in run.samples[:5]:
                recorder.record(sample, fields if sample.accepted % 2 == 0 else None)
            raise RuntimeError("the solve failed")

    with pytest.raises(RuntimeError):
        broken_run()
    assert len(read_particle_series(folder.path).time_s) == len(read_history(folder.path)) == 5
    assert len(read_fields(folder.path, "particles").times_s) == 3
