"""Values of options: each function reads a text, as argparse's `type`, and says what is wrong."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence

from heterode.base.units import UnitError, quantity
from heterode.base.words import counted

LEAST_UM, LARGEST_UM = 1e-4, 1e6
"""Lengths of options: from a tenth of a nanometre to a metre."""

FARTHEST = 1e12
"""Bound of numbers without a range of their own: none means more, and their cubes are finite."""


def length(text: str) -> float:
    """A length with its unit, in um."""
    try:
        size = 1e6 * quantity(text, "m")
    except UnitError as error:
        raise ArgumentTypeError(f"'{text}' {error}. Give a length, as in 0.1um") from None
    if not LEAST_UM <= size <= LARGEST_UM:
        raise ArgumentTypeError(f"'{text}' is not a length from 0.1 nm to 1 m")
    return size


def length_in_um(text: str) -> float:
    """A length from 0 up, in um; a bare number is one."""
    try:
        size = float(text)
    except ValueError:
        try:
            size = 1e6 * quantity(text, "m")
        except UnitError as error:
            raise ArgumentTypeError(f"'{text}' {error}") from None
    if not 0.0 <= size <= LARGEST_UM:
        raise ArgumentTypeError(f"'{text}' is not a length from 0 to 1 m")
    return size


def positive_length_in_um(text: str) -> float:
    """The same from a tenth of a nanometre up."""
    size = length_in_um(text)
    if size < LEAST_UM:
        raise ArgumentTypeError(f"'{text}' is not a length from 0.1 nm to 1 m")
    return size


def voxel(text: str) -> tuple[float, ...]:
    """Edges of a pixel, or of a voxel along x, y, z, in um: "0.1um", "0.1um,0.1um,0.2um"."""
    edges = tuple(length(part) for part in text.split(","))
    if len(edges) not in (1, 3):
        raise ArgumentTypeError(
            f"'{text}' has {counted(len(edges), 'length')}: one is wanted, or three for x, y and z"
        )
    return edges


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ArgumentTypeError(f"'{text}' is not a number") from None
        if not low <= value <= high:
            raise ArgumentTypeError(f"'{text}' is out of range ({low:g} to {high:g})")
        return value

    return read


def positive_number(text: str) -> float:
    """A number above 0, neither vanishing nor beyond all measure."""
    return number(1.0 / FARTHEST, FARTHEST)(text)


def any_number(text: str) -> float:
    """A number of either sign that is not beyond all measure."""
    return number(-FARTHEST, FARTHEST)(text)


def number_or(*words: str) -> Callable[[str], float | str]:
    """One of some words, or a number."""

    def read(text: str) -> float | str:
        if text in words:
            return text
        try:
            return any_number(text)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(f"{error} (allowed: {', '.join(words)}, or a number)") from None

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """One of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ArgumentTypeError(f"'{text}' is unknown (allowed: {', '.join(words)})")
        return text

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:  # no number, or one of 5000 digits
            value = low - 1
        if not low <= value <= high:
            raise ArgumentTypeError(f"'{text}' is no whole number from {low} to {high}")
        return value

    return read


def numbers(*counts: int, form: str = "") -> Callable[[str], tuple[float, ...]]:
    """As many numbers between commas, as one of the counts says."""

    def read(text: str) -> tuple[float, ...]:
        try:
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise ArgumentTypeError(f"'{text}' is not numbers with commas{_as(form)}") from None
        if not all(abs(value) <= FARTHEST for value in found):  # nan is not either
            raise ArgumentTypeError(f"'{text}' has a number beyond {FARTHEST:g}{_as(form)}")
        if len(found) not in counts:
            wanted = " or ".join(str(count) for count in counts)
            raise ArgumentTypeError(
                f"'{text}' has {counted(len(found), 'number')}, not {wanted}{_as(form)}"
            )
        return found

    return read


def direction(text: str) -> tuple[float, ...]:
    """Three finite numbers between commas that point somewhere."""
    found = numbers(3)(text)
    if not all(map(math.isfinite, found)) or not 0.0 < math.hypot(*found) < math.inf:
        raise ArgumentTypeError(f"'{text}' points nowhere: three numbers, not all 0, as in 0,0,1")
    return found


def intervals(*counts: int) -> Callable[[str], tuple[float, ...]]:
    """Numbers between commas, in increasing pairs."""

    def read(text: str) -> tuple[float, ...]:
        found = numbers(*counts)(text)
        for low, high in zip(found[::2], found[1::2], strict=True):
            if not low < high:
                raise ArgumentTypeError(f"'{text}': each second number is above the first")
            if high - low < max(1.0 / FARTHEST, 1e-9 * max(abs(low), abs(high))):
                raise ArgumentTypeError(f"'{text}': {low:g} and {high:g} are too close")
        return found

    return read


def some_of(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Some of the allowed words, between commas, each once."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
        if not set(found) <= set(allowed):
            raise ArgumentTypeError(f"'{text}': allowed are {', '.join(allowed)}")
        return found

    return read


def _as(form: str) -> str:
    return f": {form}" if form else ""
