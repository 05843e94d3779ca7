"""The texts below the fields of a class, which Python does not keep, from its source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise


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
