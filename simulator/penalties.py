"""The particles' penalty factors of a run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import InputError
from simulator.parameters import Parameters
from simulator.parameters.tables import read_penalty_table
from simulator.physics.penalty import draw_weibull


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
    assert penalty.shape is not None
    assert penalty.scale is not None
    rng = np.random.default_rng(parameters.seeds.penalty)
    return draw_weibull(
        count,
        rng,
        shape=penalty.shape,
        scale=penalty.scale,
        minimum=penalty.minimum,
        restriction=penalty.restriction,
    )
