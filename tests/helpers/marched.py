"""Protocols marched on five discs in this process, time step by time step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from helpers.cells import cell
from heterode.solver.model import CellModel
from heterode.solver.time.march import Marched, march

PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)


class Run(NamedTuple):
    """Accepted time steps of a protocol, and what held the past after each."""

    steps: list[Marched]
    model: CellModel
    past: list[int]

    def of(self, step: int) -> list[Marched]:
        return [marched for marched in self.steps if marched.protocol_step == step]

    @property
    def ends(self) -> list[Marched]:
        return [marched for marched in self.steps if marched.ended_by]


def run(*steps: str, overrides: Sequence[str] = ()) -> Run:
    """March texts, or groups as TOML writes them."""
    listed = ", ".join(step if step.startswith("{") else f'"{step}"' for step in steps)
    model = cell("five_discs_2d", (f"protocol.steps=[{listed}]", *overrides), PENALTY)
    stepper = model.stepper(model.start())
    protocol = model.parameters.protocol
    found, past = [], []
    for marched in march(stepper, protocol.sequence, model.pace, stops=protocol.stops):
        found.append(marched)
        past.append(len(stepper.memory.past))
    return Run(found, model, past)
