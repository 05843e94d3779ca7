"""What commands write beside a user's files: heterode's own give way to newer ones, no other does.

Beside the files lies a record, `.heterode-written`: a line for each file written, a JSON array of
its name and its SHA-256. A file is heterode's own while its digest stands there beside its name.
Whatever else lies in the way, because heterode did not write it or because it was changed since, is
the user's: it is refused, or with `--overwrite` kept beside under another name. A file that the
command reads is never written to.

The record is written first, then the file is renamed into its place. Whatever moment a command is
killed in, its files are known as its own, and a user's file is as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from heterode.base.digests import file_digest
from heterode.base.errors import InputError
from heterode.results.storage import OutputError, explain, write_atomically

RECORD = ".heterode-written"
"""Name of the record in each folder that commands write to."""

OVERWRITE_HELP = (
    "replace what an earlier call wrote; of files in the way that heterode did not write, or that "
    "were changed since, each is kept beside as NAME.yours.EXT"
)
"""What `--overwrite` does, the same for every command."""


@dataclass
class _Rule:
    """How a command writes.

    Attributes:
        overwrite: a user's file in the way is kept under another name, instead of refused; None
            where that cannot be asked for.
        inputs: device and inode of what the command reads.
        option: that chooses another place, for messages; "" where there is none.
        named: files that another option names.
        made: folders made so far.
        written: files written so far.
    """

    overwrite: bool | None = None
    inputs: frozenset[tuple[int, int]] = frozenset()
    option: str = ""
    named: Mapping[Path, str] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def option_of(self, path: Path) -> str:
        """The option that chooses the place of a file; "" where there is none."""
        return self.named.get(path, self.option)

    def elsewhere(self, path: Path) -> str:
        """What a user can do about a file in the way of `path`, for messages."""
        option = self.option_of(path)
        return f"Choose another {option}" if option else "Move or rename it"


_rule: ContextVar[_Rule | None] = ContextVar("rule", default=None)


def _current() -> _Rule:
    return _rule.get() or _Rule()


@contextmanager
def writing(
    outputs: Iterable[Path] = (),
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool | None = None,
    option: str = "",
    named: Mapping[Path, str] | None = None,
) -> Iterator[None]:
    """How everything is written inside, after a look at what is known to be written.

    Where it fails for wrong input, the folders made inside are removed, with what was written to
    them; for another reason, such as a full disk, only those that are empty.

    Args:
        outputs: files that will be written; looked at before anything is computed.
        inputs: files that are read; those that do not exist are left out.
        overwrite: keep a user's file in the way under another name, instead of refusing it; None
            where the user cannot ask for that.
        option: that chooses another place, as in "--out"; "" where there is none.
        named: outputs that an option of their own names, with that option.

    Raises:
        InputError: a file in the way is an input, the user's, a link, a folder or read-only.
    """
    rule = _Rule(overwrite, frozenset(_identities(inputs)), option, named or {})
    before = _rule.set(rule)
    try:
        require(outputs)
        yield
    except BaseException as error:
        if isinstance(error, InputError) and not isinstance(error, OutputError):
            _remove_written(rule)
        _remove_empty(rule.made)
        raise
    finally:
        _rule.reset(before)


def require(outputs: Iterable[Path]) -> None:
    """Refuse files in the way of what is to be written; changes nothing.

    Raises:
        InputError: see `writing`; or two outputs are one file.
    """
    rule, records, seen = _current(), _Records(), set()
    for path in outputs:
        place = os.path.join(os.path.realpath(path.parent), path.name)
        if place in seen:
            raise InputError(
                f"{path}: would be written twice by this command. Rename an input, or choose "
                "another place for one of the files"
            )
        seen.add(place)
        _refuse_place(path)
        _refuse_record(path.parent)
        _look(path, rule, records)


def write_output(path: Path, content: bytes) -> None:
    """Write a file that a command makes, whole or not at all; see the module.

    Raises:
        InputError: a file in the way is an input, the user's, a link, a folder or read-only.
        OutputError: the folder is gone, full or not writable; the old file is intact.
    """
    digest = hashlib.sha256(content).hexdigest()
    _make_way(path, digest)
    _note(path, digest)
    write_atomically(path, content)
    _current().written.append(path)


def put_output(made: Path, path: Path) -> None:
    """Move a file that another program made into its place, as `write_output` would write it.

    Raises:
        InputError: see `write_output`.
        OutputError: likewise.
    """
    try:
        digest = file_digest(made)
        _make_way(path, digest)
        _note(path, digest)
        os.replace(made, path)
    except OSError as error:
        raise OutputError(explain(path, error)) from error
    _current().written.append(path)


def make_folder(folder: Path) -> Path:
    """Make a folder for outputs, and its parents, where they are missing.

    Raises:
        InputError: a file is in the way.
        OutputError: it cannot be made.
    """
    rule = _current()
    missing = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder}: a file is in the way of this folder. {rule.elsewhere(folder)}"
        ) from error
    except OSError as error:
        raise OutputError(explain(folder, error)) from error
    finally:
        rule.made.extend(place for place in missing if place.is_dir())
    return folder


def recorded(folder: Path) -> dict[str, tuple[str, ...]]:
    """Names of the files that heterode wrote to a folder, with their digests, the latest last.

    A line that cannot be read, such as one that a kill cut short, is passed over.
    """
    record = folder / RECORD
    try:
        # Of a pipe, which is no record, a reader would wait for a writer.
        text = record.read_text(encoding="utf-8", errors="replace") if record.is_file() else ""
    except OSError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            match json.loads(line):
                case [str(name), str(digest)]:
                    found[name] = (*found.get(name, ()), digest)
    return found


def is_own(path: Path) -> bool:
    """Whether a file is as heterode wrote it, by the record beside it."""
    return _Records().own(path)


def set_aside(path: Path) -> Path:
    """Give a user's file another name, NAME.yours.EXT, and say so; returns its new path.

    Raises:
        OutputError: it cannot be renamed.
    """
    kept = free_name(path)
    try:
        os.rename(path, kept)
    except OSError as error:
        raise OutputError(explain(path, error)) from error
    say_kept(path, kept)
    return kept


def free_name(path: Path) -> Path:
    """The first of NAME.yours.EXT, NAME.yours-2.EXT, ... that nothing has."""
    number, kept = 2, path.with_name(f"{path.stem}.yours{path.suffix}")
    while os.path.lexists(kept):
        kept = path.with_name(f"{path.stem}.yours-{number}{path.suffix}")
        number += 1
    return kept


def say_kept(path: Path, kept: Path) -> None:
    """Say that a user's file has another name now."""
    print(f"heterode: note: {path} is not as heterode wrote it: kept as {kept}", file=sys.stderr)


