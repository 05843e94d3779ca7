"""The ways in which a command can fail: exit code 2 for wrong input, 3 for any later failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

LONGEST_LINE = 560
"""Longest message, characters; the file names and values in a message can be of any length."""


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return a text as one printable line of bounded length, whatever file names it contains.

    White space, including line ends, becomes single spaces; unprintable characters (control
    characters, terminal escapes, undecodable bytes, marks that reverse the direction of writing)
    become "?". A long text is cut in the middle, because its end states the remedy.
    """
    # A text that is far too long is cut first, so that a value of megabytes is not processed whole.
    words = " ".join(_cut(text, 8 * longest).split())
    return _cut("".join(c if c.isprintable() else "?" for c in words), longest)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]} ... {text[-(longest - head - 5) :]}"


class LineError(Exception):
    """An error whose message is made one printable line by `one_line`."""

    longest = LONGEST_LINE

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message), self.longest))


class InputError(LineError):
    """The user's input is wrong; the command prints one line on stderr and ends with code 2.

    The message names the file, the key, its value, the allowed values and the remedy.
    """


class MistakesError(InputError):
    """An input file has mistakes; the message names all of them and may therefore be longer."""

    longest = 4 * LONGEST_LINE


class ArgumentError(InputError):
    """An argument is wrong; the message names it as an argument in Python, as an option in a shell.

    Args:
        text: the message, in which `{height}` stands for an argument with its value, shown as
            `height = 241` or `--height 241`; if its value is `...`, the name is shown alone.
        values: the arguments' values by their names in Python.
    """

    def __init__(self, text: str, **values: object) -> None:
        self._text, self._values = text, values
        super().__init__(self._said(str, " = ", repr))

    def with_options(self, options: Mapping[str, str]) -> str:
        """Return the message with the names of a command's options.

        Args:
            options: options by argument, where the name does not follow from the argument's.
        """
        return one_line(self._said(lambda name: options.get(name) or option_of(name), " ", str))

    def _said(
        self, named: Callable[[str], str], between: str, shown: Callable[[object], str]
    ) -> str:
        text = self._text
        for name, value in self._values.items():
            value_too = "" if value is ... else between + shown(value)
            text = text.replace(f"{{{name}}}", named(name) + value_too)
        return text


def option_of(argument: str) -> str:
    """Return the usual option of an argument: --pixel for `pixel_um`."""
    bare = re.sub(r"_(um|px|deg|C)$", "", argument)
    return f"--{bare.replace('_', '-')}"


class ResumeError(LineError):
    """A run cannot be resumed because its checkpoints are damaged; exit code 3, nothing changed."""


class SolveError(Exception):
    """The solve cannot continue; exit code 3, and everything computed so far is on disk.

    Args:
        reason: what happened, in an electrochemist's words.
        time_s: simulated time of the last accepted state, s.
        step_s: the time step that failed, s.
        voltage_V: cell voltage of the last accepted state, V.
    """

    def __init__(self, reason: str, *, time_s: float, step_s: float, voltage_V: float) -> None:
        reason = one_line(reason)
        super().__init__(
            f"at t = {time_s:.6g} s, V = {voltage_V:.5f} V, time step {step_s:.3g} s: {reason}"
        )
        self.reason = reason
        self.time_s = time_s
        self.step_s = step_s
        self.voltage_V = voltage_V

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, which sends the error to other ranks."""
        numbers = {"time_s": self.time_s, "step_s": self.step_s, "voltage_V": self.voltage_V}
        return partial(type(self), self.reason, **numbers), ()


class CompileError(LineError):
    """The equations cannot be compiled here; exit code 3, and the message states the remedy."""
