"""The page of a run: all in one file, true to the folder, and enough to run it again."""

from __future__ import annotations

import base64
import json
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from helpers.paths import PRESET
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.base.toml_text import toml_text, toml_value
from heterode.parameters import load_parameters
from heterode.reporting import page
from heterode.reporting.ended import finish_report
from heterode.reporting.page import refresh_page, write_page
from heterode.results import ResultsFolder
from heterode.results.manifest import Manifest, read_manifest
from heterode.runs.description import record_of
from heterode.viewing import NAMES

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""

OVERRIDES = ("geometry.coating_thickness=60 um", 'protocol.steps=["charge at C/5 until 4.2 V"]')


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    """A folder as the end of a run leaves it."""
    folder = write_run(tmp_path_factory.mktemp("page") / "out", run)
    parameters = load_parameters(PRESET, OVERRIDES)
    manifest = Manifest(folder.manifest, read_manifest(folder.manifest))
    manifest.update(
        title="Two < three & <script>alert(1)</script>",
        parameters=parameters.to_si_dict(),
        parameter_file=str(PRESET),
        input=parameters.given,
        described=record_of(parameters),
        balance={"charge": 3.2e-13, "lithium": 1e-12, "salt": None},
        dofs=71234,
        wall_s={"mesh": 1.5, "solve": 61.0},
    )
    manifest.finish("completed", "protocol done")
    # The figures themselves are another test's concern.
    folder.make_report()
    for name in NAMES:
        (folder.report / f"{name}.png").write_bytes(DOT)
    write_page(folder.path)
    return folder


@pytest.fixture
def folder(drawn: ResultsFolder, tmp_path: Path) -> ResultsFolder:
    """The same, to be changed."""
    shutil.copytree(drawn.path, tmp_path / "out")
    return ResultsFolder(tmp_path / "out")


def test_skipped_steps_are_listed(folder: ResultsFolder) -> None:
    page = folder.report / "index.html"
    assert "Skipped steps" not in page.read_text()
    manifest = Manifest(folder.manifest, read_manifest(folder.manifest))
    entry = {"step": 4, "text": "charge until 4 V", "reason": "reached 4 V at once", "time_s": 60}
    manifest.update(skipped_steps=[{**entry, "steps": 3}, entry], skipped_step_count=9)
    write_page(folder.path)
    text = page.read_text()
    assert "step 4: charge until 4 V, and 2 steps of the passes after it" in text
    assert "reached 4 V at once, 60 s" in text
    assert "5 steps more" in text


def test_stops_that_were_left_out_are_listed(folder: ResultsFolder) -> None:
    page = folder.report / "index.html"
    assert "Stops left out" not in page.read_text()
    manifest = Manifest(folder.manifest, read_manifest(folder.manifest))
    entry = {"step": 4, "text": "charge until 4.2 V", "stop_V": 3.8, "time_s": 60}
    entry |= {"before_V": 3.75, "after_V": 3.82}
    manifest.update(left_out_stops=[entry], left_out_stop_count=3)
    write_page(folder.path)
    text = page.read_text()
    assert "stop at 3.8 V in step 4: charge until 4.2 V" in text
    assert "led across it, from 3.7500 V to 3.8200 V, 60 s" in text
    assert "2 stops more" in text


