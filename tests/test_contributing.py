"""CONTRIBUTING.md: its commands do what it says; the hooks of pre-commit are the checks of CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.documents import OF_USERS, blocks, clone, commands, shell
from helpers.paths import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
OF_DEVELOPERS = (*OF_USERS, "tests", "docs", ".ci", ".gitignore")


def test_every_command_does_what_it_says(tmp_path: Path) -> None:
    folder = clone(tmp_path, OF_DEVELOPERS)
    for command in commands(CONTRIBUTING):
        done = shell(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command.startswith("scripts/test"):
            # Those that it names are there, and nothing else was selected.
            assert re.search(r"[1-9]\d* passed", done.stdout), command


def test_a_wrong_command_would_be_noticed(tmp_path: Path) -> None:
    folder = clone(tmp_path, OF_DEVELOPERS)
    assert shell("scripts/test -n 0 tests/test_of_nothing.py", folder).returncode != 0


def test_commands_that_take_long_have_the_options_it_names() -> None:
    long = [line for block in blocks(CONTRIBUTING, "console") for line in block.splitlines()]
    assert len(long) > 4
    for command in long:
        words = command.partition(" -- python3 ")[2].split() or command.split()
        assert (ROOT / words[0]).is_file(), command
        options = [word for word in words if word.startswith("--")]
        source = (ROOT / f"{words[0].removesuffix('.py')}.py").read_text(encoding="utf-8")
        assert all(f'"{option}"' in source for option in options), command


def test_files_it_names_exist() -> None:
    names = re.findall(r"`((?:simulator|scripts|tests|docs|\.ci)(?:/[\w.-]+)+)`", CONTRIBUTING)
    names += re.findall(r"\]\(([\w./-]+)", CONTRIBUTING)
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []


# -- what is checked --------------------------------------------------------------------------

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
NOT_AT_A_COMMIT = {"set-up", "tests"}


def checks_of(ci: str) -> dict[str, str]:
    """Name -> command of each check that .ci/run makes."""
    return dict(re.findall(r"^check (\S+) (.+)$", ci, re.MULTILINE))


def hooks_of(configuration: str) -> dict[str, str]:
    """Name -> command of each hook."""
    pattern = r"- id: (\S+)\n +name: \1\n +entry: (.+)\n +language: system\n +pass_filenames: false"
    return dict(re.findall(pattern, configuration))


def test_a_commit_is_checked_as_ci_does() -> None:
    checks = checks_of(CI)
    assert checks.keys() > NOT_AT_A_COMMIT
    for name in NOT_AT_A_COMMIT:
        del checks[name]
    assert hooks_of(HOOKS) == checks
    assert HOOKS.count("- id: ") == len(checks)
    # Nothing of other repositories, whose versions would be pinned beside those of the set-up.
    assert re.findall(r"repo: (\S+)", HOOKS) == ["local"]
    assert "rev:" not in HOOKS


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("ruff format --check", "ruff format"),
        ("- id: types", "- id: kinds"),
        ("-- mypy", "-- true"),
    ],
)
def test_a_hook_that_differs_is_noticed(ours: str, other: str) -> None:
    assert ours in HOOKS
    changed = hooks_of(HOOKS.replace(ours, other))
    assert changed.items() != {k: v for k, v in checks_of(CI).items() if k not in NOT_AT_A_COMMIT}


def test_contributing_names_every_check() -> None:
    for name in checks_of(CI):
        assert name in CONTRIBUTING
    for command in hooks_of(HOOKS).values():
        assert command in CONTRIBUTING
