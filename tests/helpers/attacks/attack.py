"""What an attack is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """What came of an attack.

    Attributes:
        what: was attacked, and how, in words.
        tried: how often.
        lost: results or files of a user that were not there afterwards as they should be.
        wrong: what was accepted though it was wrong, or refused though it was right.
        tracebacks: where a user would have seen one.
        hangs: what did not end.
        notes: a line for each failure.
    """

    what: str
    tried: int = 0
    lost: int = 0
    wrong: int = 0
    tracebacks: int = 0
    hangs: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether nothing got through."""
        return self.tried > 0 and not (self.lost or self.wrong or self.tracebacks or self.hangs)


@dataclass(frozen=True)
class Attack:
    """One kind of attack.

    Attributes:
        name: a word for the command line.
        run: carries it out; told a folder of its own, and whether to be thorough.
    """

    name: str
    run: Callable[[Path, bool], Sequence[Result]]
