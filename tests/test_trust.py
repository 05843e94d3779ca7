"""Results that are not as their run wrote them are found, refused by every reader, or marked."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import heterode
from helpers.breaking import BREAKS, Break, change_digit, files_of_a_run, flip_bit, swap_files
from helpers.commands import short_run
from helpers.same_run import difference
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.reporting.page import write_page
from heterode.results import AlteredError, ResultsFolder, read_history, read_manifest
from heterode.results.integrity import examine
from heterode.results.json_record import record_text
from heterode.results.manifest import INDENT
from heterode.results.marks import NOTE
from heterode.results.written import write_output
from heterode.runs.observers import Checkpoint
from heterode.runs.prepared import Prepared
from heterode.runs.recorder import Recorder

STEPS = ("charge at C/2 for 40 s", "rest for 20 s")
CHECKPOINTS = (4, 8)
KILLED_AT = 11


def words() -> list[str]:
    stops = {"protocol__stops": '["3.79 V"]', "output__fields_every": "3"}
    return [*short_run(*STEPS, **stops), "--quiet"]


class KilledError(BaseException):
    """Stands for kill -9: nothing of the run is tidied up."""


def killed(out: Path) -> None:
    """A run that is gone at an accepted step, some steps after its last checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        observed = Prepared._observed

        def observing(self, marched):
            if self.cell.stepper.steps == KILLED_AT:
                raise KilledError
            return observed(self, marched)

        patch.setattr(Prepared, "_observed", observing)
        patch.setattr(Prepared, "_leave", lambda self, error: None)
        patch.setattr(Checkpoint, "_is_due", lambda self, coming: coming.accepted in CHECKPOINTS)
        with pytest.raises(KilledError):
            main([*words(), "--out", str(out)])


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was completed, with a picture in report/."""
    out = tmp_path_factory.mktemp("ended") / "out"
    assert main([*words(), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed after two checkpoints."""
    out = tmp_path_factory.mktemp("killed") / "out"
    killed(out)
    return out


@pytest.fixture
def copy(ended: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ended, tmp_path / "copy")


