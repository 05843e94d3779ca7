"""Files that commands write: heterode's own files are replaced, but never those of the user.

Beside the files lies a record, `.heterode-written`, with a line for each file written: a JSON array
of its name and its SHA-256. A file is heterode's own as long as its digest stands there beside its
name. Any other file in the way, whether it was not written by heterode or was changed afterwards,
is the user's: it is refused or, with `--overwrite`, kept beside under another name. A command never
writes to a file that it reads.

The record is written first, and then the file is renamed to its final name. Whenever a command is
killed, its files are therefore recognised as heterode's own, and the user's files are unchanged.
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
"""The help text of `--overwrite`, the same for every command."""


@dataclass
class _Rule:
    """The rules by which a command writes.

    Attributes:
        overwrite: whether a user's file in the way is kept under another name instead of refused;
            None if the user cannot ask for that.
        inputs: device and inode of the files that the command reads.
        option: the option that chooses another place, for messages; "" if there is none.
        named: files that another option names, with that option.
        made: folders created so far.
        written: files written so far.
    """

    overwrite: bool | None = None
    inputs: frozenset[tuple[int, int]] = frozenset()
    option: str = ""
    named: Mapping[Path, str] = field(default_factory=dict)
    made: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def option_of(self, path: Path) -> str:
        """Return the option that chooses the place of a file; "" if there is none."""
        return self.named.get(path, self.option)

    def elsewhere(self, path: Path) -> str:
        """Return, for messages, what a user can do about a file in the way of `path`."""
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
    """Context that sets how everything is written inside it, after checking the known outputs.

    If the command fails because of wrong input, the folders created inside are removed together
    with what was written to them; after other failures, such as a full disk, only empty ones are
    removed.

    Args:
        outputs: files that will be written, which are checked before anything is computed.
        inputs: files that are read; those that do not exist are ignored.
        overwrite: whether to keep a user's file in the way under another name instead of refusing
            it; None if the user cannot ask for that.
        option: the option that chooses another place, such as "--out"; "" if there is none.
        named: outputs that have an option of their own, with that option.

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
    """Refuse files in the way of the outputs, without changing anything.

    Raises:
        InputError: as in `writing`, or two outputs are the same file.
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
    """Write an output of a command, whole or not at all; see the module's docstring.

    Raises:
        InputError: a file in the way is an input, the user's, a link, a folder or read-only.
        OutputError: the folder is gone, full or not writable; the old file is intact.
    """
    digest = hashlib.sha256(content).hexdigest()
    _make_way(path, digest)
    _note(path, digest)
    write_atomically(path, content, option=_current().option_of(path))
    _current().written.append(path)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error of a file that failed: why, and which option chooses another place."""
    rule = _rule.get()
    # Outside `writing` it is a run that writes.
    option = "--out" if rule is None else rule.option_of(path)
    return OutputError(explain(path, error, option=option))


def put_output(made: Path, path: Path) -> None:
    """Move a file that another program made to its place, by the rules of `write_output`.

    Raises:
        InputError, OutputError: as in `write_output`.
    """
    try:
        digest = file_digest(made)
        _make_way(path, digest)
        _note(path, digest)
        os.replace(made, path)
    except OSError as error:
        raise unwritable(path, error) from error
    _current().written.append(path)


def make_folder(folder: Path) -> Path:
    """Create a folder for outputs, and its parents, if they are missing.

    Raises:
        InputError: a file is in the way.
        OutputError: the folder cannot be created.
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
        raise unwritable(folder, error) from error
    finally:
        rule.made.extend(place for place in missing if place.is_dir())
    return folder


def recorded(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the digests of the files that heterode wrote to a folder by name, the latest one last.

    A line that cannot be read, such as one cut short when a command was killed, is ignored.
    """
    record = folder / RECORD
    try:
        # A pipe cannot be the record, and reading it would wait for a writer.
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
    """Whether a file is as heterode wrote it, according to the record beside it."""
    return _Records().own(path)


def set_aside(path: Path) -> Path:
    """Rename a user's file to NAME.yours.EXT, print that, and return its new path.

    Raises:
        OutputError: the file cannot be renamed.
    """
    kept = free_name(path)
    try:
        os.rename(path, kept)
    except OSError as error:
        raise unwritable(path, error) from error
    say_kept(path, kept)
    return kept


