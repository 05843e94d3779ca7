"""heterode explain: what a key of the parameter file means, a column of results, a warning."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.layout import paragraph, two_columns

if TYPE_CHECKING:
    from heterode.parameters.reference import Row

_TEXT = (
    "say what a key of the parameter file means: unit, range, default and its source, conditions, "
    "an example; also of sections, values, columns of results and codes of warnings"
)


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    command = commands.add_parser("explain", help=_TEXT.partition(":")[0], description=_TEXT)
    command.add_argument(
        "words",
        nargs="*",
        metavar="KEY",
        help="a key, a section, a part of a key, a value, a column or the code of a warning; "
        "none lists the sections",
    )
    command.set_defaults(command=_explain)


def _explain(options: argparse.Namespace, comm: Any) -> int:
    on_root(comm, lambda: print("\n\n".join(map(_told, options.words)) or _overview()))
    return DONE


def _overview() -> str:
    from heterode.parameters.reference import rows

    top = [(row.key, row.description) for row in rows() if "." not in row.key]
    return "\n".join(
        [
            "Keys and sections of the parameter file:",
            two_columns(top),
            "",
            paragraph("`heterode explain KEY` says more: of geometry, of penalty.restriction."),
        ]
    )


def _told(word: str) -> str:
    """Return what there is to say of a word.

    Raises:
        InputError: nothing is called so.
    """
    from heterode.base.warning_codes import MEANINGS as WARNINGS
    from heterode.parameters.reference import rows

    word = word.strip().strip("[]")
    exact = [row for row in rows() if row.key == word]
    if exact:
        return _of_rows(exact)
    ending = [row for row in rows() if row.key.endswith(f".{word}")]
    part = word.lower() if any(letter.isalnum() for letter in word) and not ending else None
    near = [row for row in rows() if part is not None and part in row.key]
    values = [row for row in rows() if word in row.kind.schema.get("enum", ())]
    parts = [
        _of_rows(ending)
        if len({row.key for row in ending}) == 1
        else _listed(f"Keys called {word}:", ending),
        _columns_told(word),
        f"{word}, a warning\n{paragraph(WARNINGS[word], 2)}" if word in WARNINGS else "",
        _listed(f"Keys with {word} in their name:", near),
        _listed(f"Keys that may be {word}:", values) if not ending else "",
    ]
    found = "\n\n".join(part for part in parts if part)
    if not found:
        raise InputError(_unknown(word))
    return found


def _unknown(word: str) -> str:
    from heterode.base.warning_codes import MEANINGS as WARNINGS
    from heterode.base.words import nearest
    from heterode.parameters.reference import rows

    keys = [row.key for row in rows()]
    # The nearest of whole keys first, then of their last parts, whose lengths are like the word's.
    ends = {key.rpartition(".")[2]: key for key in reversed(keys)}
    hint = nearest(word, keys) if "." in word else ""
    if not hint:
        hint = nearest(word, [*ends, *_columns(), *WARNINGS])
        name = hint.partition("'")[2].rpartition("'")[0]
        hint = f"Did you mean '{ends[name]}'?" if name in ends else hint
    hint = hint or "`heterode explain` lists the sections."
    return f"{word!r} is no key, section, value, column or warning. {hint}"


def _listed(heading: str, rows: list[Row]) -> str:
    if not rows:
        return ""
    told = {row.key: row.description or row.kind.allowed for row in rows}
    return f"{paragraph(heading)}\n{two_columns(list(told.items()))}"


def _of_section(section: Row) -> str:
    from heterode.parameters.reference import rows

    below = [row for row in rows() if row.key.rpartition(".")[0] == section.key]
    lines = [f"[{section.key}]", paragraph(section.description, 2)]
    lines += [paragraph(when.full_sentence, 2) for when in section.conditions]
    for variant in dict.fromkeys(row.variant for row in below):
        own = [(row.name, row.description) for row in below if row.variant == variant]
        lines += ["", paragraph(f"Keys with {variant}:" if variant else "Keys:"), two_columns(own)]
    return "\n".join(lines)


def _of_rows(found: list[Row]) -> str:
    """Return what there is to say of a key, once for each table of a choice that has it."""
    if found[0].is_section:
        return _of_section(found[0])
    return "\n\n".join(_of_key(row) for row in found)


def _of_key(row: Row) -> str:
    from heterode.parameters.notes import MARKS

    default = row.necessity
    if row.source is not None:
        default += f" ({row.source.text} [{row.source.mark}: {MARKS[row.source.mark]}])"
    si = row.si_unit if row.si_unit not in ("", row.unit) else ""
    above = row.key.rpartition(".")[0]
    told = [
        ("value", row.kind.name),
        ("unit", f"{row.unit}; {si} in Python and in the manifest" if si else row.unit),
        ("allowed", row.kind.allowed),
        ("default", default),
        *(("condition", when.sentence) for when in row.conditions),
        ("example", f"{row.example}, below [{above}]" if above else row.example),
    ]
    heading = f"{row.key}, with {row.variant}" if row.variant else row.key
    return "\n".join([paragraph(heading), paragraph(row.description, 2), "", two_columns(told)])


# -- columns of results ---------------------------------------------------------------------------


def _columns() -> dict[str, list[tuple[str, str]]]:
    """Return, for each column, the files that have it, each with unit and meaning."""
    from heterode.particles.table import MEANINGS, UNITS
    from heterode.results import history, particle_series

    files = {
        "history.csv": _told_of(history.UNITS, history.MEANINGS),
        "particles.csv": _told_of(UNITS, MEANINGS),
        "particles.h5": {"time_s": "s"} | particle_series.UNITS,
    }
    found: dict[str, list[tuple[str, str]]] = {}
    for file, told in files.items():
        for name, text in told.items():
            found.setdefault(name, []).append((file, text))
    return found


def _told_of(units: dict[str, str], meanings: dict[str, str]) -> dict[str, str]:
    return {name: f"{meanings[name]}; unit: {unit}" for name, unit in units.items()}


def _columns_told(word: str) -> str:
    columns = _columns().get(word)
    if not columns:
        return ""
    return f"{paragraph(f'Results that hold {word}:')}\n{two_columns(columns)}"
