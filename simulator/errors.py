"""The ways a command can fail: exit code 2 for wrong input, 3 for all that comes later."""

from __future__ import annotations


class InputError(Exception):
    """The user's input is wrong: exit code 2 and one line on stderr.

    The message names file, key, value, what is allowed and the remedy.
    """


class ResumeError(Exception):
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
        super().__init__(
            f"at t = {time_s:.6g} s, V = {voltage_V:.5f} V, time step {step_s:.3g} s: {reason}"
        )
        self.reason = reason
        self.time_s = time_s
        self.step_s = step_s
        self.voltage_V = voltage_V


class CompileError(Exception):
    """The equations cannot be compiled on this machine: exit code 3. The message has the remedy."""
