"""The check of report/ against the records that commands keep beside the files they write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from heterode.base.digests import file_digest
from heterode.results.folder import ResultsFolder
from heterode.results.integrity import Finding
from heterode.results.written import RECORD, recorded


def report_findings(folder: ResultsFolder) -> list[Finding]:
    """Compare the files in report/ and in the folders below it with their records.

    Files that no record names are the user's and are left out.
    """
    found: list[Finding] = []
    if folder.report.is_dir():
        for record in sorted(folder.report.rglob(RECORD)):
            found += _of_record(folder.path, record)
    return found


def _of_record(top: Path, record: Path) -> Iterator[Finding]:
    yield Finding(record.relative_to(top).as_posix(), _record_problem(record))
    for name, digests in recorded(record.parent).items():
        path = record.parent / name
        where = path.relative_to(top).as_posix()
        try:
            same = file_digest(path) == digests[-1]
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            problem = "is missing" if missing else f"cannot be read ({error.strerror})"
            yield Finding(where, problem, gone=missing)
        else:
            problem = "differs from what was written (its SHA-256 is another)"
            yield Finding(where, "" if same else problem)


def _record_problem(record: Path) -> str:
    try:
        content = record.read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line and not _is_entry(line):
            return f"is damaged (line {number} is no record of a file)"
    return ""


def _is_entry(line: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        match json.loads(line):
            case [str(name), str(digest)]:
                # The record is written in one form only.
                written = json.dumps([name, digest]).encode() == line
                return written and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
    return False
