"""Whoever adds a command, an option, a figure or a column says what it is."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields

import pytest

import heterode
from helpers.paths import ROOT
from heterode.cli.main import command_parser
from heterode.particles import table
from heterode.results import history
from heterode.results.particle_series import ParticleHistory
from heterode.runs import observers, recorder
from heterode.viewing.figures import NAMES

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in command_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert re.search(rf"\bheterode {name}\b", README)


@pytest.mark.parametrize(("name", "parser"), commands().items())
def test_every_option_says_what_it_does(name: str, parser: argparse.ArgumentParser) -> None:
    silent = [a.option_strings or a.dest for a in parser._actions if not (a.help or "").strip()]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_stands_in_the_readme_and_in_the_help(name: str) -> None:
    assert re.search(rf"^\| .*`{name}`.* \|", README, re.MULTILINE)
    (names,) = (a for a in commands()["figures"]._actions if a.dest == "names")
    assert name in str(names.help).split(", ")


COLUMNS = {
    "history.csv": history.COLUMNS,
    "particles.csv": table.COLUMNS,
    "particles.h5": tuple(field.name for field in fields(ParticleHistory)),
}


@pytest.mark.parametrize("file", COLUMNS)
def test_every_column_stands_in_the_readme(file: str) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(file)}` \| (.*)$", README, re.MULTILINE)
    assert [name for name in COLUMNS[file] if f"`{name}`" not in row] == []


def test_every_observer_can_be_imported() -> None:
    ours = {
        name
        for module in (observers, recorder)
        for name, one in vars(module).items()
        if isinstance(one, type)
        and issubclass(one, heterode.Observer)
        and one.__module__ == module.__name__
    }
    assert {"Recorder", "Checkpoint", "Balances", "Progress"} <= ours
    assert ours <= set(heterode.__all__)
    assert [name for name in ours if not re.search(rf"`(heterode\.)?{name}\(", README)] == []
