"""The page of a run in a real browser: `scripts/test -m browser`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.other_userland import enter
from helpers.paths import HELPERS, PRESET
from helpers.synthetic import synthetic_run, write_run
from heterode.parameters import load_parameters
from heterode.reporting.ended import finish_report
from heterode.reporting.page import write_page
from heterode.results.manifest import Manifest, read_manifest
from heterode.runs.description import record_of
from heterode.viewing import NAMES
from heterode.viewing.movie import View, animate

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("browser") / "out", synthetic_run(samples=6))
    parameters = load_parameters(PRESET)
    manifest = Manifest(folder.manifest, read_manifest(folder.manifest))
    manifest.update(
        title=parameters.title,
        input=parameters.given,
        described=record_of(parameters),
        balance={"charge": 3.2e-13, "lithium": 1e-12, "salt": 2e-12},
        mesh_hash="0123456789abcdef" * 4,
    )
    assert finish_report(folder.path).problems == ()
    animate(folder.path, View(frames=4, height=480, formats=("mp4",)))
    return write_page(folder.path)


def look(page: Path, folder: Path) -> dict:
    """Measures of a page; its pictures go to a folder."""
    script = HELPERS / "browser_look.py"
    done = enter("browser", ["python3", script, page, folder], folder)
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert lines, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(lines[0].removeprefix("ANSWER "))


@pytest.fixture(scope="module")
def seen(page: Path) -> dict:
    return look(page, page.parent)


@pytest.mark.parametrize(("screen", "width"), [("phone", 390), ("desktop", 1440)])
def test_it_fits_the_screen(seen: dict, screen: str, width: int) -> None:
    found = seen[screen]
    assert found["width"] == pytest.approx(width, abs=20)  # a desktop's scroll bar
    assert found["scroll"] <= found["width"]
    assert found["wide"] == []
    assert found["smallest"] >= 11
    # No column of single letters, and 6.5 pt of a figure at 220 dpi are 8 pixels at least.
    assert found["narrow"] == []
    assert found["figures"] * 6.5 / 72 * 220 >= 8


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_all_is_there_without_a_network(seen: dict, screen: str) -> None:
    found = seen[screen]
    # The figures, and the panels of the heterogeneity.
    assert (found["images"], found["broken"]) == (len(NAMES) + 1, 0)
    assert found["requests"] == []
    assert found["console"] == []


def test_a_page_that_is_too_wide_is_noticed(page: Path, tmp_path: Path) -> None:
    """The negative control."""
    wide = tmp_path / "wide.html"
    html = page.read_text(encoding="utf-8")
    added = '<p style="white-space: nowrap">' + "far too wide " * 60 + "</p></main>"
    wide.write_text(html.replace("</main>", added), encoding="utf-8")
    found = look(wide, tmp_path)["phone"]
    assert found["scroll"] > 390


def test_it_is_light(page: Path) -> None:
    assert page.stat().st_size < 8e6
