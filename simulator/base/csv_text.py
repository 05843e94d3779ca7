"""Text tables as rows of cells: which characters, line ends, separators and quotes a file uses.

The numbers in the cells are read by heterode.base.csv_table, whose docstring lists the accepted
forms.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from heterode.base.errors import InputError
from heterode.base.reading import read_regular
from heterode.base.words import counted

LARGEST_FILE = 256_000_000
"""Largest accepted file, bytes; a table of a million particles has a third of that."""

LONGEST_LINE = 1_000_000
"""Longest accepted line, characters."""

MOST_COLUMNS = 16_384
"""Largest accepted number of columns, which is that of a spreadsheet."""

SHOWN = 40
"""Largest number of characters of a heading that a message repeats.

A file that was named by mistake may hold secrets.
"""

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""Names of the separators in messages."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # UTF-32 is tried first, because its byte order mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OWN_FORMATS = ((b"PK\x03\x04", "xlsx, ods"), (b"\xd0\xcf\x11\xe0", "xls"))
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(?P<mark>[^\w\s"\'.+#-]|\t)"?[\s,;]*', re.IGNORECASE)
_ERROR_VALUE = re.compile(r"#(N/A|NV|NUL+!|DIV/0!|REF!|BEZUG!|VALUE!|WERT!|NAME\?|NUM!|ZAHL!)")
"""Error values that spreadsheets write where a formula fails; such a cell begins no comment."""


class TableError(InputError):
    """A table cannot be used; the message is one line.

    Args:
        path: the file.
        problem: a phrase that follows the file's name, such as "is empty".
        allowed: what is allowed, without parentheses.
        remedy: what the user can do, as a sentence.
    """

    def __init__(
        self, path: Path | str, problem: str, *, allowed: str = "", remedy: str = ""
    ) -> None:
        behind = f" (allowed: {allowed})" if allowed else ""
        super().__init__(f"{path}: {problem}{behind}." + (f" {remedy}" if remedy else ""))
        self.problem = problem
        self.allowed = allowed
        self.remedy = remedy


@dataclass(frozen=True)
class Cells:
    """A heading and rows of cells as text, without the spaces around them.

    Attributes:
        path: the file.
        columns: (C,) the heading; a column without a name is "".
        rows: (R,) rows of C cells each, at least one row.
        lines: (R,) the number of the line of the file on which each row begins.
        separator: the character between cells; "" if there is only one column.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    separator: str

    @property
    def described(self) -> str:
        """The columns and the separator, as a phrase for a message."""
        if not self.separator:
            # A file without a separator is hardly a table, so nothing of its content is shown.
            if any(mark in name for name in self.columns for mark in NAMES):
                return "has one column: quotes, or a first line 'sep=', keep its heading together"
            return "has one column: its heading has no comma, semicolon or tab"
        between = NAMES.get(self.separator, f"'{self.separator}'")
        return f"has the columns {shown_columns(self.columns)}, separated by {between}"


def read_cells(path: Path | str, allowed: str = "a CSV table") -> Cells:
    """Read a table in any of the forms that heterode.base.csv_table lists.

    Args:
        path: the file.
        allowed: the statement in messages of what is allowed.

    Raises:
        TableError: the file is not a regular file, is not text, is empty, has no rows, or has two
            columns of the same name or rows of unequal length.
    """
    path = Path(path)
    lines = _text(path, allowed).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            raise TableError(
                path,
                f"has {len(line)} characters in line {number}",
                allowed=f"a CSV table, up to {LONGEST_LINE} a line",
            )
    separator, skipped = _declared(lines)
    source = _Lines(lines, skipped)
    first = source.first()
    if first is None:
        raise TableError(path, "is empty", allowed=allowed, remedy="Fill the table.")
    separator = separator or _likely(lines, first)
    rows = _rows(path, source, separator)
    _, heading = next(rows)
    above = _heading_above(lines, first, separator, heading)
    body = [(number, row) for number, row in rows if any(row)]
    if above is not None:
        body.insert(0, (first + 1, heading))
        heading = above
    elif all(map(_is_number, heading)):
        raise TableError(
            path,
            "has numbers in its first line",
            allowed=allowed,
            remedy="Write the names of the columns there.",
        )
    while len(heading) > 1 and not heading[-1]:
        heading.pop()
    _check_heading(path, heading)
    if not body:
        raise TableError(
            path, "has no rows below its heading", allowed=allowed, remedy="Fill the table."
        )
    for number, row in body:
        # Spreadsheets write as many separators as their longest row has.
        while len(row) > len(heading) and not row[-1]:
            row.pop()
        if len(row) != len(heading):
            raise _unequal(path, number, len(row), len(heading), separator)
    single = len(heading) == 1
    return Cells(
        path,
        tuple(heading),
        [row for _, row in body],
        [number for number, _ in body],
        "" if single else separator,
    )


