"""The observers of a run as a group, called on rank 0; all ranks raise their exceptions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from heterode.base.errors import ArgumentError
from heterode.base.interruption import Interruption
from heterode.base.ranks import on_root, together
from heterode.parameters import Parameters
from heterode.runs.observer import Coming, Ending, Kept, Observer, Start, Step, Wants
from heterode.runs.outcomes import outcome_of
from heterode.runs.setting import Setting

LOG = logging.getLogger("heterode")
"""Receives the lines of runs that no observer shows."""


class ObserverGroup:
    """The observers of a run, in their order.

    Args:
        observers: the observers, the same on every rank.
        comm: the communicator.

    Raises:
        ArgumentError: one of them is not an `Observer`.
    """

    def __init__(self, observers: Sequence[Observer], comm: Any) -> None:
        for observer in observers:
            if not isinstance(observer, Observer):
                raise ArgumentError(
                    "{observers} holds something that is no observer. Let its class inherit from "
                    "heterode.Observer",
                    observers=observer,
                )
        self._observers, self._comm = tuple(observers), comm
        self._begun: list[Observer] = []
        self._heard = any(type(one).say is not Observer.say for one in observers)
        self._trouble: Exception | None = None

    def check(self, parameters: Parameters) -> None:
        """See `Observer.check`. Collective."""
        self._each(lambda observer: observer.check(parameters))

    def begin(self, setting: Setting) -> Kept | None:
        """See `Observer.begin`; returns what is kept, on rank 0 only. Collective."""

        def begin(observer: Observer) -> Kept | None:
            kept = observer.begin(setting)
            self._begun.append(observer)
            return kept

        kept = self._each(begin) or []
        return next((one for one in kept if one is not None), None)

    def start(self, start: Start) -> None:
        """See `Observer.start`. Collective."""
        self._each(lambda observer: observer.start(start))

    def agree(self, interruption: Interruption, coming: Coming) -> tuple[int, Wants]:
        """Return the signal that any rank has received, and what any observer wants. Collective."""
        wants, error = Wants(), None
        try:
            wants = reduce(lambda all_, one: all_ | one.wants(coming), self._observers, wants)
        except Exception as caught:
            error = caught
        signal, (fields, kept, failed) = interruption.agreed_with(
            wants.fields, wants.kept, error is not None
        )
        if failed:
            together(self._comm, lambda: _raised(error))
        return signal, Wants(fields, kept)

    def observe(self, step: Step) -> None:
        """See `Observer.observe`. Collective, in one exchange."""
        self._each(lambda observer: observer.observe(step))

    def say(self, line: str) -> None:
        """Show a line to the user, on rank 0; if no observer shows it, the line is logged."""
        if self._comm.rank != 0:
            return
        if not self._heard:
            level = logging.WARNING if line.startswith("warning: ") else logging.INFO
            LOG.log(level, "%s", line)
        for observer in self._observers:
            try:
                observer.say(line)
            except Exception as error:
                # The other ranks learn of this error at the next collective call.
                self._trouble = self._trouble or error

    def end(self, ending: Ending) -> None:
        """See `Observer.end`; the first error of an observer is raised on all ranks. Collective."""
        on_root(self._comm, lambda: self.end_here(ending))

    def end_here(self, ending: Ending) -> None:
        """Do the same as `end`, without communication with the other ranks."""
        if self._comm.rank != 0:
            return
        first: Exception | None = None
        while self._begun:
            observer = self._begun.pop()
            try:
                observer.end(ending)
            except Exception as error:
                first = first or error
                if ending.outcome.status != "failed":
                    # The observers that follow have to know of the failure.
                    ending = replace(ending, outcome=outcome_of(error))
        first = first or self._trouble
        if first is not None:
            raise first

    def _each(self, action: Callable[[Observer], Any]) -> list[Any] | None:
        def act() -> list[Any]:
            if self._trouble is not None:
                raise self._trouble
            return [action(observer) for observer in self._observers]

        return on_root(self._comm, act)


def _raised(error: Exception | None) -> None:
    if error is not None:
        raise error
