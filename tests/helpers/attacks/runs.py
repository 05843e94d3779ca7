"""The small runs that are attacked: five particles, all kinds of steps, a second or two each."""

from __future__ import annotations

from helpers.commands import short_run

PROTOCOL = (
    "charge at C/2 until 4.15 V",
    "hold at 4.15 V until C/5",
    "rest for 2 min",
    "discharge at C/2 for 2 min",
)
THINNED = {"output__fields_every": "7", "output__particles_every": "3"}


def arguments(**more: str) -> list[str]:
    """What follows `heterode`, without --out."""
    stops = {"protocol__stops": '["4.0 V"]'}
    return [*short_run(*PROTOCOL, **(THINNED | stops | more)), "--quiet"]
