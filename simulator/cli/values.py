"""Values of options: each function converts a text, as argparse's `type`, or says what is wrong."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence

from heterode.base.units import UnitError, quantity
from heterode.base.words import counted

LEAST_UM, LARGEST_UM = 1e-4, 1e6
"""Smallest and largest length of an option, um: a tenth of a nanometre and a metre."""

FARTHEST = 1e12
"""Bound of numbers without a range of their own; larger ones have no meaning and infinite cubes."""


def length(text: str) -> float:
    """Convert a length with its unit to um."""
    try:
        size = 1e6 * quantity(text, "m")
    except UnitError as error:
        raise ArgumentTypeError(f"'{text}' {error}. Give a length, as in 0.1um") from None
    if not LEAST_UM <= size <= LARGEST_UM:
        raise ArgumentTypeError(f"'{text}' is not a length from 0.1 nm to 1 m")
    return size


def length_in_um(text: str) -> float:
    """Convert a length of at least 0 to um; a bare number is in um."""
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
    """Convert a length of at least a tenth of a nanometre to um; a bare number is in um."""
    size = length_in_um(text)
    if size < LEAST_UM:
        raise ArgumentTypeError(f"'{text}' is not a length from 0.1 nm to 1 m")
    return size


def voxel(text: str) -> tuple[float, ...]:
    """Convert the edges of a pixel or voxel along x, y, z to um: "0.1um", "0.1um,0.1um,0.2um"."""
    edges = tuple(length(part) for part in text.split(","))
    if len(edges) not in (1, 3):
        raise ArgumentTypeError(
            f"'{text}' has {counted(len(edges), 'length')}: one is wanted, or three for x, y and z"
        )
    return edges


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a converter for numbers from `low` to `high`."""

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
    """Convert a number above 0 that is neither vanishingly small nor absurdly large."""
    return number(1.0 / FARTHEST, FARTHEST)(text)


def any_number(text: str) -> float:
    """Convert a number of either sign that is not absurdly large."""
    return number(-FARTHEST, FARTHEST)(text)


def number_or(*words: str) -> Callable[[str], float | str]:
    """Return a converter for a number or one of the given words."""

    def read(text: str) -> float | str:
        if text in words:
            return text
        try:
            return any_number(text)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(f"{error} (allowed: {', '.join(words)}, or a number)") from None

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Return a converter that accepts one of the given words."""

    def read(text: str) -> str:
        if text not in words:
            raise ArgumentTypeError(f"'{text}' is unknown (allowed: {', '.join(words)})")
        return text

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a converter for whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:  # not a number, or one of 5000 digits
            value = low - 1
        if not low <= value <= high:
            raise ArgumentTypeError(f"'{text}' is no whole number from {low} to {high}")
        return value

    return read


def numbers(*counts: int, form: str = "") -> Callable[[str], tuple[float, ...]]:
    """Return a converter for numbers separated by commas, whose count must be one of `counts`."""

    def read(text: str) -> tuple[float, ...]:
        try:
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            raise ArgumentTypeError(f"'{text}' is not numbers with commas{_as(form)}") from None
        if not all(abs(value) <= FARTHEST for value in found):  # this is also false for nan
            raise ArgumentTypeError(f"'{text}' has a number beyond {FARTHEST:g}{_as(form)}")
        if len(found) not in counts:
            wanted = " or ".join(str(count) for count in counts)
            raise ArgumentTypeError(
                f"'{text}' has {counted(len(found), 'number')}, not {wanted}{_as(form)}"
            )
        return found

    return read


def times_in_h(text: str) -> tuple[float, ...]:
    """Convert times with units, separated by commas, to hours."""
    from heterode.base.units import UnitError, quantity

    try:
        return tuple(quantity(part.strip(), "s") / 3600.0 for part in text.split(","))
    except UnitError:
        raise ArgumentTypeError(f"'{text}' is not times with units, as in 0h,30min,2h") from None


def share(text: str) -> float:
    """Convert a share from 0 up to, but not including, 1."""
    (value,) = numbers(1)(text)
    if not 0.0 <= value < 1.0:
        raise ArgumentTypeError(f"'{text}' is not within 0 and 1 (1 left out)")
    return value


def direction(text: str) -> tuple[float, ...]:
    """Convert three finite numbers separated by commas to a direction that is not zero."""
    found = numbers(3)(text)
    if not all(map(math.isfinite, found)) or not 0.0 < math.hypot(*found) < math.inf:
        raise ArgumentTypeError(f"'{text}' points nowhere: three numbers, not all 0, as in 0,0,1")
    return found


def intervals(*counts: int) -> Callable[[str], tuple[float, ...]]:
    """Return a converter for intervals: increasing pairs of numbers, separated by commas."""

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
    """Return a converter for a list of allowed words, separated by commas, each at most once."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
        if not set(found) <= set(allowed):
            raise ArgumentTypeError(f"'{text}': allowed are {', '.join(allowed)}")
        return found

    return read


def _as(form: str) -> str:
    return f": {form}" if form else ""