def harmless(text: str, longest: int = SHOWN) -> str:
    """Return the beginning of a text for a message, with unusual characters replaced by "?"."""
    cut = text[:longest]
    return "".join(c if c.isalnum() or c in " _-.,:;()[]/^%µ°+*=#" else "?" for c in cut)


def shown_columns(columns: Sequence[str]) -> str:
    """Return the names of columns for a message, cut to SHOWN characters."""
    listed = ", ".join(columns[:SHOWN])
    return harmless(listed) + ("..." if len(listed) > SHOWN else "")


def _is_number(cell: str) -> bool:
    """Whether a cell may be a number, with a decimal point or a decimal comma."""
    return NUMBER.fullmatch(plain(cell).replace(",", ".", 1)) is not None


def plain(cell: str) -> str:
    """Return a cell as programs write numbers, with an ASCII minus and no spaces around it."""
    return cell.strip().replace("\N{MINUS SIGN}", "-")


# -- bytes to text ----------------------------------------------------------------------------


def _text(path: Path, allowed: str) -> str:
    try:
        content = read_regular(path, LARGEST_FILE)
    except OSError as error:
        reasons = {FileNotFoundError: "no such file", IsADirectoryError: "is a directory"}
        why = reasons.get(type(error), f"cannot be read ({error.strerror})")
        raise TableError(path, why, allowed=allowed, remedy="Correct the path.") from None
    for beginning, names in _OWN_FORMATS:
        if content.startswith(beginning):
            raise TableError(
                path, f"is not a CSV table but a file as {names}", remedy="Save it as CSV."
            )
    text = _decoded(path, content).removesuffix("\x1a")
    if _NOT_TEXT.search(text):
        raise _no_text(path)
    return text


def _decoded(path: Path, content: bytes) -> str:
    codec = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    try:
        if codec:
            # A file that two programs wrote one after the other can begin with two marks.
            return content.decode(codec).lstrip("\ufeff")
        if b"\0" in content:
            return content.decode(_without_mark(path, content))
    except UnicodeDecodeError:
        raise _no_text(path) from None
    for codec in ("utf-8", "cp1252"):
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _without_mark(path: Path, content: bytes) -> str:
    """Return the byte order of UTF-16 without a mark: every other byte of western text is zero."""
    even, odd = content[0:4096:2], content[1:4096:2]
    if odd.count(0) > len(odd) // 2 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 2 and not odd.count(0):
        return "utf-16-be"
    raise _no_text(path)


def _no_text(path: Path) -> TableError:
    return TableError(path, "is not a CSV table (it is no text)", remedy="Export it as CSV.")


# -- text to rows -----------------------------------------------------------------------------


