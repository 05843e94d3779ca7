"""Tables however they were saved: every reader takes every form; what is ambiguous is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.commands import environment
from helpers.surroundings import PATIENCE
from heterode.base.csv_table import read_csv_table
from heterode.base.csv_text import LONGEST_LINE, SHOWN, TableError
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.optics.calibration import read_calibration
from heterode.optics.colour import Illumination
from heterode.optics.dielectric_tables import read_dielectric_table
from heterode.optics.sections import read_colours
from heterode.parameters.fields import MistakeError
from heterode.parameters.function_values import read_function_table
from heterode.parameters.quantities import SOLID_DIFFUSIVITY
from heterode.parameters.tables import (
    read_current_table,
    read_penalty_table,
    read_size_table,
)
from heterode.particles.table import COLUMNS, ParticleTable
from heterode.points.csv_points import read_table
from heterode.reporting.micrographs import Job, read_batch
from heterode.results.history import COLUMNS as HISTORY_COLUMNS
from heterode.results.history import read_history

Rows = Sequence[Sequence[object]]


def table(
    rows: Rows, separator: str = ",", end: str = "\n", *, comma: bool = False, quoted: bool = False
) -> str:
    """Heading and rows as text."""

    def cell(value: object) -> str:
        text = str(value)
        if comma and isinstance(value, float):
            text = text.replace(".", ",")
        return f'"{text}"' if quoted else text

    return "".join(separator.join(map(cell, row)) + end for row in rows)


FORMS: dict[str, Callable[[Rows], bytes]] = {
    "byte order mark": lambda rows: b"\xef\xbb\xbf" + table(rows).encode(),
    "two byte order marks": lambda rows: b"\xef\xbb\xbf" * 2 + table(rows).encode(),
    "UTF-16": lambda rows: table(rows, "\t").encode("utf-16"),
    "UTF-16, big end first": lambda rows: b"\xfe\xff" + table(rows).encode("utf-16-be"),
    "UTF-16 without a mark": lambda rows: table(rows).encode("utf-16-le"),
    "UTF-32": lambda rows: table(rows).encode("utf-32"),
    "Latin-1": lambda rows: "# Gerät 2, 5 µm\n".encode("latin-1") + table(rows).encode(),
    "semicolons": lambda rows: table(rows, ";").encode(),
    "decimal commas": lambda rows: table(rows, ";", "\r\n", comma=True).encode(),
    "decimal commas and tabs": lambda rows: table(rows, "\t", comma=True).encode(),
    "quoted decimal commas": lambda rows: table(rows, comma=True, quoted=True).encode(),
    "sep=": lambda rows: b"sep=;\r\n" + table(rows, ";", "\r\n", comma=True).encode(),
    "sep=, a comma": lambda rows: b"SEP=,\n" + table(rows).encode(),
    "sep= of bars": lambda rows: b'"sep=|"\n' + table(rows, "|", comma=True).encode(),
    "old Mac": lambda rows: table(rows, end="\r").encode(),
    "mixed line ends": lambda rows: table(rows, end="\r\n").replace("\r", "", 1).encode(),
    "trailing separators": lambda rows: table(rows, ";", ";\r\n").encode(),
    "blank lines": lambda rows: table(rows, end="\n\n \n,,\n").encode(),
    "comments": lambda rows: b'# measured\n"# again, in a cell"\n' + table(rows).encode() + b"#\n",
    "savetxt": lambda rows: b"# " + table(rows).encode(),
    "quoted": lambda rows: table(rows, quoted=True).encode(),
    "spaces": lambda rows: table([[f"  {cell} " for cell in row] for row in rows]).encode(),
    "no last line end": lambda rows: table(rows).encode().rstrip(),
    "end of file as in DOS": lambda rows: table(rows).encode() + b"\x1a",
    "row numbers": lambda rows: table([["", *rows[0]], *([9, *r] for r in rows[1:])]).encode(),
    "line end in a name": lambda rows: (
        table([*rows[:1], *rows[1:]])
        .replace("\n", ',"a\nb"\n', 1)
        .encode()
        .replace(b"\n", b",1\n")
        .replace(b'"a,1\nb",1\n', b'"a\nb"\n')
    ),
}

ENERGIES = [["energy_eV", "eps2"], [1.25, 0.5], [2.5, 1.5], [3.5, 4.25], [4.5, 2.125]]
PLACES = [["x_um", "y_um", "value"]]
PLACES += [[0.5 + 3 * (k % 4), 1.25 + 5.5 * (k // 4), 0.125 + 0.0625 * k] for k in range(12)]
PARTICLES = [[*COLUMNS], [0, 1.5, 2.5, 0.25, 1.125, 4.5, 9.5, 0.5], [1, 2.5, 2.75, *5 * [0.75]]]
COLOURS = [["lithium_fraction", "red", "green", "blue"], [0.25, 0.5, 0.5, 0.75], [1, 1, 0.75, 0.5]]
LAMP = [["wavelength_nm", "power"], [400.5, 0.5], [550.25, 1.5], [700.5, 0.25]]
BATCH = [["image", "voltage_V", "lithium_fraction"], ["a.tif", 3.75, 0.5], ["b.tif", 4.25, 0.25]]


def _report(path: Path) -> Any:
    (field,) = read_table(path).fields
    return [*field.positions_um.T, field.value]


READERS: dict[str, tuple[Rows, Callable[[Path], Any]]] = {
    "sizes": ([["diameter_um", "weight"], [1.5, 2], [4.25, 0.5]], read_size_table),
    "penalties": ([["particle", "penalty"], [1, 0.5], [0, 0.125]], read_penalty_table),
    "current": (
        [["time_s", "current_A_m2"], [0, 5.5], [10.5, -2.25]],
        lambda path: [
            (t := read_current_table(path, stepwise=False)).times,
            t.currents,
        ],
    ),
    "material": (
        [["stoichiometry", "diffusivity_m2_s"], [0.25, 1.5e-14], [0.75, 2.5e-15]],
        lambda path: [
            (t := read_function_table(path, SOLID_DIFFUSIVITY)).arguments,
            t.values,
        ],
    ),
    "report": (PLACES, _report),
    "particles": (
        PARTICLES,
        lambda path: [getattr(ParticleTable.read_csv(path), name) for name in COLUMNS],
    ),
    "calibration": (
        COLOURS,
        lambda path: [(c := read_calibration(path).curve("red")).lithium, c.ratio],
    ),
    "colours": (COLOURS, lambda path: [(c := read_colours(path)).lithium, *c.colour]),
    "lamp": (LAMP, lambda path: [Illumination.build(str(path), "nominal", 1.0).lamp]),
    "dielectric": (
        ENERGIES,
        lambda path: [(t := read_dielectric_table(path)).energy_eV, t.eps2_ab],
    ),
    "batch": (
        BATCH,
        lambda path: [
            (job.voltage_V, job.lithium_fraction, len(job.image.name))
            for job in read_batch(path, Job(Path("x")))
        ],
    ),
}

NOT_OF_A_BATCH = {"savetxt", "row numbers", "line end in a name"}
"""A batch refuses unknown columns, and its first line holds no number."""

READ = [(r, f) for r in READERS for f in FORMS if r != "batch" or f not in NOT_OF_A_BATCH]


@pytest.mark.parametrize(("reader", "form"), READ)
def test_every_reader_takes_every_form(reader: str, form: str, tmp_path: Path) -> None:
    rows, read = READERS[reader]
    (tmp_path / "plain.csv").write_text(table(rows))
    (tmp_path / "other.csv").write_bytes(FORMS[form](rows))
    assert (tmp_path / "plain.csv").read_bytes() != (tmp_path / "other.csv").read_bytes()
    wanted, found = read(tmp_path / "plain.csv"), read(tmp_path / "other.csv")
    for a, b in zip(wanted, found, strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_the_right_numbers_come_of_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "drive.csv").write_text(
        "time_s;current_A_m2\n0;5,5\n10;2,5\n20;\N{MINUS SIGN}1e-1\n"
    )
    drive = read_current_table(tmp_path / "drive.csv", stepwise=True)
    assert (drive.times, drive.currents) == ((0.0, 10.0, 20.0), (5.5, 2.5, -0.1))


def test_rows_are_named_by_their_lines_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('# a comment\n\n"a\nb",c\r\n1,2\r\n# another\n\n3,"much"\n')
    found = read_csv_table(path)
    assert (found.columns, found.lines) == (("a b", "c"), [5, 8])
    with pytest.raises(TableError, match="in line 8: c = much is not a number"):
        found.numbers("c")
    assert found.numbers("a b").tolist() == [1.0, 3.0]


def test_error_values_of_spreadsheets_are_no_comments(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for value in ("#N/A", "#DIV/0!", "#REF!", "#NAME?", "#WERT!"):
        path.write_text(f"a,b\n1,2\n{value},3\n")
        with pytest.raises(TableError, match=r"in line 3: a = .* is not a number"):
            read_csv_table(path).numbers("a")
    path.write_text("a,b\n1,2\n#NOTE,3\n")
    assert read_csv_table(path).numbers("a").tolist() == [1.0]


AMBIGUOUS = {
    "decimal commas between commas": ("a,b\n0,5,2,5\n", "has 4 cells in line 2, but 2"),
    "one of them": ("a,b\n1,2\n1,2,5\n", "decimal ones, separate the cells by semicolons"),
    "points and commas": ("a;b\n1,5;2\n0.5;3\n", "a = 1,5 in line 2 has a decimal comma, 0.5"),
    "points in another column": ("a;b\n1,234;2.5\n", "holds numbers of two kinds"),
    "thousands and tabs": (
        "a\tb\n1,234\t2\n12,500\t3\n",
        "as a decimal or as thousands: a = 1,234",
    ),
    "thousands in quotes": ('a,b\n"1,234",2\n', "as a decimal or as thousands"),
    "both separators of thousands": ("a;b\n1.234,5;2\n", "a = 1.234,5 is not a number"),
    "English thousands": ('a,b\n"1,234.5",2\n', "a = 1,234.5 is not a number"),
    "millions": ("a;b\n1,234,567;2\n", "a = 1,234,567 is not a number"),
    "spaces for thousands": ("a;b\n1 234;2\n", "a = 1 234 is not a number"),
    "underscores": ("a,b\n1_000,2\n", "a = 1_000 is not a number"),
    "other digits": ("a,b\n\u0661,2\n", "a = \u0661 is not a number"),
    "per cent": ("a,b\n5%,2\n", "a = 5% is not a number"),
    "too large": ("a,b\n1e400,2\n", "a = 1e400 is not finite"),
    "infinity": ("a,b\n-inf,2\n", "a = -inf is not finite"),
    "not a number": ("a,b\nNaN,2\n", "a = NaN is not finite"),
    "nothing": ("a,b\n,2\n", "in line 2: a is empty"),
    "short row": ("a,b\n1,2\n3\n", "has 1 cell in line 3, but 2 in its heading"),
    "no such quote": ('a,b\n1,"2\n3,4\n', "has a quoted cell in line 2 that never ends"),
    "behind the quote": ('a,b\n1,"2"3\n', "has a quoted cell in line 2"),
    "twice": ("a,b,a\n1,2,3\n", "has two columns of the same name, 'a'"),
    "no heading": ("1,2\n3,4\n", "has numbers in its first line"),
    "spaces only": ("a b\n1 2\n", "has one column: its heading has no comma, semicolon or tab"),
    "another separator by its first line": ("sep=;\na,b\n1,2\n", "a first line 'sep=', keep"),
    "no heading, decimal commas": ("1,5;2\n3;4,5\n", "has numbers in its first line"),
    "another name": ("A;b\n1;2\n", "has the columns A, b, separated by semicolons: a is missing"),
    "empty": ("", "is empty"),
    "only comments": ("# a,b\n\n;;\n", "is empty"),
    "heading only": ("a,b\n", "has no rows below its heading"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_ambiguous_or_missing_is_refused(name: str, tmp_path: Path) -> None:
    text, says = AMBIGUOUS[name]
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TableError) as caught:
        read_csv_table(path, ("a", "b")).numbers("a")
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert says in line
    assert "\n" not in line


def test_the_heading_may_be_a_comment_above_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("#a;b\n1,5;2\n3;4,5\n")
    found = read_csv_table(path, ("a", "b"))
    assert list(found.numbers("a")) == [1.5, 3.0]
    assert list(found.numbers("b")) == [2.0, 4.5]


def test_decimals_that_cannot_be_thousands_are_taken(tmp_path: Path) -> None:
    """The negative control of the refusals."""
    path = tmp_path / "t.csv"
    for text, first in (
        ("a\tb\n1,234\t2\n0,500\t3\n", [1.234, 0.5]),
        ('a,b\n"1,234",2\n"1,5",3\n', [1.234, 1.5]),
        ("a;b\n1,234;2\n2,345;3\n", [1.234, 2.345]),
        ("a,b\n1234.5,2\n", [1234.5]),
    ):
        path.write_text(text)
        assert read_csv_table(path, ("a", "b")).numbers("a").tolist() == first


def _zeros(path: Path) -> None:
    path.write_bytes(b"time_s,current\0_A_m2\n0,1\n10,2\n")


def _binary(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(1, 200)))


def _columns(path: Path) -> None:
    path.write_text(",".join("ab"[k % 2] for k in range(1_000_000)) + "\n1\n")


def _many_columns(path: Path) -> None:
    path.write_text("," * 20_000 + "a\n1\n")


def _one_line(path: Path) -> None:
    path.write_text("a," * LONGEST_LINE)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2_000_000_000)


def _loop(path: Path) -> None:
    path.symlink_to(path)


NO_TABLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "is a directory"),
    "pipe": (os.mkfifo, "pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "device"),
    "loop of links": (_loop, "cannot be read"),
    "zeros": (_zeros, "is no text"),
    "picture": (_binary, "is no text"),
    "workbook": (lambda path: path.write_bytes(b"PK\x03\x04\x14\0"), "a file as xlsx, ods"),
    "cut UTF-16": (lambda path: path.write_bytes("a,b\n1,2".encode("utf-16")[:-1]), "is no text"),
    "a million columns": (_columns, "characters in line 1"),
    "many columns": (_many_columns, "20001 columns"),
    "one line": (_one_line, "characters in line 1"),
    "2 GB": (_huge, "MB"),
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_refused_with_one_line(name: str, tmp_path: Path) -> None:
    make, says = NO_TABLES[name]
    path = tmp_path / "t.csv"
    make(path)
    for read in (
        lambda: read_csv_table(path),
        lambda: read_table(path),
        lambda: read_current_table(path, stepwise=False),
    ):
        with pytest.raises((InputError, MistakeError)) as caught:
            read()
        line = str(caught.value).replace("does not exist", "no such file")
        assert says in line
        assert "\n" not in line


def test_a_pipe_is_not_waited_for_by_a_command(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    words = [sys.executable, "-m", "heterode", "dielectric", "pipe.csv", "--out", "out"]
    done = subprocess.run(
        words, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


SECRET = "root:$6$Wq8Zr7dKp2$" + "h4sH" * 20 + ":19000:0:99999:7:::"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (SECRET + "\n", "h4sH"),
        ("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n", "MII"),
        ("user,password\nalice,correct horse\n", "horse"),
        (f"key,{'s3cret' * 30}\n1,2\n", "s3cret" * 7),
        ("a\x1b[31m,b<script>\n1,2\n", "\x1b"),
        ("a,b<script>$(rm)\n1,2\n", "<script>"),
    ],
)
def test_no_message_shows_more_than_a_little_of_the_first_line(
    text: str, hidden: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret.csv"
    path.write_text(text)
    reads: list[Callable[[], object]] = [
        lambda: read_table(path),
        lambda: read_current_table(path, stepwise=False),
        lambda: read_calibration(path),
        lambda: read_dielectric_table(path),
        lambda: read_colours(path),
        lambda: read_batch(path, Job(Path("x"))),
        lambda: ParticleTable.read_csv(path),
        lambda: read_size_table(path),
        lambda: read_history(path),
    ]
    for read in reads:
        with pytest.raises((InputError, MistakeError)) as caught:
            read()
        assert hidden not in str(caught.value)
    assert main(["report", str(path)]) == 2
    assert hidden not in capsys.readouterr().err


def test_the_columns_a_user_gave_are_shown_up_to_a_length(tmp_path: Path) -> None:
    """The negative control: what is no secret helps."""
    path = tmp_path / "t.csv"
    path.write_text("a;bc;" + "d" * 100 + "\n1;2;3\n")
    with pytest.raises(TableError) as caught:
        read_csv_table(path, ("x",))
    listed = ("a, bc, " + "d" * 100)[:SHOWN]
    assert f"has the columns {listed}..., separated by semicolons: x is missing" in str(
        caught.value
    )


def test_a_history_saved_by_a_spreadsheet_names_its_separators(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(table([HISTORY_COLUMNS, [0.5] * len(HISTORY_COLUMNS)], ";"))
    with pytest.raises(InputError, match=r"time_s, voltage_V, .*separated by semicolons"):
        read_history(path)
