"""The order of steps, with repeats and groups that are never expanded in full.

A place is the path to a step from the outermost sequence inwards: at each level it has the index of
the item and the number of passes of that level that are complete. The empty place is the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heterode.protocol.records import Cutoff, Group, Item, Step

Place = tuple[tuple[int, int], ...]

END: Place = ()

MOST_PASSES = 10_000
"""Passes of a group that repeats until something happens, after which this counts as never."""


@dataclass(frozen=True)
class Task:
    """A step at its place.

    Attributes:
        step: the step.
        place: the place of the step.
        endings: cut-offs of the groups around the step that it may meet, each with the level of the
            group that it ends.
    """

    step: Step
    place: Place
    endings: tuple[tuple[Cutoff, int], ...]


def whole(protocol: Group | Sequence[Item]) -> Group:
    """Return a list of items as a sequence that runs once."""
    return protocol if isinstance(protocol, Group) else Group(tuple(protocol))


def first_place(root: Group) -> Place:
    """Return the place of the first step."""
    return _opened(root, ((0, 0),))


def task_at(root: Group, place: Place) -> Task:
    """Return the step at a place."""
    levels = _levels(root, place)
    item = levels[-1].steps[place[-1][0]]
    assert isinstance(item, Step)
    endings = [
        (cutoff, level)
        for level, group in enumerate(levels)
        for cutoff in group.until
        if cutoff.side or item.kind in ("charge", "discharge")
    ]
    return Task(item, place, tuple(endings))


def following(root: Group, place: Place, leaving: int | None = None) -> Place:
    """Return the place after a step, or after the group at a level; `END` if nothing is left."""
    if leaving is not None:
        place = place[:leaving]
    while place:
        group = _levels(root, place)[-1]
        index, passed = place[-1]
        if index + 1 < len(group.steps):
            return _opened(root, (*place[:-1], (index + 1, passed)))
        if group.repeat is None or passed + 1 < group.repeat:
            return _opened(root, (*place[:-1], (0, passed + 1)))
        place = place[:-1]
    return END


def open_passes(root: Group, place: Place) -> int:
    """Return the largest number of complete passes of a group without a number of repetitions."""
    levels = _levels(root, place)
    pairs = zip(levels, place, strict=True)
    return max((passed for group, (_, passed) in pairs if group.repeat is None), default=0)


def group_at(root: Group, place: Place, level: int) -> Group:
    """Return the group at a level around a place; level 0 is the outermost."""
    return _levels(root, place)[level]


def is_inside(place: Place, outside: Place, level: int) -> bool:
    """Check whether a place lies in the group at a level that contains the place `outside`."""
    return len(place) > level and place[:level] == outside


def counted(group: Group) -> bool:
    """Check whether the group and all groups in it have a number of repetitions."""
    inner = [item for item in group.steps if isinstance(item, Group)]
    return group.repeat is not None and all(counted(item) for item in inner)


def passed_idly(root: Group, place: Place, then: Place, moved: Place | None) -> int | None:
    """Return the level of a group if a whole pass of it has just ended without a time step.

    Args:
        root: the protocol.
        place: place of the step that just ended.
        then: place of the step that comes after it.
        moved: place of the step that took the last time step; None before any.

    Returns:
        The level, or None if no new pass begins or the last pass had a time step.
    """
    for level, (_, passed) in enumerate(place):
        if is_inside(then, place[:level], level) and then[level][1] > passed:
            within = moved is not None and is_inside(moved, place[:level], level)
            idle = not within or (moved is not None and moved[level][1] != passed)
            return level if idle else None
    return None


def _levels(root: Group, place: Place) -> list[Group]:
    """Return the groups around a place, outermost first."""
    levels = [root]
    for index, _ in place[:-1]:
        inner = levels[-1].steps[index]
        assert isinstance(inner, Group)
        levels.append(inner)
    return levels


def _opened(root: Group, place: Place) -> Place:
    """Return the place of the first step of the item at a place."""
    while isinstance(_levels(root, place)[-1].steps[place[-1][0]], Group):
        place = (*place, (0, 0))
    return place


# How far along ---------------------------------------------------------------------------------


def length(item: Item) -> int:
    """Return the number of steps in an item; a group without a number of passes counts as 1."""
    if isinstance(item, Step):
        return 1
    once = sum(length(inner) for inner in item.steps)
    return 1 if item.repeat is None else item.repeat * once


def unit_at(root: Group, place: Place) -> tuple[Item, Place, float, float]:
    """Find the step at a place, or the outermost group around it whose end depends on the cell.

    Returns:
        The item, its place, the share of the protocol before it, and its own share.
    """
    group, before, share = root, 0.0, 1.0
    for level, (index, passed) in enumerate(place):
        assert group.repeat is not None
        once = sum(length(item) for item in group.steps)
        share /= group.repeat * once
        item = group.steps[index]
        before += share * (passed * once + sum(length(inner) for inner in group.steps[:index]))
        share *= length(item)
        if isinstance(item, Step) or item.repeat is None:
            return item, place[: level + 1], before, share
        group = item
    raise ValueError("no step stands at that place")
