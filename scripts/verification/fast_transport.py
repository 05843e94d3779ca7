"""With fast transport, the spread of the lithium fraction equals that of separate particles."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from helpers import lumped
from helpers.cells import NO_TRANSPORT_LOSS, cell, run
from verification.claim import Claim, Curve, Outcome, Plot, at_most

Floats = npt.NDArray[np.float64]

PENALTY = (0.05, 0.9, 0.3, 0.6, 0.15)
RATE_CONSTANT = 2e-11
START = 0.985
SIGNIFICANT = 0.1
"""Spreads below this share of the largest are left out, since their relative errors mean little."""


@lru_cache(maxsize=2)
def simulated(*damages: str) -> tuple[lumped.Particles, float, float, Floats]:
    """Return the particles, the current (A), the duration (s), and mean and spread, (M, 2)."""
    model = cell(
        "five_discs_2d",
        (
            *NO_TRANSPORT_LOSS,
            f'active_material.rate_constant="{RATE_CONSTANT} m/s"',
            'active_material.diffusivity="1e-9 m^2/s"',
            f"active_material.initial_lithium_fraction={START}",
            'protocol.steps=["charge at C/10 until 4.5 V"]',
            *damages,
        ),
        PENALTY,
    )
    samples, _ = run(model)
    rows = [(s.lithium_fraction_mean, s.lithium_fraction_sd) for s in samples]
    table = model.mesh.particle_table
    particles = lumped.Particles(
        volume=np.asarray(table.volume_um3) * 1e-12,
        surface=np.asarray(table.surface_um2) * 1e-6,
        penalty=np.array(PENALTY),
        c_max=model.parameters.active_material.maximum_concentration,
        rate_constant=RATE_CONSTANT,
    )
    return particles, model.one_C / 10, samples[-1].time_s, np.array(rows)


def spread(
    *damages: str, penalty: tuple[float, ...] = PENALTY, surface_factor: float = 1.0
) -> Outcome:
    """Compare the spread over the mean between the simulation and the lumped model.

    Args:
        damages: settings of the simulator only.
        penalty: penalty factors of the lumped model only.
        surface_factor: factor on the surfaces of the lumped model only.
    """
    particles, current, seconds, found = simulated(*damages)
    other = lumped.Particles(
        particles.volume,
        surface_factor * particles.surface,
        np.array(penalty),
        particles.c_max,
        particles.rate_constant,
    )
    reference = lumped.charge(other, START, current, seconds)
    means, spreads = reference[::-1].T
    expected = np.interp(found[:, 0], means, spreads)
    large = expected > SIGNIFICANT * expected.max()
    error = float(np.max(np.abs(found[large, 1] / expected[large] - 1)))
    curves = (
        Curve("lumped model", means, spreads),
        Curve("simulator", found[:, 0], found[:, 1], line=False),
    )
    plot = Plot("mean lithium fraction", "standard deviation over particles", curves)
    return Outcome((at_most("largest relative difference of the spread", error, 0.02),), (plot,))


def claims() -> tuple[Claim, ...]:
    """Return the claim on the spread without transport limitation."""
    return (
        Claim(
            "lumped",
            "With fast transport the spread of lithium fraction is that of separate particles",
            spread,
            {
                "two particles' penalties exchanged": partial(
                    spread, penalty=(0.9, 0.05, 0.3, 0.6, 0.15)
                ),
                "surfaces 25 % larger": partial(spread, surface_factor=1.25),
            },
            quick=False,
        ),
    )
