"""The order of a protocol's steps: groups, repeats, and the share of it that is done."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from heterode.protocol import Group, parse_item
from heterode.protocol.sequence import (
    END,
    first_place,
    following,
    length,
    open_passes,
    task_at,
    unit_at,
    whole,
)
from heterode.solver.time.march import Position

UP, DOWN, REST = (
    parse_item(text)
    for text in ("charge at C/2 until 4.2 V", "discharge at C/2 until 3.5 V", "rest for 1 h")
)
GITT = parse_item("gitt: charge at C/20 for 10 min, rest for 1 h, until 4.5 V")


def names(root: Group) -> list[str]:
    """Kinds of the steps in the order in which they run."""
    found, place = [], first_place(root)
    while place:
        found.append(task_at(root, place).step.kind[0])
        place = following(root, place)
    return found


@pytest.mark.parametrize(
    ("root", "order"),
    [
        (whole([UP, DOWN]), "cd"),
        (Group((UP, DOWN), 3), "cdcdcd"),
        (whole([UP, Group((DOWN, REST), 2), UP]), "cdrdrc"),
        (Group((Group((UP, Group((REST,), 2)), 2), DOWN), 2), "crrcrrdcrrcrrd"),
        (whole([Group((REST, UP), 1)]), "rc"),
    ],
)
def test_order(root: Group, order: str) -> None:
    assert "".join(names(root)) == order
    assert length(root) == len(order)


def test_a_group_is_left_by_its_level_alone() -> None:
    root = whole([Group((GITT, REST), 2), DOWN])
    place = first_place(root)
    assert place == ((0, 0), (0, 0), (0, 0))
    for _ in range(7):
        place = following(root, place)
    assert place == ((0, 0), (0, 0), (1, 3))
    assert open_passes(root, place) == 3
    # Out of the pulses: on to the rest, and in the second pass to the first pulse again.
    left = following(root, place, leaving=2)
    assert left == ((0, 0), (1, 0))
    assert following(root, left) == ((0, 0), (0, 1), (0, 0))
    assert open_passes(root, following(root, left)) == 0
    # Out of the group around them, of which one pass was still to come.
    assert task_at(root, following(root, place, leaving=1)).step == DOWN
    assert following(root, following(root, place, leaving=1)) == END


def test_only_the_pulses_meet_the_end_of_a_titration() -> None:
    root = whole([GITT, UP])
    pulse = first_place(root)
    rest = following(root, pulse)
    assert task_at(root, pulse).endings == ((GITT.until[0], 1),)
    assert task_at(root, rest).endings == ()
    assert task_at(root, following(root, rest, leaving=1)).endings == ()
    sided = whole([Group((UP, DOWN), None, parse_item("follow a until below 3 V").cutoffs)])
    assert task_at(sided, ((0, 0), (1, 0))).endings[0][1] == 1


def test_shares_add_up() -> None:
    root = Group((UP, Group((DOWN, REST), 2), GITT), 2)
    place, before = first_place(root), []
    while place:
        unit, _, begin, share = unit_at(root, place)
        before.append((round(begin * 12, 9), round(share * 12, 9)))
        place = following(root, place, leaving=1 if unit is GITT else None)
    assert before == [(i, 1) for i in range(12)]


def test_a_position_survives_json() -> None:
    position = Position(7, 3.0, None, 1e-3, ((0, 2), (1, 0)), 2.5, 1, True)
    assert Position(**json.loads(json.dumps(asdict(position)))) == position