class Reader(HTMLParser):
    """Collects addresses and text, and sees that what is opened is closed."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "poster", "action"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(folder: ResultsFolder) -> Reader:
    return Reader((folder.report / "index.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself(drawn: ResultsFolder) -> None:
    html = (drawn.report / "index.html").read_text(encoding="utf-8")
    found = Reader(html)
    pictures = [a for a in found.addresses if a.startswith("data:image/png;base64,")]
    assert len(pictures) == len(NAMES)
    for address in found.addresses:
        assert address.startswith(("data:", "#")), address[:60]
    assert "<script" not in html
    assert not re.search(r"@import|url\(", html)
    for address in found.addresses:
        if address.startswith("#"):
            assert address[1:] in found.ids


def test_it_says_what_a_reader_needs(drawn: ResultsFolder) -> None:
    text = read(drawn).text
    for part in (
        "completed",
        "Two < three & <script>",
        "coating_thickness 60 um",
        "charge at C/5 until 4.2 V",
        "current against exchange",
        "R^2/(D t)",
        "3.2e-13",
        "71 234",
        "62.5 s on 1 rank",
        "largest spread of particles",
        "heterode run parameters.toml",
        "packing 1",
    ):
        assert part in text, part
    assert "salt 1" not in text
    assert "Movie" not in text
    assert "Heterogeneity" not in text


def test_the_run_can_be_run_again_from_it(drawn: ResultsFolder) -> None:
    again = load_parameters(drawn.report / "parameters.toml")
    assert again.to_si_dict() == read_manifest(drawn.manifest)["parameters"]
    # The negative control: what was overridden matters.
    assert load_parameters(PRESET).to_si_dict() != again.to_si_dict()


def test_relative_files_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "drive.csv").write_text("time_s,current_A_m2\n0,0\n60,5\n")
    text = PRESET.read_text(encoding="utf-8")
    text = text.replace('"charge at C/10 until 4.5 V"', '"follow drive.csv"')
    (tmp_path / "in" / "own.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    given = load_parameters(Path("in/own.toml")).given
    (tmp_path / "elsewhere.toml").write_text(toml_text(given), encoding="utf-8")
    monkeypatch.chdir("/")
    again = load_parameters(tmp_path / "elsewhere.toml")
    assert again.protocol.steps[0].table.duration == 60


def test_statistics_are_shown_where_there_are_any(folder: ResultsFolder) -> None:
    picture = (folder.report / "voltage.png").read_bytes()
    (folder.report / "heterogeneity.png").write_bytes(picture)
    scale = {"scale_um": 132.4, "flag": "above", "null_quantiles_um": [40.0, 55.0, None]}
    content = {"scale": scale | {"p_value": 0.02}, "notes": ["Few particles."]}
    (folder.report / "heterogeneity.json").write_text(json.dumps(content))
    write_page(folder.path)
    text = read(folder).text
    assert "more than 132 µm (not converged" in text
    assert "Few particles." in text
    assert "shuffled" not in text
    unconverged = {"scale": scale | {"null_above": 0.9}}
    (folder.report / "heterogeneity.json").write_text(json.dumps(unconverged))
    write_page(folder.path)
    assert "shuffled not converged either" in read(folder).text
    (folder.report / "heterogeneity.json").write_text("{")
    write_page(folder.path)
    assert "L*" not in read(folder).text


def test_a_movie_is_carried_or_named(
    folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.report / "movie.gif").write_bytes(b"GIF89a" + bytes(500))
    refresh_page(folder.path)
    assert sum(a.startswith("data:image/gif") for a in read(folder).addresses) == 1
    (folder.report / "movie.mp4").write_bytes(bytes(900))
    refresh_page(folder.path)
    assert sum(a.startswith("data:video/mp4") for a in read(folder).addresses) == 1
    monkeypatch.setattr(page, "_LARGEST_MOVIE", 800)
    refresh_page(folder.path)
    assert "movie.mp4" in read(folder).addresses


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    folder = ResultsFolder.create(tmp_path / "failed")
    folder.start_manifest(title="").finish("failed", "the equations cannot be compiled")
    refresh_page(folder.path)
    assert not folder.report.exists()
    write_page(folder.path)
    text = read(folder).text
    assert "the equations cannot be compiled" in text
    assert "Figures" not in text
    assert not (folder.report / "parameters.toml").exists()
    with pytest.raises(InputError, match="no such folder"):
        write_page(tmp_path / "nowhere")


def test_a_picture_that_fails_does_no_harm(folder: ResultsFolder) -> None:
    shutil.rmtree(folder.report)
    shutil.rmtree(folder.fields)
    (folder.path / "particles.h5").write_bytes(b"not HDF5")
    problems = finish_report(folder.path).problems
    names = {problem.partition(":")[0] for problem in problems}
    good = {"voltage", "dqdv", "penalties"}
    assert names == {f"report/{name}.png" for name in set(NAMES) - good}
    assert good < set(read(folder).ids)


@pytest.mark.parametrize(
    "tables",
    [
        {"a": 1, "b": {"c": {"d": [1.5, 'x\n"y" \\ µ \x7f', True], "e": {}}, "f": -3}},
        {"steps": ["a", {"repeat": 3, "steps": ["b", "c"]}], "odd key.": {"1": "2"}},
        {},
    ],
)
def test_toml_reads_back(tables: dict) -> None:
    assert tomllib.loads(toml_text(tables)) == tables
    for value in tables.values():
        line = f"key = {toml_value(value)}"
        assert tomllib.loads(line) == {"key": value}
        assert "\n" not in line
    with pytest.raises(TypeError, match="object"):
        toml_text({"a": object()})
