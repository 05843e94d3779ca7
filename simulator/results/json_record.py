"""Records in JSON that prove to be whole: read whatever stands there, without a fault.

A record carries the digest of its own content under `digest`, its last key: SHA-256 of the text
that the record would be without that key. Since a record is written in one form only, a change of
any byte of the file shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heterode.base.digests import text_digest
from heterode.base.errors import InputError
from heterode.base.reading import read_regular

DIGEST = "digest"
REMEDY = "Restore it from a copy, or run it again into another folder"
_DEEPEST = 60
_LARGEST = 2**64


def record_text(content: Mapping[str, Any], indent: int) -> bytes:
    """The file of a record, its digest included.

    Args:
        content: in JSON's own types; a digest in it is of earlier content, and gives way.
        indent: of the text, spaces.
    """
    rest = {name: value for name, value in content.items() if name != DIGEST}
    return _text({**rest, DIGEST: text_digest(_text(rest, indent))}, indent)


def record_problem(path: Path, indent: int) -> str:
    """What shows that a record is not as it was written; "" where nothing does.

    A record without a digest, as earlier versions wrote them, shows nothing.

    Raises:
        InputError: it cannot be read as a record at all.
    """
    content = read_record(path)
    if DIGEST not in content:
        return ""
    # The text, too: the same numbers can be written otherwise.
    whole = record_text(content, indent) == path.read_bytes()
    return "" if whole else "differs from what was written (its digest is another)"


LARGEST = 50_000_000
"""Bytes of a record that is read."""


def read_record(path: Path) -> dict[str, Any]:
    """The content of a JSON file that holds an object.

    Raises:
        InputError: no such file, not JSON, or with what no record holds: numbers that are not
            finite or beyond 2^64, more than 60 levels, half a Unicode character.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a file. Give the folder of a run")
    try:
        content = json.loads(read_regular(path, LARGEST).decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply to be a manifest. {REMEDY}") from None
    except OSError as error:
        raise InputError(f"{path}: not readable as a manifest ({_brief(error)})") from error
    except ValueError as error:
        raise InputError(
            f"{path}: not readable as a manifest ({_brief(error)}). {REMEDY}"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a manifest: its JSON is {type_name(content)}. {REMEDY}")
    problem = _impossible(content)
    if problem:
        raise InputError(f"{path}: {problem}. {REMEDY}")
    return content


@contextmanager
def content_of(path: Path) -> Iterator[None]:
    """Use the content of a record within this context: what no program wrote there is one line.

    Raises:
        InputError: something is missing or of another kind than expected.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(
            f"{path}: holds what no run writes ({type(error).__name__}: {reason}). {REMEDY}"
        ) from error


def type_name(value: Any) -> str:
    """What JSON calls the type of a value."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a list")


def _text(content: Mapping[str, Any], indent: int) -> bytes:
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="surrogatepass") + b"\n"


def _impossible(content: dict[str, Any]) -> str:
    """What no record holds, found without recursion; "" where there is nothing of the kind."""
    level: list[tuple[str, Any]] = list(content.items())
    for _ in range(_DEEPEST):
        below: list[tuple[str, Any]] = []
        for name, value in level:
            problem = _impossible_value(value) or ("half a character" if _is_torn(name) else "")
            if problem:
                return f"{_printable(name)} holds {problem}"
            if isinstance(value, dict):
                below += [(f"{name}.{key}", item) for key, item in value.items()]
            elif isinstance(value, list):
                below += [(name, item) for item in value]
        if not below:
            return ""
        level = below
    return f"{_printable(level[0][0])} is nested more than {_DEEPEST} levels deep"


def _impossible_value(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return "a whole number beyond 2^64"
    if isinstance(value, str) and _is_torn(value):
        return "half a character"
    return ""


def _is_torn(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else False


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:60])


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _brief(error: Exception) -> str:
    text = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
    return text if len(text) <= 120 else f"{text[:117]}..."
