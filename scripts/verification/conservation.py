"""Balances of lithium, charge and salt over a full cycle, from voltage to voltage and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from helpers.cells import cell, run
from heterode.solver.equations.system import CellSystem
from heterode.solver.time.conservation import Balances
from heterode.solver.time.stepper import State
from verification.claim import Claim, Curve, Outcome, Plot, at_most

Spoil = Callable[[CellSystem], None]

PENALTY = (0.1, 0.9, 0.3, 0.6, 0.2)
CYCLE = (
    'protocol.steps=["charge at C/2 until 4.5 V", "rest for 10 min", '
    '"discharge at C/2 until 2.8 V", "rest for 10 min"]'
)


def balances(
    protocol: str, *overrides: str, spoil: Spoil | None = None
) -> tuple[dict[str, float], list[tuple[float, dict[str, float]]]]:
    """Largest relative errors of five discs over a protocol, and how they grew with time, s."""
    model = cell("five_discs_2d", (protocol, *overrides), PENALTY)
    if spoil is not None:
        spoil(model.system)
    grown: list[tuple[float, dict[str, float]]] = []

    def observe(state: State, so_far: Balances) -> None:
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


def full_cycle(spoil: Spoil | None = None) -> Outcome:
    """Charge to 4.5 V, rest, discharge to 2.8 V, rest."""
    largest, grown = balances(CYCLE, spoil=spoil)
    figures = tuple(
        at_most(f"{name}: largest relative error", value, 1e-9) for name, value in largest.items()
    )
    hours = [time / 3600 for time, _ in grown]
    curves = tuple(
        Curve(name, hours, [max(so_far[name], 1e-17) for _, so_far in grown]) for name in largest
    )
    plot = Plot("time, h", "largest relative error so far", curves, logarithmic=True)
    return Outcome(figures, (plot,))


def claims() -> tuple[Claim, ...]:
    """Conservation over a cycle."""
    return (
        Claim(
            "balances",
            "Lithium, charge and salt are conserved over a full cycle",
            full_cycle,
            {
                "1 % more salt through the surface": partial(full_cycle, hundredth_more_salt),
                "0.1 % less lithium through the surface": partial(
                    full_cycle, thousandth_less_lithium
                ),
            },
            quick=False,
        ),
    )
