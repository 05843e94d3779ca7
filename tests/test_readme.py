"""The README's commands, run word for word in a fresh copy of the project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.documents import blocks, clone, commands, shell
from helpers.paths import ROOT
from heterode.parameters import load_parameters
from heterode.protocol import parse_item

README = (ROOT / "README.md").read_text(encoding="utf-8")
LEFT_OUT = {"scripts/test"}  # it is what runs this test


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a user has it."""
    folder = tmp_path_factory.mktemp("readme") / "heterode"
    folder.mkdir()
    return clone(folder)


def test_every_command_does_what_it_says(copied: Path) -> None:
    wanted = commands(README, LEFT_OUT)
    assert "scripts/run" in wanted
    for command in wanted:
        done = shell(command, copied)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for folder in ("quickstart", "nmc811", "seven"):
        report = copied / "results" / folder / "report"
        assert (report / "voltage.png").stat().st_size > 10_000
        assert (report / "lithium_fraction.png").stat().st_size > 10_000
    assert (copied / "quickstart.msh").is_file()

    said = []
    for number, program in enumerate(blocks(README, "python")):
        path = copied / f"example_{number}.py"
        path.write_text(program)
        done = subprocess.run(
            [sys.executable, path], cwd=copied, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    table, run, loop, optimum = said
    *rows, accuracy = table.splitlines()
    assert len(rows) == 21  # a heading and 20 particles
    assert 0.0 < float(re.findall(r"'largest': ([0-9.e-]+)", accuracy)[0]) < 1e-3
    assert len(run.splitlines()) == 4
    assert (copied / "results" / "python" / "history.csv").is_file()
    assert re.fullmatch(r"\d+ s, 3\.\d\d\d V: particle [0-4]\n", loop)
    # C/2 of this cell is some 3 A/m^2: 10 mV take tens of ohm cm^2.
    (resistance,) = re.findall(r"resistance: ([0-9.]+) ohm", optimum)
    assert 10 < float(resistance) < 100


def test_its_protocol_is_one(tmp_path: Path) -> None:
    (block,) = blocks(README, "toml")
    preset = (ROOT / "params" / "quickstart.toml").read_text(encoding="utf-8")
    begin, end = preset.index("[protocol]"), preset.index("[seeds]")
    file = tmp_path / "params.toml"
    file.write_text(preset[:begin] + block + preset[end:], encoding="utf-8")
    (tmp_path / "drive.csv").write_text("time_s,current_A_m2\n0,0\n60,5\n")
    protocol = load_parameters(file).protocol
    assert (len(protocol.steps), protocol.repeat, protocol.stops) == (6, 2, (3.8, 4.2))
    # Every form of the table below it can be read, its dots filled in.
    forms = re.findall(r"^\| (`.+?) \|", README.partition("## Protocols")[2], re.MULTILINE)
    texts = [text for form in forms[:5] for text in re.findall(r"`([^`]+)`", form)]
    assert len(texts) > 6
    for text in texts:
        filled = text.replace("until ...", "until 4 V").replace("at ...", "at 5 W/m^2 for 1 h")
        parse_item(filled)


def test_files_it_names_exist() -> None:
    names = re.findall(r"`((?:params|simulator|scripts|docs)/[\w./-]+)`", README)
    names += re.findall(r"\]\(([\w./-]+)\)", README)
    assert len(names) > 10
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing


def rooms() -> set[str]:
    """The folders of the package."""
    return {path.parent.name for path in (ROOT / "simulator").glob("*/__init__.py")}


def rows(text: str) -> list[str]:
    """The rooms that the table of rooms has a row for, in its order."""
    return re.findall(r"^\| `simulator/(\w+)` \| \S.* \|$", text, re.MULTILINE)


def test_every_room_has_its_row() -> None:
    assert set(rows(README)) == rooms()
    assert len(rows(README)) == len(rooms())
    # Negative control: a room without a row is noticed.
    without = re.sub(r"^\| `simulator/points`.*\n", "", README, flags=re.MULTILINE)
    assert set(rows(without)) == rooms() - {"points"}
