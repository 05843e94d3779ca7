"""The particles' penalty factors of a run, and of each of its cycles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError
from simulator.parameters import Parameters
from simulator.parameters.tables import read_penalty_table
from simulator.physics.penalty import conditioned, draw_weibull


def penalty_factors(parameters: Parameters, count: int) -> npt.NDArray[np.float64]:
    """(N,) factors as the parameters ask for: drawn from their own seed, given, or all 1.

    Raises:
        InputError: a table for another number of particles.
    """
    penalty = parameters.penalty
    if penalty.distribution == "none":
        return np.ones(count)
    if penalty.distribution == "table":
        assert penalty.file is not None
        given = read_penalty_table(penalty.file)
        if given.size != count:
            raise InputError(
                f"{parameters.source_file}: penalty.file = {penalty.file} has {given.size} rows, "
                f"but the electrode has {count} particles (allowed: one row per particle). "
                "See particles.csv of a run, or `heterode mesh`, for their numbers."
            )
        return given
    return _draw(parameters, count, np.random.default_rng(parameters.seeds.penalty))


def factors_of_cycle(
    parameters: Parameters, first: npt.NDArray[np.float64], cycle: int
) -> npt.NDArray[np.float64]:
    """(N,) factors of a cycle, by the rule of [penalty.conditioning]; `first` without one.

    They depend on the cycle's number alone, not on the way there, so that a run that is resumed
    in the middle of a cycle finds the same.

    Args:
        parameters: of the run.
        first: (N,) factors of cycle 0, from `penalty_factors`.
        cycle: number of the cycle, from 0.
    """
    conditioning = parameters.penalty.conditioning
    if conditioning is None:
        return first

    def draw(number: int) -> npt.NDArray[np.float64]:
        # A stream of its own for every cycle.
        rng = np.random.default_rng([parameters.seeds.conditioning, number])
        return _draw(parameters, first.size, rng)

    return conditioned(
        first,
        cycle,
        conditioning.rule,
        fraction=conditioning.fraction,
        value=conditioning.value,
        draw=draw,
    )


def _draw(parameters: Parameters, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    penalty = parameters.penalty
    assert penalty.shape is not None
    assert penalty.scale is not None
    return draw_weibull(
        count,
        rng,
        shape=penalty.shape,
        scale=penalty.scale,
        minimum=penalty.minimum,
        restriction=penalty.restriction,
    )