@pytest.fixture
def under_way(broken_off: Path, tmp_path: Path) -> Path:
    return shutil.copytree(broken_off, tmp_path / "under_way")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line of a command that ends with code 2."""
    capsys.readouterr()
    assert main([str(word) for word in arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert err.startswith("heterode: error: ")
    assert "--overwrite" not in err
    return err


def renewed(folder: Path, **entries: object) -> None:
    """Write a manifest with other entries and the right digest: only its content can be wrong."""
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_bytes(record_text({**content, **entries}, INDENT))


# -- heterode verify --------------------------------------------------------------------------


def test_a_whole_folder_is_whole(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["verify", str(ended)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    names = {line.split()[0] for line in lines[:-1]}
    assert names == {path.relative_to(ended).as_posix() for path in files_of_a_run(ended)}
    assert all(line.split()[1] == "whole" for line in lines[:-1])
    assert lines[-1].endswith("files are whole; every file of the run, as it ended")


def test_the_list_is_one_that_sha256sum_checks(ended: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=ended,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    everything = {path.relative_to(ended).as_posix() for path in files_of_a_run(ended)}
    assert everything - checked == {"manifest.json", "SHA256SUMS"}


@pytest.mark.parametrize("breaking", [flip_bit, *BREAKS], ids=lambda one: one.__name__)
def test_every_break_of_every_file_is_found(
    breaking: Break, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = np.random.default_rng(4)
    paths = list(files_of_a_run(copy))
    assert len(paths) > 12
    for path in paths:
        for _ in range(3):
            whole = path.read_bytes()
            what = breaking(path, chance)
            line = refused(capsys, "verify", copy)
            assert path.name in line, (path, what, line)
            path.write_bytes(whole)
    assert main(["verify", str(copy)]) == 0


def test_exchanged_files_are_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = sorted((copy / "fields" / "data").glob("0*.h5"))[:2]
    swap_files(one, other)
    assert f"{one.name}: differs" in refused(capsys, "verify", copy)


def test_checkpoints_and_report_are_looked_at(
    under_way: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = np.random.default_rng(6)
    capsys.readouterr()
    assert main(["verify", str(under_way)]) == 0
    out = capsys.readouterr().out
    assert "whole (9 rows)" in next(line for line in out.splitlines() if "history.csv" in line)
    assert "up to the last checkpoint" in out.splitlines()[-1]
    (under_way / "report").mkdir()
    write_output(under_way / "report" / "voltage.png", chance.bytes(3000))
    (under_way / "report" / "notes.txt").write_text("a user's own")
    assert main(["verify", str(under_way)]) == 0
    written = [path for path in (under_way / "report").iterdir() if path.name != "notes.txt"]
    assert len(written) == 2
    for path in (*(under_way / "checkpoint").glob("*.h5"), *written):
        whole = path.read_bytes()
        flip_bit(path, chance)
        refused(capsys, "verify", under_way)
        path.write_bytes(whole)
    assert main(["verify", str(under_way)]) == 0


def test_a_run_can_be_read_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    observe = Recorder.observe

    def observing(self, step):
        observe(self, step)
        found = examine(self.claimed.claim.folder)
        seen.append((found.covers, found.problems))

    monkeypatch.setattr(Recorder, "observe", observing)
    monkeypatch.setattr(Checkpoint, "_is_due", lambda self, coming: coming.accepted > 0)
    assert main([*words(), "--out", str(tmp_path / "out")]) == 0
    assert len(seen) > 10
    assert set(seen) == {("prefix", ())}


def test_damage_behind_the_last_checkpoint_is_said_not_to_be_covered(under_way: Path) -> None:
    with (under_way / "history.csv").open("ab") as file:
        file.write(b"1e3,nonsense")
    assert examine(ResultsFolder(under_way)).problems == ()


# -- readers ----------------------------------------------------------------------------------

READERS: dict[str, list[str]] = {
    "figures": ["figures", "RESULTS", "voltage"],
    "report": ["report", "RESULTS"],
    "table of a report": ["report", "RESULTS/particles.csv", "--value", "penalty"],
    "animate": ["animate", "RESULTS", "--quiet"],
    "twin": ["twin", "RESULTS", "--write-only"],
    "micrograph": ["micrograph", "RESULTS", "--out", "RESULTS/../picture"],
    "resume": ["--resume"],
}
KINDS = (
    "manifest.json",
    "SHA256SUMS",
    "history.csv",
    "particles.csv",
    "particles.h5",
    "fields/carbon.xdmf",
    "fields/data/mesh.h5",
    "fields/data/000001.h5",
    "stops/01_3.79V.csv",
)


def command_of(reader: str, folder: Path) -> list[str]:
    if reader == "resume":
        return [*words(), "--out", str(folder), "--resume"]
    return [word.replace("RESULTS", str(folder)) for word in READERS[reader]]


@pytest.mark.parametrize("reader", READERS)
def test_readers_refuse_what_was_altered(
    reader: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = np.random.default_rng(8)
    before = set(copy.parent.rglob("*"))
    for name in KINDS:
        whole = (copy / name).read_bytes()
        what = flip_bit(copy / name, chance)
        line = refused(capsys, *command_of(reader, copy))
        assert Path(name).name in line, (name, what, line)
        assert any(word in line for word in ("Restore", "another --out")), line
        (copy / name).write_bytes(whole)
    # Nothing was written, either.
    assert set(copy.parent.rglob("*")) == before


def test_loading_refuses_or_warns(copy: Path) -> None:
    assert heterode.load(copy).altered == ()
    change_digit(copy / "history.csv", np.random.default_rng(2))
    with pytest.raises(AlteredError, match=r"history\.csv: differs"):
        heterode.load(copy)
    with pytest.warns(UserWarning, match=r"history.csv: .* accepted"):
        results = heterode.load(copy, accept_altered=True)
    assert len(results.altered) == 1
    axes = results.plot_voltage()
    assert [text.get_text() for text in axes.figure.texts] == ["from altered files: history.csv"]


def test_a_history_cut_short_is_not_drawn_as_if_whole(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (copy / "history.csv").read_bytes().splitlines(keepends=True)
    kept = int(0.6 * len(lines))
    (copy / "history.csv").write_bytes(b"".join(lines[:kept]))
    line = refused(capsys, "figures", copy)
    assert f"history.csv: has {kept - 1} rows, but {len(lines) - 1} were written" in line
    assert not (copy / "report").exists()


def test_what_is_made_of_accepted_files_says_so(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_digit(copy / "particles.csv", np.random.default_rng(1))
    capsys.readouterr()
    assert main(["figures", str(copy), "--accept-altered"]) == 0
    err = capsys.readouterr().err
    assert f"{copy / 'particles.csv'}: differs" in err
    assert "accepted" in err
    report = copy / "report"
    assert "particles.csv: differs" in (report / NOTE).read_text()
    assert "altered: " in (report / "index.html").read_text()
    assert main(["twin", str(copy), "--write-only", "--accept-altered"]) == 0
    assert "particles.csv" in json.loads((report / "twin.json").read_text())["altered"][0]
    # The folder itself is no whole one because of it.
    assert "particles.csv" in refused(capsys, "figures", copy)


def test_figures_carry_the_mark(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heterode.viewing import style

    texts: list[str] = []
    mark = style.mark_altered

    def marking(figure):
        mark(figure)
        texts.extend(text.get_text() for text in figure.texts)

    monkeypatch.setattr(style, "mark_altered", marking)
    assert main(["figures", str(copy), "voltage"]) == 0
    assert texts == []
    change_digit(copy / "history.csv", np.random.default_rng(1))
    assert main(["figures", str(copy), "voltage", "--accept-altered"]) == 0
    assert texts == ["from altered files: history.csv"]


def as_an_earlier_version_left_it(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()
    content = json.loads((folder / "manifest.json").read_text())
    del content["digest"], content["digests"]
    (folder / "manifest.json").write_text(json.dumps(content, indent=2))


def test_folders_without_digests_are_read_with_a_line(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_an_earlier_version_left_it(copy)
    for command in (["verify", str(copy)], ["figures", str(copy), "voltage"]):
        capsys.readouterr()
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert "without digests (by an earlier version)" in out + err
    # What contradicts itself shows all the same.
    lines = (copy / "history.csv").read_bytes().splitlines(keepends=True)
    (copy / "history.csv").write_bytes(b"".join(lines[: int(0.6 * len(lines))]))
    assert "rows are missing" in refused(capsys, "figures", copy, "voltage")


def test_an_earlier_versions_run_can_be_gone_on_with(
    under_way: Path, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from heterode.results.checkpoint import Checkpoint, encode, list_checkpoints, read_checkpoint

    as_an_earlier_version_left_it(under_way)
    for path in list_checkpoints(under_way / "checkpoint"):
        kept = read_checkpoint(path)
        written = {k: v for k, v in kept.header["written"].items() if k != "digests"}
        header = {**kept.header, "written": written}
        path.write_bytes(encode(Checkpoint(header, kept.arrays)))
    assert main([*words(), "--out", str(under_way), "--resume"]) == 0
    assert "changes would not show" in capsys.readouterr().err
    assert difference(ended, under_way) == 0.0
    assert main(["verify", str(under_way)]) == 0


# -- going on ---------------------------------------------------------------------------------

PREFIX_BREAKS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a digit of the history": ("history.csv", lambda b: b.replace(b"\n0.0,3.", b"\n0.0,4.", 1)),
    "an edited penalty": ("particles.csv", lambda b: b[:-3] + b"9" + b[-2:]),
    "a number of a particle": ("particles.h5", lambda b: _other_number(b)),
    "the mesh of the fields": (
        "fields/data/mesh.h5",
        lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:],
    ),
    "the first fields": ("fields/data/000000.h5", lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:]),
    "a time in an XDMF file": (
        "fields/carbon.xdmf",
        lambda b: b.replace(b'<Time Value="0.0"', b'<Time Value="0.5"', 1),
    ),
    "the list": ("SHA256SUMS", lambda b: b.replace(b"a", b"b", 1)),
    "the manifest": ("manifest.json", lambda b: b.replace(b'"ranks": 1', b'"ranks": 2', 1)),
}


def _other_number(content: bytes) -> bytes:
    """A sample's lithium fraction, as a bit flip in the middle of its digits leaves it."""
    import io

    import h5py

    with h5py.File(io.BytesIO(content)) as file:
        number = file["lithium_fraction"][0, 2]
        place = content.index(np.float64(number).tobytes())
    return content[: place + 3] + bytes([content[place + 3] ^ 16]) + content[place + 4 :]


