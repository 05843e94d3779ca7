"""The outcome of a run, derived from the exception that ended it."""

from __future__ import annotations

from heterode.base.errors import CompileError, InputError, ResumeError, SolveError
from heterode.base.signals import StoppedError
from heterode.results.manifest import Outcome, stopped_by
from heterode.results.storage import OutputError

LEFT = Outcome("stopped", "the loop over its steps was left")
"""The outcome of a run whose loop ended early."""


class UnfinishedError(OutputError):
    """A run came to its end, but its results cannot be completed."""


def outcome_of(error: BaseException) -> Outcome:
    """Return the outcome of a run that an exception ended."""
    if isinstance(error, StoppedError):
        return stopped_by(error.number)
    if isinstance(error, (SolveError, CompileError, UnfinishedError)):
        return Outcome("failed", str(error))
    if isinstance(error, OutputError):
        return Outcome("failed", f"the results cannot be written: {error}")
    if isinstance(error, (InputError, ResumeError)):
        return Outcome("failed", str(error))
    return Outcome("failed", " ".join(f"{type(error).__name__}: {error}".split()))
