"""Numbers of things, in English."""

from __future__ import annotations


def counted(number: int, noun: str, verb: str = "") -> str:
    """A number of things: "1 particle", "2 particles", "1 entry is", "2 entries are".

    Args:
        number: how many.
        noun: in the singular; its last word takes the plural.
        verb: "is", "has" or "misses", as one of them does it; "" where none follows.
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