@pytest.mark.parametrize("case", PREFIX_BREAKS)
def test_going_on_refuses_what_it_would_keep(
    case: str, under_way: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, change = PREFIX_BREAKS[case]
    whole = (under_way / name).read_bytes()
    (under_way / name).write_bytes(change(whole))
    assert (under_way / name).read_bytes() != whole
    before = {path: path.read_bytes() for path in files_of_a_run(under_way)}
    line = refused(capsys, *words(), "--out", under_way, "--resume")
    assert f"{name}: differs from what was written" in line
    assert "--accept-altered" in line
    assert {path: path.read_bytes() for path in files_of_a_run(under_way)} == before


def test_python_reads_its_own_words(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (copy / "history.csv").open("a") as file:
        file.write("1\n")
    with pytest.raises(InputError) as caught:
        heterode.load(copy)
    assert "or pass accept_altered to go on" in str(caught.value)
    assert "--" not in str(caught.value)
    # The same mistake, as a command says it.
    assert "or pass --accept-altered to go on" in refused(capsys, "figures", copy)


def test_going_on_without_digests_would_keep_it(
    under_way: Path, ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the comparison an altered history is taken for the run's."""
    monkeypatch.setattr("heterode.runs.resuming.files_against", lambda *arguments, **more: [])
    name, change = PREFIX_BREAKS["a digit of the history"]
    (under_way / name).write_bytes(change((under_way / name).read_bytes()))
    assert main([*words(), "--out", str(under_way), "--resume"]) == 0
    assert difference(ended, under_way) > 0.1


def test_going_on_cuts_off_what_comes_after(under_way: Path, ended: Path) -> None:
    rows = (under_way / "history.csv").read_bytes()
    (under_way / "history.csv").write_bytes(rows[:-30] + b"damaged, and torn")
    newest = max((under_way / "fields" / "data").glob("0*.h5"))
    assert newest.name not in (under_way / "SHA256SUMS").read_text().splitlines()[5]
    flip_bit(newest, np.random.default_rng(1))
    assert main([*words(), "--out", str(under_way), "--resume"]) == 0
    assert difference(ended, under_way) == 0.0
    assert main(["verify", str(under_way)]) == 0


def test_random_breaks_of_a_killed_run(
    broken_off: Path, ended: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Either one line and code 2 or 3, or all of it computed again: never another result."""
    chance = np.random.default_rng(12)
    paths = [path.relative_to(broken_off) for path in files_of_a_run(broken_off)]
    gone_on = 0
    for number in range(24):
        out = tmp_path / str(number)
        shutil.copytree(broken_off, out)
        path = out / paths[int(chance.integers(len(paths)))]
        what = BREAKS[int(chance.integers(len(BREAKS)))](path, chance)
        capsys.readouterr()
        code = main([*words(), "--out", str(out), "--resume"])
        err = capsys.readouterr().err
        if code == 0:
            gone_on += 1
            assert difference(ended, out) == 0.0, (path, what)
            assert main(["verify", str(out)]) == 0, (path, what)
        else:
            assert code == 2, (path, what, err)
            assert err.count("\n") == 1, (path, what, err)
    assert 0 < gone_on < 24


def test_an_accepted_alteration_stays_on_record(
    under_way: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, change = PREFIX_BREAKS["an edited penalty"]
    (under_way / name).write_bytes(change((under_way / name).read_bytes()))
    assert main([*words(), "--out", str(under_way), "--resume", "--accept-altered"]) == 0
    assert "particles.csv: differs" in capsys.readouterr().err
    (warning,) = (
        one
        for one in read_manifest(under_way / "manifest.json")["warnings"]
        if one["code"] == "altered_files"
    )
    assert "particles.csv: differs" in warning["message"]
    # As it is now it is whole, and yet what is made of it says what it is.
    assert main(["verify", str(under_way)]) == 0
    assert main(["twin", str(under_way), "--write-only"]) == 0
    twin = json.loads((under_way / "report" / "twin.json").read_text())
    assert "particles.csv: differs" in twin["altered"][0]


def test_accepting_needs_something_to_go_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, *words(), "--out", tmp_path / "out", "--accept-altered")
    assert "--resume" in line
    assert not (tmp_path / "out").exists()


# -- manifests of all kinds -------------------------------------------------------------------

WRONG: tuple[object, ...] = ([], {}, "text", 7, -1, 1.5, None, True, [[]], {"a": {}}, [7], ["x"])


def commands_on(folder: Path) -> Iterator[list[str]]:
    yield ["verify", str(folder)]
    for reader in READERS:
        yield command_of(reader, folder)


def ends_in_one_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    capsys.readouterr()
    code = main(command)
    err = capsys.readouterr().err
    if code:
        assert code == 2, (command, err)
        assert sum("error" in line for line in err.splitlines()) == 1, (command, err)
        assert len(err) < 2000
    return code


def test_a_manifest_of_wrong_types_is_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.loads((copy / "manifest.json").read_text())
    taken = 0
    for key in whole:
        for value in WRONG:
            if type(value) is type(whole[key]) and value in ([], {}, None):
                continue
            renewed(copy, **{key: value})
            (copy / "manifest.json").write_bytes(record_text({**whole, key: value}, INDENT))
            with suppress(InputError):
                # What is a manifest by its types can be used as one.
                read_manifest(copy / "manifest.json")
                taken += 1
            ends_in_one_line(["verify", str(copy)], capsys)
    assert taken < 0.5 * len(whole) * len(WRONG)


BAD_TEXTS = {
    "empty": "",
    "half": None,
    "deep list": "[" * 100_000,
    "deep object": '{"a":' * 100_000,
    "closed and deep": '{"program": "heterode", "parameters": ' + "[" * 200 + "]" * 200 + "}",
    "huge whole number": '{"program": "heterode", "status": "running", "steps": ' + "9" * 400 + "}",
    "too many digits": '{"program": "heterode", "steps": ' + "9" * 10_000 + "}",
    "huge number": '{"program": "heterode", "status": "running", "steps": 1e999}',
    "not a number": '{"program": "heterode", "status": "running", "steps": NaN}',
    "a list": '["program", "heterode"]',
    "half a character": '{"program": "heterode", "title": "\\ud800"}',
    "not UTF-8": "\udcff",
    "no status": '{"program": "heterode"}',
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_text_that_is_no_manifest_is_one_line(
    case: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, text = copy / "manifest.json", BAD_TEXTS[case]
    content = path.read_bytes()
    content = (
        content[: len(content) // 2] if text is None else text.encode(errors="surrogateescape")
    )
    path.write_bytes(content)
    for command in commands_on(copy):
        line = refused(capsys, *command)
        assert str(copy) in line
    with pytest.raises(InputError):
        heterode.load(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parameters", {"penalty": {"distribution": "weibull", "shape": "x"}}),
        ("parameters", {"penalty": 7}),
        ("input", {"geometry": 7, "active_material": [], "penalty": None}),
        ("input", {"output": 3}),
        ("described", {"regimes": [{}], "parameters": {"a": 1}}),
        ("parameters", {"protocol": {"steps": {"a": 1}}}),
        ("parameters", {"active_material": 3, "geometry": []}),
        ("seeds", {}),
        ("balance", {}),
        ("title", ""),
    ],
)
def test_a_manifest_of_wrong_content_is_one_line(
    key: str, value: object, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renewed(copy, **{key: value})
    for command in (
        ["figures", str(copy), "penalties"],
        ["figures", str(copy), "voltage"],
        ["report", str(copy), "--at", "end"],
        command_of("twin", copy),
        command_of("resume", copy),
    ):
        ends_in_one_line(command, capsys)
    with suppress(InputError):
        write_page(copy)


def test_histories_read_back_only_when_they_are_whole(copy: Path) -> None:
    """The digests do not replace what a reader itself finds."""
    rows = len(read_history(copy))
    assert read_manifest(copy / "manifest.json")["digests"]["prefixes"]["history.csv"] == {
        "count": rows,
        "sha256": examine_digest(copy),
    }


def examine_digest(folder: Path) -> str:
    import hashlib

    return hashlib.sha256((folder / "history.csv").read_bytes()).hexdigest()