class _Lines:
    """Iterates over lines for csv.reader, without blank lines and comments outside quoted cells."""

    def __init__(self, lines: Sequence[str], begin: int) -> None:
        self._lines, self._at = lines, begin
        self.inside = False
        self.start = 0

    def first(self) -> int | None:
        """Index of the first line that has not been read, or None at the end."""
        for index in range(self._at, len(self._lines)):
            if not _skipped(self._lines[index]):
                return index
        return None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.inside:
            found = self.first()
            if found is None:
                raise StopIteration
            self._at, self.start, self.inside = found, found + 1, True
        if self._at >= len(self._lines):
            raise StopIteration
        self._at += 1
        # csv.reader joins the lines of a quoted cell with the line ends that they carry.
        return self._lines[self._at - 1] + "\n"


def _skipped(line: str) -> bool:
    text = line.strip().lstrip('"')
    return not text.strip(",;\t ") or (text.startswith("#") and not _ERROR_VALUE.match(text))


def _rows(path: Path, source: _Lines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the cells of every row, including the heading."""
    reader = csv.reader(source, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            what = "that never ends or goes on behind its quotes"
            what = "that is too long" if "limit" in str(error) else what
            raise TableError(
                path,
                f"has a quoted cell in line {source.start} {what}",
                remedy="Correct the quotes of the table.",
            ) from None
        if row is None:
            return
        source.inside = False
        yield source.start, [cell.replace("\n", " ").strip() for cell in row]


def _declared(lines: Sequence[str]) -> tuple[str, int]:
    """Return the separator that a line `sep=;` declares and the number of lines up to that line.

    They are "" and 0 if no line declares a separator.
    """
    for index, line in enumerate(lines):
        if line.strip():
            found = _SEPARATOR_LINE.fullmatch(line)
            return (found["mark"], index + 1) if found else ("", 0)
    return "", 0


def _likely(lines: Sequence[str], first: int) -> str:
    """Return the separator with which the rows have as many cells as the heading."""
    some = [line for line in lines[first : first + 200] if not _skipped(line)][:40]
    # A comma may belong to a name or a number; tabs and semicolons rarely do.
    marks = [mark for mark in ("\t", ";", ",") if mark in some[0]]
    if not marks:
        return ","

    def fits(mark: str) -> bool:
        counts = {len(row) for row in csv.reader(some[1:], delimiter=mark, skipinitialspace=True)}
        return counts <= {len(next(csv.reader(some[:1], delimiter=mark, skipinitialspace=True)))}

    try:
        fitting = [mark for mark in marks if fits(mark)] if len(marks) > 1 else marks
    except csv.Error:
        fitting = []
    return max(fitting or marks, key=some[0].count)


def _heading_above(
    lines: Sequence[str], first: int, separator: str, row: Sequence[str]
) -> list[str] | None:
    """Return the names in the comment right above the numbers, if there is one for each number."""
    if not first or not all(map(_is_number, row)):
        return None
    comment = lines[first - 1].strip()
    if not comment.startswith("#"):
        return None
    names = next(csv.reader([comment.lstrip("# ")], delimiter=separator, skipinitialspace=True))
    return [name.strip() for name in names] if len(names) == len(row) else None


def _check_heading(path: Path, heading: Sequence[str]) -> None:
    if len(heading) > MOST_COLUMNS:
        raise TableError(
            path,
            f"has {counted(len(heading), 'column')}",
            allowed=f"a CSV table with up to {MOST_COLUMNS}",
        )
    named = [name for name in heading if name]
    twice = [name for name, times in Counter(named).items() if times > 1]
    if twice:
        raise TableError(
            path,
            f"has two columns of the same name, '{harmless(twice[0], 20)}'",
            allowed="each name once",
            remedy="Rename one of them.",
        )


def _unequal(path: Path, line: int, found: int, wanted: int, separator: str) -> TableError:
    between = NAMES.get(separator, f"'{separator}'")
    hint = "Complete the row."
    if separator == "," and found > wanted:
        hint = "If its commas are decimal ones, separate the cells by semicolons or tabs."
    return TableError(
        path,
        f"has {_cells(found)} in line {line}, but {wanted} in its heading, separated by {between}",
        allowed="as many in every row",
        remedy=hint,
    )


def _cells(count: int) -> str:
    return counted(count, "cell")
