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

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
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


@cache
def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the text that follows each annotated attribute of a class, as one paragraph.

    pydantic can keep these texts itself (`use_attribute_docstrings`), but reads every source file
    again at each start for it, which takes a tenth of the time of `heterode check`.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] in ("builtins", "pydantic"):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for node, after in pairwise(tree.body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = _text_of(after)
                if text:
                    found[node.target.id] = text
    return found


def _text_of(node: ast.stmt) -> str:
    constant = node.value if isinstance(node, ast.Expr) else None
    if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
        return " ".join(constant.value.split())
    return ""