def free_name(path: Path) -> Path:
    """Return the first of NAME.yours.EXT, NAME.yours-2.EXT, ... that does not exist."""
    number, kept = 2, path.with_name(f"{path.stem}.yours{path.suffix}")
    while os.path.lexists(kept):
        kept = path.with_name(f"{path.stem}.yours-{number}{path.suffix}")
        number += 1
    return kept


def say_kept(path: Path, kept: Path) -> None:
    """Print that a user's file has another name now."""
    print(f"heterode: note: {path} is not as heterode wrote it: kept as {kept}", file=sys.stderr)


class _Records:
    """The records of folders, each of which is read once."""

    def __init__(self) -> None:
        self._read: dict[Path, dict[str, tuple[str, ...]]] = {}

    def digests(self, path: Path) -> tuple[str, ...]:
        """Return the digests of all files that heterode wrote under a file's name."""
        if path.parent not in self._read:
            self._read[path.parent] = recorded(path.parent)
        return self._read[path.parent].get(path.name, ())

    def own(self, path: Path) -> bool:
        """Whether a file is as heterode wrote it."""
        known = self.digests(path)
        return bool(known) and _digest(path) in known


def _digest(path: Path) -> str:
    """Return the digest of a file; "", which is no file's digest, if it cannot be read."""
    try:
        return file_digest(path)
    except OSError:
        return ""


def _identities(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Yield device and inode, which are the same through links and other spellings of a path."""
    for path in paths:
        with suppress(OSError, ValueError):
            found = os.stat(path)
            yield found.st_dev, found.st_ino


def _look(path: Path, rule: _Rule, records: _Records, digest: str = "") -> bool:
    """Refuse a file that must not be replaced; returns whether a user's file is to be kept beside.

    Args:
        path: the output.
        rule: the rules of the command.
        records: the records of the folders.
        digest: the digest of the new content; a file with exactly that content is in nobody's way.
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
    """Remove the written files from the folders that were created for them."""
    for path in rule.written:
        if not set(rule.made).isdisjoint(path.parents):
            path.unlink(missing_ok=True)


def _remove_empty(made: Iterable[Path]) -> None:
    """Remove folders that were created in vain, the deepest first."""
    for folder in sorted(made, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            if os.listdir(folder) == [RECORD]:
                (folder / RECORD).unlink()
            folder.rmdir()


def _refuse_place(path: Path) -> None:
    """Refuse, at an early stage, a folder that cannot be written."""
    rule = _current()
    present = next((p for p in path.absolute().parents if os.path.lexists(p)), None)
    if present is None or not present.is_dir():
        raise InputError(f"{present}: a file is in the way of this folder. {rule.elsewhere(path)}")
    if not os.access(present, os.W_OK | os.X_OK):
        remedy = rule.elsewhere(path) if rule.option_of(path) else "Make it writable"
        raise InputError(f"{path}: cannot be written, as {present} cannot be. {remedy}")


def _refuse_record(folder: Path) -> None:
    """Refuse a record that cannot be written, since no file of the folder could be written then."""
    record = folder / RECORD
    try:
        kind = os.lstat(record).st_mode
    except OSError:
        # If the record cannot be examined, the error for the file itself gives the reason.
        return
    if not stat.S_ISREG(kind):
        raise InputError(f"{record}: is not heterode's record of files. Move or rename it")


def _make_way(path: Path, digest: str) -> None:
    _refuse_record(path.parent)
    if _look(path, _current(), _Records(), digest):
        set_aside(path)


def _note(path: Path, digest: str) -> None:
    """Add a line to the record in a single write, so that several commands may write at once."""
    record = path.parent / RECORD
    if recorded(path.parent).get(path.name, ("",))[-1] == digest:
        return
    line = json.dumps([path.name, digest]).encode() + b"\n"
    try:
        handle = os.open(record, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            # This ends a line that was cut short when a command was killed.
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            content = (b"\n" if torn else b"") + line
            if os.write(handle, content) < len(content):
                raise OSError(28, os.strerror(28))
        finally:
            os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error
