"""Counts, numbers and hints as a reader expects them in English text."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def counted(number: int, noun: str, verb: str = "") -> str:
    """Return a count with its noun: "1 particle", "2 particles", "1 entry is", "2 entries are".

    Args:
        number: the count.
        noun: the noun in the singular; its last word takes the plural.
        verb: a verb in the singular ("is", "has", "misses") that follows; "" for none.
    """
    one = number == 1
    words = [f"{number}", noun if one else _plural(noun)]
    if verb:
        words.append(verb if one else _OF_MANY[verb])
    return " ".join(words)


_OF_MANY = {"is": "are", "has": "have", "misses": "miss", "lies": "lie", "counts": "count"}


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def spoken(value: float, digits: int = 3) -> str:
    """Return a number with some significant digits, without exponent up to 999,999,999: "2,740".

    Args:
        value: the number; those not finite are "nan" and "inf".
        digits: the significant digits that are kept; final zeros after the point are left out.
    """
    rounded = f"{value:.{digits}g}"
    if not 1e-4 <= abs(value) < 1e9:
        return rounded
    number = float(rounded)
    return f"{number:,.0f}" if number == round(number) else rounded


def nearest(word: str, names: Collection[str]) -> str:
    """Return "Did you mean 'x'?" for the nearest of `names`, or an empty text."""
    near = difflib.get_close_matches(word, list(names), 1, 0.4)
    return f"Did you mean '{near[0]}'?" if near else ""