class _Records:
    """The records of folders, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, dict[str, tuple[str, ...]]] = {}

    def digests(self, path: Path) -> tuple[str, ...]:
        """Digests of all that heterode wrote under a file's name."""
        if path.parent not in self._read:
            self._read[path.parent] = recorded(path.parent)
        return self._read[path.parent].get(path.name, ())

    def own(self, path: Path) -> bool:
        """Whether a file is as heterode wrote it."""
        known = self.digests(path)
        return bool(known) and _digest(path) in known


def _digest(path: Path) -> str:
    """The digest of a file; "" where it cannot be read, which no file's is."""
    try:
        return file_digest(path)
    except OSError:
        return ""


def _identities(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Device and inode: the same through links, other spellings, and other cases of letters."""
    for path in paths:
        with suppress(OSError, ValueError):
            found = os.stat(path)
            yield found.st_dev, found.st_ino


def _look(path: Path, rule: _Rule, records: _Records, digest: str = "") -> bool:
    """Refuse what must not give way to an output; whether a user's file is to be kept beside.

    Args:
        path: of the output.
        rule: how the command writes.
        records: of the folders.
        digest: of what is to be written: a file that holds just that is in nobody's way.
    """
    elsewhere = rule.elsewhere(path)
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be written ({reason}). {elsewhere}") from error
    if not rule.inputs.isdisjoint(_identities([path])):
        raise InputError(f"{path}: is read by this command, and not written over. {elsewhere}")
    for kind, what in ((stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder")):
        if kind(found.st_mode):
            raise InputError(f"{path}: is {what}, which no file replaces. {elsewhere}")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is no ordinary file, and is not replaced. {elsewhere}")
    if not found.st_mode & 0o222:
        raise InputError(f"{path}: is read-only, and is not replaced. {elsewhere}")
    if records.own(path) or (digest and _digest(path) == digest):
        return False
    if rule.overwrite:
        return True
    why = "was changed since heterode wrote it"
    if not records.digests(path):
        why = f"was not written by heterode (it is not in {path.parent / RECORD})"
    kept = f", or pass --overwrite, which keeps it beside as {path.stem}.yours{path.suffix}"
    raise InputError(
        f"{path}: {why}, and is not replaced. {elsewhere}"
        + (kept if rule.overwrite is not None else "")
    )


def _remove_written(rule: _Rule) -> None:
    """Remove files from the folders that were made for them."""
    for path in rule.written:
        if not set(rule.made).isdisjoint(path.parents):
            path.unlink(missing_ok=True)


def _remove_empty(made: Iterable[Path]) -> None:
    """Remove folders that were made in vain, the deepest first."""
    for folder in sorted(made, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            if os.listdir(folder) == [RECORD]:
                (folder / RECORD).unlink()
            folder.rmdir()


def _refuse_place(path: Path) -> None:
    """Refuse early a folder that cannot be written."""
    rule = _current()
    present = next((p for p in path.absolute().parents if os.path.lexists(p)), None)
    if present is None or not present.is_dir():
        raise InputError(f"{present}: a file is in the way of this folder. {rule.elsewhere(path)}")
    if not os.access(present, os.W_OK | os.X_OK):
        remedy = rule.elsewhere(path) if rule.option_of(path) else "Make it writable"
        raise InputError(f"{path}: cannot be written, as {present} cannot be. {remedy}")


def _refuse_record(folder: Path) -> None:
    """Refuse a record that cannot be written to: then no file of the folder can be, either."""
    record = folder / RECORD
    try:
        kind = os.lstat(record).st_mode
    except OSError:
        # What keeps it from being looked at is said of the file itself.
        return
    if not stat.S_ISREG(kind):
        raise InputError(f"{record}: is not heterode's record of files. Move or rename it")


def _make_way(path: Path, digest: str) -> None:
    _refuse_record(path.parent)
    if _look(path, _current(), _Records(), digest):
        set_aside(path)


def _note(path: Path, digest: str) -> None:
    """Add a line to the record, in one write, so that several commands may write at once."""
    record = path.parent / RECORD
    if recorded(path.parent).get(path.name, ("",))[-1] == digest:
        return
    line = json.dumps([path.name, digest]).encode() + b"\n"
    try:
        handle = os.open(record, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            # A line that a kill cut short ends here.
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            content = (b"\n" if torn else b"") + line
            if os.write(handle, content) < len(content):
                raise OSError(28, os.strerror(28))
        finally:
            os.close(handle)
    except OSError as error:
        raise OutputError(explain(path, error)) from error
