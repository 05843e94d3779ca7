"""Warnings about requests that a protocol never reaches: second cycles and voltage stops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.protocol.records import Cutoff, Group, Item, Step

Bounded = tuple[Step, tuple[Cutoff, ...]]
"""A step, with its own cut-offs and those of the groups around it."""


def protocol_warnings(p: Parameters) -> Iterator[RunWarning]:
    """Yield warnings about conditioning without a second cycle and stops that no step reaches."""
    root = p.protocol.sequence
    if p.penalty.conditioning is not None and not _has_second_cycle(root):
        yield RunWarning(
            "conditioning_without_cycles",
            "penalty.conditioning changes penalties from the second cycle on, and the protocol has "
            "one cycle: it has no effect. Remove it, or repeat the protocol (protocol.repeat, or a "
            "charge behind a discharge)",
            key="penalty.conditioning",
        )
    lowest, highest = _reach(p)
    missed = [stop for stop in p.protocol.stops if not lowest <= stop <= highest]
    if missed:
        volts = ", ".join(f"{stop:g} V" for stop in missed)
        yield RunWarning(
            "stops_out_of_reach",
            f"no charge and no discharge of the protocol reaches {volts}: no table is written "
            "there. Change protocol.stops, or the ends of the steps (protocol.steps)",
            value=missed[0],
            unit="V",
            key="protocol.stops",
        )


def _has_second_cycle(root: Group) -> bool:
    """Check whether a second cycle may begin, by a further pass or a charge after a discharge."""
    if root.repeat != 1:
        return True
    kinds = [step.kind for step, _ in _walk(root.steps) if step.kind in ("charge", "discharge")]
    return ("discharge", "charge") in pairwise(kinds)


def _walk(items: Sequence[Item], around: tuple[Cutoff, ...] = ()) -> Iterator[Bounded]:
    """Yield every step in order; groups that repeat occur twice, since further passes are equal."""
    for item in items:
        if isinstance(item, Step):
            yield item, (*around, *item.cutoffs)
        else:
            for _ in range(1 if item.repeat == 1 else 2):
                yield from _walk(item.steps, (*around, *item.until))


def _reach(p: Parameters) -> tuple[float, float]:
    """Return the least and greatest voltage that charges and discharges can reach, V.

    Only a charge takes a cell above its start and the voltages at which it is held, up to the end
    of that charge; a rest reaches no new voltage. The reverse holds for discharges.
    """
    lowest = highest = p.active_material.initial_potential(p.temperature)
    for step, ends in _walk(p.protocol.sequence.steps):
        if step.voltage is not None:
            lowest, highest = min(lowest, step.voltage), max(highest, step.voltage)
        if step.kind in ("charge", "follow"):
            highest = max(highest, min(_volts(ends, "above", step.kind), default=math.inf))
        if step.kind in ("discharge", "follow"):
            lowest = min(lowest, max(_volts(ends, "below", step.kind), default=-math.inf))
    return lowest, highest


def _volts(ends: Sequence[Cutoff], side: str, kind: str) -> list[float]:
    """Return the voltages that end a step on one side."""
    # If a step only moves in one direction, its cut-offs have no side.
    sides = (side,) if kind == "follow" else ("", side)
    found = [c.value for c in ends if c.quantity == "voltage" and c.side in sides]
    return [value for value in found if isinstance(value, float)]
