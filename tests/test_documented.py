"""Whoever adds a command, an option, a figure, a column or a key says what it is."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from typing import Any, get_args

import pytest

import heterode
from helpers.paths import PARAMS, ROOT
from heterode.cli.main import _parser
from heterode.parameters import Parameters
from heterode.parameters.fields import Section
from heterode.particles import table
from heterode.results import history
from heterode.results.particle_series import ParticleHistory
from heterode.runs import observers, recorder
from heterode.viewing.figures import NAMES

README = (ROOT / "README.md").read_text(encoding="utf-8")
PRESETS = "".join(path.read_text(encoding="utf-8") for path in sorted(PARAMS.rglob("*.toml")))


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
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


# -- keys of the input file -------------------------------------------------------------------


def sections(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a field of the schema may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from sections(part)


def keys(section: type[Section], path: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Every key below a section, with the section that has it."""
    for name, field in section.model_fields.items():
        within = list(sections(field.annotation))
        for inner in within:
            yield from keys(inner, f"{path}{name}.")
        if not within:
            yield f"{path}{name}", section


def explained(section: type[Section], key: str) -> bool:
    """Whether the docstring of a section names a key, or a docstring follows the key."""
    if re.search(rf"\b{key}\b", section.__doc__ or ""):
        return True
    module = ROOT / "simulator" / f"{section.__module__.partition('.')[2].replace('.', '/')}.py"
    tree = ast.parse(module.read_text(encoding="utf-8"))
    (body,) = (n.body for n in tree.body if getattr(n, "name", "") == section.__name__)
    return any(
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == key
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        for node, after in pairwise(body)
    )


KEYS = dict(keys(Parameters))


@pytest.mark.parametrize("path", KEYS)
def test_every_key_is_explained(path: str) -> None:
    """In the README, by a comment of a preset, or in the schema itself."""
    key = path.rpartition(".")[2]
    in_readme = re.search(rf"`[^`]*\b{key}\b[^`]*`", README)
    in_preset = re.search(rf"^{key} *=.*#", PRESETS, re.MULTILINE)
    assert in_readme or in_preset or explained(KEYS[path], key)


def test_keys_without_a_word_are_noticed() -> None:
    assert len(KEYS) > 90
    assert explained(KEYS["active_material.rate_constant"], "rate_constant")
    assert not explained(KEYS["active_material.rate_constant"], "anodic_transfer")
