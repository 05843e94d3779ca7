"""A run in the place of an earlier one: what that wrote goes by its name, a user's files stay.

So for `--overwrite`, and for `--resume` of a run that has no checkpoint yet.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from helpers.commands import short_run
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.digests import PrefixDigest, file_digest
from heterode.base.errors import CompileError, SolveError
from heterode.cli import main
from heterode.parameters import load_parameters
from heterode.parameters.files import files_of
from heterode.reporting import ended
from heterode.results import ResultsFolder, read_manifest
from heterode.results.checkpoint import Checkpoint, Checkpoints, list_checkpoints
from heterode.results.clearing import clear
from heterode.results.digest_list import SUMS, DigestList
from heterode.results.fields import FieldWriter
from heterode.results.manifest import Manifest
from heterode.results.stops import StopTables
from heterode.results.written import RECORD, write_output
from heterode.runs import prepared
from heterode.viewing.figures import Drawing, draw_figures

LEFTOVER = ".heterode-0a1b2c3d.partial"
"""What a kill leaves of a file on its way."""

USERS = (
    "notes.txt",
    "history.csv.partial",
    "checkpoint/000007.h5.partial",
    ".heterode-mine.partial",
    "report/state.pvsm",
    "report/notes/ideas.md",
    "fields/view.pvsm",
    "fields/clip.xdmf",
    "fields/data/mine.h5",
    "fields/data/extra1.h5",
    "stops/compare.ods",
    "stops/1_my_V.csv",
    "checkpoint/keep.h5",
    "checkpoint/README",
    "SHA256SUMS.asc",
)
"""Files of a user's, some with names that only resemble a run's."""


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(4)


@pytest.fixture
def folder(tmp_path: Path, run: SyntheticRun) -> ResultsFolder:
    """A run with a report, stops and checkpoints, and a user's files among all of them."""
    results = write_run(tmp_path / "out", run)
    results.make_report()
    for name in ("voltage.png", "index.html"):
        write_output(results.report / name, name.encode())
    results.stops.mkdir()
    sums = DigestList(results.sums, keep=results.sums.read_bytes().count(b"\n"))
    for name in ("01_4.20V.csv", "02_3.00V.csv"):
        (results.stops / name).write_text("particle\n0\n")
        sums.note(f"stops/{name}", file_digest(results.stops / name))
    manifest = Manifest(results.manifest, read_manifest(results.manifest))
    prefixes = recorded_prefixes(results)
    manifest.seal("whole", {**prefixes, SUMS: sums.digest})
    manifest.finish("completed", "end of the protocol")
    Checkpoints(results.checkpoint).write(7, Checkpoint({}, {}))
    for place in (results.path, results.checkpoint, results.fields / "data", results.report):
        (place / LEFTOVER).write_text("half")
    for name in USERS:
        path = results.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"mine: {name}")
    return results


def recorded_prefixes(results: ResultsFolder) -> dict[str, PrefixDigest]:
    """What the manifest knows of the files that grow."""
    entries = read_manifest(results.manifest)["digests"]["prefixes"]
    return {name: PrefixDigest(**entry) for name, entry in entries.items()}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_all_that_is_the_users_stays_and_nothing_else(folder: ResultsFolder) -> None:
    assert len(names(folder.path)) > len(USERS) + 15
    clear(folder)
    assert names(folder.path) == {"manifest.json", *USERS}
    for name in USERS:
        assert (folder.path / name).read_text() == f"mine: {name}"


def test_folders_go_where_nothing_is_left(tmp_path: Path, run: SyntheticRun) -> None:
    results = write_run(tmp_path / "out", run)
    write_output(results.make_report() / "voltage.png", b"1")
    clear(results)
    assert list(results.path.iterdir()) == [results.manifest]
    told = read_manifest(results.manifest)
    assert (told["status"], told["reason"]) == ("failed", "being overwritten")


def test_an_edited_figure_is_kept_beside(
    folder: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.report / "voltage.png").write_bytes(b"with my arrow")
    clear(folder)
    assert (folder.report / "voltage.yours.png").read_bytes() == b"with my arrow"
    assert names(folder.path) == {"manifest.json", *USERS, "report/voltage.yours.png"}
    assert "voltage.yours.png" in capsys.readouterr().err


RUN_FILES = (
    *("history.csv", "particles.csv", "particles.h5", "SHA256SUMS", "stops/01_4.20V.csv"),
    *("fields/particles.xdmf", "fields/data/mesh.h5", "fields/data/000002.h5"),
    "checkpoint/000007.h5",
)


