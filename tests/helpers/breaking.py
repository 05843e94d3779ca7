"""Breaks files in the ways that disks, editors and people do; for tests and for scripts/break.

Each function changes one file in place and says in a few words what it did, for messages. What is
random comes from the generator that is passed in, so that a break can be repeated.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

Break = Callable[[Path, np.random.Generator], str]


def flip_bit(path: Path, chance: np.random.Generator) -> str:
    """Flip one bit anywhere in a file that is not empty."""
    content = bytearray(path.read_bytes())
    place, bit = int(chance.integers(len(content))), int(chance.integers(8))
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {place} flipped"


def change_digit(path: Path, chance: np.random.Generator) -> str:
    """Give one decimal digit of a text another value."""
    content = bytearray(path.read_bytes())
    places = [match.start() for match in re.finditer(rb"[0-9]", content)]
    place = int(chance.choice(places))
    old = content[place] - ord("0")
    content[place] = ord("0") + (old + int(chance.integers(1, 10))) % 10
    path.write_bytes(content)
    return f"digit {old} at byte {place} is now {chr(content[place])}"


def cut(path: Path, chance: np.random.Generator) -> str:
    """Cut a file off, at any place before its end."""
    content = path.read_bytes()
    length = int(chance.integers(1, len(content)))
    path.write_bytes(content[:length])
    return f"cut to {length} of {len(content)} bytes"


def empty(path: Path, chance: np.random.Generator) -> str:
    """Leave a file without content."""
    path.write_bytes(b"")
    return "emptied"


def zero_block(path: Path, chance: np.random.Generator) -> str:
    """Write zeros over a block of up to 512 bytes, as a lost sector reads."""
    content = bytearray(path.read_bytes())
    start = int(chance.integers(len(content)))
    end = min(start + 512, len(content))
    if not any(content[start:end]):
        return flip_bit(path, chance)
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    return f"zeros from byte {start} to {end}"


def swap_halves(path: Path, chance: np.random.Generator) -> str:
    """Exchange the halves of a file: all its bytes, in another order."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[middle:] + content[:middle])
    return "halves exchanged"


def append(path: Path, chance: np.random.Generator) -> str:
    """Add a byte at the end."""
    with path.open("ab") as file:
        file.write(bytes([int(chance.integers(256))]))
    return "a byte appended"


def remove(path: Path, chance: np.random.Generator) -> str:
    """Delete a file."""
    path.unlink()
    return "removed"


def swap_files(one: Path, other: Path) -> str:
    """Exchange the contents of two files."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"exchanged with {other.name}"


BREAKS: tuple[Break, ...] = (
    flip_bit,
    cut,
    empty,
    zero_block,
    swap_halves,
    append,
    remove,
)
"""What can befall any file that is not empty."""


def files_of_a_run(folder: Path) -> Iterator[Path]:
    """Every file of a results folder that is not empty, in the order of their names."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size and path.name != "lock":
            yield path


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Writing more than `size` bytes into any file fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
