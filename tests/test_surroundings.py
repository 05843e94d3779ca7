"""What a parent process hands down does not reach the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from helpers.commands import environment
from helpers.paths import ROOT
from helpers.surroundings import settle, settle_environment

SHOW = """
import os, signal, sys, time
if sys.argv[1] == "settled":
    sys.path.insert(0, {tests!r})
    from helpers.surroundings import settle
    settle()
mask = os.umask(0)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,
      signal.getsignal(signal.SIGHUP) == signal.SIG_DFL,
      not signal.pthread_sigmask(signal.SIG_BLOCK, []), oct(mask), time.tzname[0],
      os.environ.get("LC_ALL"), os.environ.get("PYTHONIOENCODING"))
"""


def odd_surroundings() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.umask(0o077)


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("settled", "True True True 0o22 UTC C.UTF-8 None"),
        # The negative control: without it, all of that reaches a test.
        ("as it is", "False False False 0o77 CEST de_DE.UTF-8 ascii"),
    ],
)
def test_odd_surroundings_are_set_right(how: str, shown: str) -> None:
    odd = {"TZ": "CEST-2", "LC_ALL": "de_DE.UTF-8", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(tests=str(ROOT / "tests")), how],
        env=os.environ | odd,
        preexec_fn=odd_surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == shown


def test_here_they_are_settled() -> None:
    mask = os.umask(0o022)
    assert mask == 0o022
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    environment = dict(os.environ)
    settle_environment(environment)
    assert environment == dict(os.environ)
    settle()


def test_a_cache_of_ones_own_is_not_that_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETERODE_CACHE", "/callers")
    assert environment()["HETERODE_CACHE"] == "/callers"
    assert "HETERODE_CACHE" not in environment(XDG_CACHE_HOME="/own")
    assert environment(XDG_CACHE_HOME="/own", HETERODE_CACHE="/both")["HETERODE_CACHE"] == "/both"