def beside(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.yours.{suffix}" if dot else f"{name}.yours"


@pytest.mark.parametrize("covers", ["whole", "prefix"])
def test_whatever_was_altered_is_kept_beside(
    covers: Literal["whole", "prefix"], folder: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rule for every file, of a run that ended and of one that was killed."""
    content = read_manifest(folder.manifest)
    Manifest(folder.manifest, content).seal(covers, recorded_prefixes(folder))
    altered = {}
    for name in RUN_FILES:
        path = folder.path / name
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(altered.setdefault(beside(name), bytes(data)))
    clear(folder)
    assert names(folder.path) == {"manifest.json", *USERS, *altered}
    said = capsys.readouterr().err
    for kept, data in altered.items():
        assert (folder.path / kept).read_bytes() == data
        assert kept in said


def test_a_file_behind_the_last_checkpoint_is_compared_with_the_list(
    folder: ResultsFolder,
) -> None:
    """Of a run that was killed: the list goes on behind what the manifest knows of it."""
    prefixes = recorded_prefixes(folder)
    content, (first, *_) = read_manifest(folder.manifest), folder.sums.read_bytes().splitlines(True)
    early = {**prefixes, SUMS: PrefixDigest(1, hashlib.sha256(first).hexdigest())}
    Manifest(folder.manifest, content).seal("prefix", early)
    (folder.stops / "02_3.00V.csv").write_text("my own\n")
    (folder.stops / "03_3.00V.csv").write_text("being written when it was killed\n")
    clear(folder)
    assert names(folder.path) == {"manifest.json", *USERS, "stops/02_3.00V.yours.csv"}


def test_a_file_that_no_run_wrote_is_kept_though_its_name_could_be_a_runs(
    folder: ResultsFolder,
) -> None:
    (folder.stops / "03_3.00V.csv").write_text("my own\n")
    clear(folder)
    assert names(folder.path) == {"manifest.json", *USERS, "stops/03_3.00V.yours.csv"}


def test_an_altered_manifest_is_kept_as_a_copy(folder: ResultsFolder) -> None:
    text = folder.manifest.read_text().replace("end of the protocol", "as I see it")
    folder.manifest.write_text(text)
    clear(folder)
    assert names(folder.path) == {"manifest.json", *USERS, "manifest.yours.json"}
    assert (folder.path / "manifest.yours.json").read_text() == text


def test_links_and_folders_in_a_files_place_are_kept(folder: ResultsFolder, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("elsewhere")
    for path in (folder.report / "voltage.png", folder.fields / "carbon.xdmf"):
        path.unlink()
        path.symlink_to(tmp_path / "precious")
    mesh = folder.fields / "data" / "mesh.h5"
    mesh.unlink()
    mesh.mkdir()
    (mesh / "file").write_text("mine")
    clear(folder)
    assert (tmp_path / "precious").read_text() == "elsewhere"
    assert (folder.report / "voltage.yours.png").is_symlink()
    assert (folder.fields / "carbon.yours.xdmf").is_symlink()
    assert (folder.fields / "data" / "mesh.yours.h5" / "file").read_text() == "mine"


def test_a_record_names_nothing_outside_its_folder(folder: ResultsFolder) -> None:
    precious = folder.path / "notes.txt"
    digest = hashlib.sha256(precious.read_bytes()).hexdigest()
    with (folder.report / RECORD).open("a") as file:
        for name in ("../notes.txt", str(precious), "..", "notes/ideas.md", ""):
            file.write(json.dumps([name, digest]) + "\n")
    clear(folder)
    assert set(USERS) <= names(folder.path)


# -- what goes on writing ---------------------------------------------------------------------


def test_checkpoints_are_deleted_by_their_names(folder: ResultsFolder) -> None:
    kept = Checkpoints(folder.checkpoint)
    for number in (9, 10, 11):
        kept.write(number, Checkpoint({}, {}))
    assert [path.name for path in list_checkpoints(folder.checkpoint)] == ["000011.h5", "000010.h5"]
    assert LEFTOVER not in names(folder.checkpoint)
    kept.delete()
    assert names(folder.checkpoint) == {"keep.h5", "README", "000007.h5.partial"}


def test_a_run_gone_on_with_cuts_off_by_name(folder: ResultsFolder, run: SyntheticRun) -> None:
    FieldWriter(folder.fields, run.grids, keep=2)
    assert "000001.h5" in names(folder.fields / "data")
    assert "000002.h5" not in names(folder.fields / "data")
    StopTables(folder.stops, None, keep=1)
    assert not (folder.stops / "02_3.00V.csv").exists()
    assert set(USERS) <= names(folder.path)


def drawn_again(name: str) -> Drawing:
    def draw(folder: Path) -> Path:
        path = ResultsFolder(folder).make_report() / f"{name}.png"
        write_output(path, b"drawn again")
        return path

    return Drawing(name, name, name, draw)


def test_a_report_drawn_again_leaves_edited_figures(
    folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of a run that was gone on with, hours after it could have been refused."""
    pictures = [drawn_again("voltage"), drawn_again("spread")]
    monkeypatch.setattr(ended, "draw_figures", lambda path: draw_figures(path, pictures))
    monkeypatch.setattr(ended, "brief_heterogeneity", lambda path: "")
    (folder.report / "voltage.png").write_bytes(b"with my arrow")
    (problem,) = ended.finish_report(folder.path).problems
    assert "voltage.png: was changed since heterode wrote it" in problem
    assert "--overwrite" not in problem, "which here would replace the whole run"
    assert (folder.report / "voltage.png").read_bytes() == b"with my arrow"
    assert (folder.report / "spread.png").read_bytes() == b"drawn again"


# -- whole runs -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run that is done."""
    out = tmp_path_factory.mktemp("earlier") / "out"
    assert main([*short_run("charge at C/2 for 1 min"), "--quiet", "--out", str(out)]) == 0
    return out


Broken = Callable[[Path], None]


def begun(out: Path) -> None:
    """As if killed before the first checkpoint."""
    manifest = json.loads((out / "manifest.json").read_text())
    entries = {key: value for key, value in manifest.items() if key != "digest"}
    (out / "manifest.json").write_text(json.dumps(entries | {"status": "running"}, indent=2))


@pytest.mark.parametrize("how", ["--overwrite", "--resume"])
def test_a_whole_run_again(
    how: str, earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(earlier, out)
    write_output(ResultsFolder(out).make_report() / "voltage.png", b"drawn")
    if how == "--resume":
        begun(out)
    mine = {"report/state.pvsm", "fields/view.pvsm", "stops/compare.ods", "notes.txt"}
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (out / "report" / "voltage.png").write_bytes(b"with my arrow")
    words = [*short_run("charge at C/2 for 1 min"), "--quiet", "--out", str(out), how]
    assert main(words) == 0
    assert read_manifest(out / "manifest.json")["status"] == "completed"
    for name in mine:
        assert (out / name).read_text() == "mine"
    assert (out / "report" / "voltage.yours.png").read_bytes() == b"with my arrow"
    err = capsys.readouterr().err
    assert "voltage.yours.png" in err
    assert ("starts again" in err) == (how == "--resume")


@pytest.mark.parametrize("how", ["--overwrite", "--resume"])
@pytest.mark.parametrize(
    "error",
    [CompileError("no compiler"), SolveError("no start", time_s=0.0, step_s=1.0, voltage_V=3.9)],
)
def test_results_stay_until_there_is_something_new(
    how: str,
    error: Exception,
    earlier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    shutil.copytree(earlier, out)
    if how == "--resume":
        begun(out)
    before = {name: (out / name).read_bytes() for name in names(out)}

    def fails(*given: object) -> None:
        raise error

    monkeypatch.setattr(prepared, "build_cell", fails)
    words = [*short_run("charge at C/2 for 1 min"), "--quiet", "--out", str(out), how]
    assert main(words) == 3
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    *_, said = capsys.readouterr().err.splitlines()
    assert f"{error}. The earlier results in {out} are as they were" in said
    # A folder of its own says how the run in it ended.
    assert main([*words[:-2], str(tmp_path / "new")]) == 3
    assert read_manifest(tmp_path / "new" / "manifest.json")["status"] == "failed"


def test_a_run_does_not_replace_what_it_reads(
    earlier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The penalties of an earlier run, given to a run in its place."""
    out = tmp_path / "out"
    shutil.copytree(earlier, out)
    before = {name: (out / name).read_bytes() for name in names(out)}
    table = [
        "--set",
        f'penalty={{ distribution = "table", file = {str(out / "particles.csv")!r} }}',
    ]
    words = [*short_run("charge at C/2 for 1 min"), *table, "--quiet"]
    assert main([*words, "--out", str(out), "--overwrite"]) == 2
    err = capsys.readouterr().err
    assert "particles.csv: is read by this run" in err
    assert err.count("\n") == 1
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    assert main([*words, "--out", str(tmp_path / "other")]) == 0


def test_files_of_a_run_are_all_that_its_parameters_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {
        "mesh.msh": None,
        "cycle.csv": "time_s,current_A_m2\n0,1\n10,1\n",
        "penalty.csv": "particle,penalty\n" + "".join(f"{i},0.5\n" for i in range(5)),
        "diffusivity.csv": "stoichiometry,diffusivity_m2_s\n0,1e-14\n0.5,2e-14\n1,1e-14\n",
    }
    words = short_run("follow cycle.csv")[1:]
    lines = Path(words[0]).read_text(encoding="utf-8").splitlines()
    given = [line for line in lines if not line.startswith("diffusivity =")]
    assert len(given) < len(lines)
    (tmp_path / "p.toml").write_text("\n".join(given), encoding="utf-8")
    for name, text in texts.items():
        (tmp_path / name).write_text(text or "")
    sets = [
        'geometry.mesh_file="mesh.msh"',
        'protocol.steps=["follow cycle.csv"]',
        'penalty={ distribution = "table", file = "penalty.csv" }',
        'active_material.diffusivity_table="diffusivity.csv"',
    ]
    parameters = load_parameters(tmp_path / "p.toml", sets)
    assert {path.name for path in files_of(parameters)} == {*texts, "p.toml"}
