"""The ways a command can fail: exit code 2 for wrong input, 3 for all that comes later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

LONGEST_LINE = 560
"""Characters of a message: file names and values in it can be of any length."""


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """A text as one printable line of bounded length, whatever a file name or a value brought.

    White space, line ends among it, becomes single spaces; what cannot be printed (control
    characters, terminal escapes, undecodable bytes, marks that reverse the writing) becomes "?".
    A long text is cut in its middle, since the remedy stands at its end.
    """
    # What is far too long is cut first: a value of megabytes need not be looked at as a whole.
    words = " ".join(_cut(text, 8 * longest).split())
    return _cut("".join(c if c.isprintable() else "?" for c in words), longest)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    head = longest // 2
    return f"{text[:head]} ... {text[-(longest - head - 5) :]}"


class LineError(Exception):
    """An error whose message is one printable line, see `one_line`."""

    longest = LONGEST_LINE

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message), self.longest))


class InputError(LineError):
    """The user's input is wrong: exit code 2 and one line on stderr.

    The message names file, key, value, what is allowed and the remedy.
    """


class MistakesError(InputError):
    """An input file has mistakes: the message names all of them, so it may be longer."""

    longest = 4 * LONGEST_LINE


class ArgumentError(InputError):
    """An argument is wrong. Python reads its name, and a user of a command that of the option.

    Args:
        text: the message; `{height}` stands for the argument with its value, as `height = 241` and
            `--height 241`, and `{flat}` for the name alone where no value is given.
        values: of the arguments, by their names in Python; `...` for the name alone.
    """

    def __init__(self, text: str, **values: object) -> None:
        self._text, self._values = text, values
        super().__init__(self._said(str, " = ", repr))

    def with_options(self, options: Mapping[str, str]) -> str:
        """The message for a command.

        Args:
            options: names of options that are not made of the argument's.
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
    """The option that an argument usually has: `pixel_um` is --pixel."""
    bare = re.sub(r"_(um|px|deg|C)$", "", argument)
    return f"--{bare.replace('_', '-')}"


class ResumeError(LineError):
    """A run cannot be gone on with (its checkpoints are damaged): exit code 3, nothing changed."""


class SolveError(Exception):
    """The solve cannot go on: exit code 3; everything computed so far is on disk.

    Args:
        reason: what happened, in words an electrochemist would use.
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
        """How it is sent to other ranks."""
        numbers = {"time_s": self.time_s, "step_s": self.step_s, "voltage_V": self.voltage_V}
        return partial(type(self), self.reason, **numbers), ()


class CompileError(LineError):
    """The equations cannot be compiled on this machine: exit code 3. The message has the remedy."""
