"""What is said of a key beside its type: where its default comes from, when it counts, an example.

    symmetry: Annotated[Fraction, Source("Xu et al. 2019", "F")] = 0.5
    \"\"\"Symmetry factor of the Butler-Volmer law.\"\"\"
    fraction: Annotated[Share | None, When("penalty.conditioning.rule", ("relax",), needed=True)]
    \"\"\"Share of each penalty that is lost after a cycle.\"\"\"

The text below a field is its meaning, with the unit of the symbol where there is one. Source, When
and Example stand in its `Annotated`. All that is told of keys (`heterode explain`, the schema for
editors, the page of parameters) is made from these by `heterode.parameters.reference`; a test names
keys that lack one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mark = Literal["F", "D", "R", "G"]

MARKS: dict[Mark, str] = {
    "F": "read in the source named",
    "D": "derived from other numbers",
    "R": "recalled from the literature and not read again",
    "G": "a guess or an engineering choice",
}
"""What the marks of sources mean, here and in the comments of presets."""


@dataclass(frozen=True)
class Source:
    """Where the default of a key comes from, and how good that source is."""

    text: str
    mark: Mark


@dataclass(frozen=True)
class Example:
    """A value as it is written in a file, where neither default nor type gives one."""

    value: Any


@dataclass(frozen=True)
class When:
    """A condition on another key.

    Attributes:
        key: the dotted key that decides.
        values: its values with which the condition holds; () if it holds where it is not given.
        needed: whether the key that has this note must be given where the condition holds.
        only: whether it has an effect only where the condition holds.
        words: the condition in words, where values cannot give it.
    """

    key: str
    values: tuple[Any, ...] = ()
    needed: bool = False
    only: bool = True
    words: str = ""

    @property
    def text(self) -> str:
        """The condition, as in 'penalty.distribution = "weibull"'."""
        if self.words:
            return self.words
        if not self.values:
            return f"{self.key} is not given"
        return f"{self.key} = {' or '.join(json.dumps(value) for value in self.values)}"

    @property
    def sentence(self) -> str:
        """What the condition decides, as in 'only with ...' or 'needed with ...'."""
        link = "where" if self.words or not self.values else "with"
        if not self.only:
            return f"needed {link} {self.text}"
        return f"only {link} {self.text}" + (", and needed there" if self.needed else "")

    @property
    def full_sentence(self) -> str:
        """The same with a capital and a full stop."""
        return f"{self.sentence[0].upper()}{self.sentence[1:]}."


@dataclass(frozen=True)
class Written:
    """How a value with a validation of its own is written.

    Attributes:
        kind: what it is, such as "list of texts".
        allowed: the values that are allowed, in words.
        example: one of them.
        schema: what JSON Schema says of it.
        unit: unit of the numbers in it.
    """

    kind: str
    allowed: str
    example: Any
    schema: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unit: str = ""
