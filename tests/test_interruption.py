"""Signals that ask a run to end: one is noted, its echo is not a second one."""

from __future__ import annotations

import signal

import pytest
from mpi4py import MPI

from heterode.base import signals
from heterode.base.interruption import Interruption


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_delivered_twice_is_one(number: int) -> None:
    with Interruption(MPI.COMM_SELF) as noted:
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert noted.agreed() == number


def test_a_second_interrupt_has_its_usual_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "ECHO_S", 0.0)
    with Interruption(MPI.COMM_SELF) as noted:
        signal.raise_signal(signal.SIGINT)
        assert noted.agreed() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_later_request_of_the_batch_system_kills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "ECHO_S", 0.0)
    with Interruption(MPI.COMM_SELF) as noted:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        assert noted.agreed() == signal.SIGUSR1
