"""JSON records that carry a digest of their own content, and readers that accept any file.

The digest stands under `digest`, the last key; it is the SHA-256 of the text that the record would
have without that key. Since a record is always written in the same form, a change of any byte of
the file is detected.
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
    """Return the text of a record, including its digest.

    Args:
        content: values of JSON's own types; a digest in it belongs to earlier content and is
            replaced.
        indent: the indentation of the text, spaces.
    """
    rest = {name: value for name, value in content.items() if name != DIGEST}
    return _text({**rest, DIGEST: text_digest(_text(rest, indent))}, indent)


def record_problem(path: Path, indent: int) -> str:
    """Return what shows that a record is not as it was written; "" if nothing does.

    Records of earlier versions carry no digest, and "" is returned for them.

    Raises:
        InputError: the file cannot be read as a record at all.
    """
    content = read_record(path)
    if DIGEST not in content:
        return ""
    # The text is compared too, since the same numbers can be written in another form.
    whole = record_text(content, indent) == path.read_bytes()
    return "" if whole else "differs from what was written (its digest is another)"


LARGEST = 50_000_000
"""Largest record that is read, bytes."""


def read_record(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file that holds an object.

    Raises:
        InputError: the file is missing, is not JSON, or holds something that no record does:
            numbers that are not finite or exceed 2^64, more than 60 levels, or half a Unicode
            character.
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
    """Context for using the content of a record; unexpected content becomes an error of one line.

    Raises:
        InputError: something is missing, or of another kind than expected.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(
            f"{path}: holds what no run writes ({type(error).__name__}: {reason}). {REMEDY}"
        ) from error


def type_name(value: Any) -> str:
    """Return JSON's name for the type of a value."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a list")


def _text(content: Mapping[str, Any], indent: int) -> bytes:
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", errors="surrogatepass") + b"\n"


def _impossible(content: dict[str, Any]) -> str:
    """Return what cannot occur in a record, found without recursion; "" if there is nothing."""
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
