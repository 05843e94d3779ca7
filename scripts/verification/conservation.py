"""Balances of lithium, charge and salt over a full cycle between two voltage limits."""

from __future__ import annotations

from functools import partial

from helpers.balances import Spoil, balances, hundredth_more_salt, thousandth_less_lithium
from verification.claim import Claim, Curve, Outcome, Plot, at_most

CYCLE = (
    'protocol.steps=["charge at C/2 until 4.5 V", "rest for 10 min", '
    '"discharge at C/2 until 2.8 V", "rest for 10 min"]'
)


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
    """Return the claims on conservation over a cycle."""
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
