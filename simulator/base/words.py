"""Counts of things in English."""

from __future__ import annotations


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
