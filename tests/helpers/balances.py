"""Balances of lithium, charge and salt over a protocol, whole or with one flux spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from helpers.cells import cell, run
from heterode.solver.equations.system import CellSystem
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.state import State

Spoil = Callable[[CellSystem], None]
PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)


def balances(
    protocol: str, *overrides: str, spoil: Spoil | None = None
) -> tuple[dict[str, float], list[tuple[float, dict[str, float]]]]:
    """Largest relative errors of five discs over a protocol, and how they grew with time, s."""
    model = cell("five_discs_2d", (protocol, *overrides), PENALTY)
    if spoil is not None:
        spoil(model.system)
    grown: list[tuple[float, dict[str, float]]] = []

    def observe(state: State, so_far: Conservation) -> None:
        grown.append((state.time, so_far.as_dict()))

    return run(model, observe)[1].as_dict(), grown


def hundredth_more_salt(system: CellSystem) -> None:
    """A hundredth more salt through the particles' surfaces."""
    term = system.surfaces["interface"]
    factors = dict(term.factors) | {"y": 1.01 * term.factors["y"]}
    system.surfaces["interface"] = replace(term, factors=factors)


def thousandth_less_lithium(system: CellSystem) -> None:
    """A thousandth of the lithium does not leave the particles."""
    term = system.surfaces["interface"]
    factors = dict(term.factors) | {"s": 0.999}
    system.surfaces["interface"] = replace(term, factors=factors)
