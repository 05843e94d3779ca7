"""The parameter files that are shipped: params/ of the project, presets/ of what is installed."""

from __future__ import annotations

from pathlib import Path

from heterode.base.errors import InputError
from heterode.base.words import nearest

_HERE = Path(__file__)


def preset_folder() -> Path:
    """Return the folder of the shipped parameter files.

    Raises:
        InputError: it is missing, as in an incomplete copy of the package.
    """
    # A link may lead to the package, so the project is looked for beside the real one.
    for folder in (_HERE.parents[1] / "presets", _HERE.resolve().parents[2] / "params"):
        if (folder / "quickstart.toml").is_file():
            return folder
    raise InputError(f"{_HERE.parents[1]}: the shipped parameter files are missing. Install again")


def preset_names() -> list[str]:
    """Return the names of all presets, those of sweeps as "sweeps/first"."""
    folder = preset_folder()
    files = (path.relative_to(folder) for path in folder.rglob("*.toml"))
    # `heterode materials` lists those.
    found = [path.with_suffix("") for path in files if path.parts[0] != "materials"]
    return [name.as_posix() for name in sorted(found, key=lambda path: (len(path.parts), path))]


def preset_text(name: str) -> str:
    """Return a preset as it is shipped, with its comments.

    Args:
        name: its name, with or without ".toml".

    Raises:
        InputError: there is no such preset.
    """
    short, names = name.removesuffix(".toml"), preset_names()
    if short not in names:
        hint = nearest(short, names) or f"There are {', '.join(names)}."
        raise InputError(f"{name!r} is no preset. {hint}")
    return (preset_folder() / f"{short}.toml").read_text(encoding="utf-8")


def preset_title(name: str) -> str:
    """Return the first line of a preset, which says what it is."""
    return preset_text(name).partition("\n")[0].removeprefix("# ")
