"""The particles' penalty factors in a run and in each of its cycles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.distributions.gaussian_field import MOST_POINTS, gaussian_field
from heterode.distributions.penalty_law import (
    RestrictedWeibull,
    conditioned,
    draw_weibull,
    field_length,
    probability,
)
from heterode.parameters import Parameters
from heterode.parameters.penalty import Penalty
from heterode.parameters.tables import read_penalty_table
from heterode.particles.table import ParticleTable

Floats = npt.NDArray[np.float64]


def penalty_factors(parameters: Parameters, particles: ParticleTable) -> Floats:
    """Return (N,) factors: drawn from their own seed, given in the parameters, or all 1.

    Args:
        parameters: parameters of the run.
        particles: table of N particles, whose penalties are ignored.

    Raises:
        InputError: a table is for another number of particles, or there are too many particles
            for correlated penalties.
    """
    penalty, count = parameters.penalty, len(particles)
    if penalty.distribution == "none":
        return np.ones(count)
    if penalty.distribution == "table":
        assert penalty.file is not None
        given = read_penalty_table(penalty.file)
        _require_rows(parameters, given.size, count)
        return given
    return _draw(parameters, particles, np.random.default_rng(parameters.seeds.penalty))


def check_penalty_table(parameters: Parameters, particles: int | None = None) -> None:
    """Refuse a table of penalties for another number of particles, if that is known.

    Args:
        parameters: parameters of the run.
        particles: number of particles in its mesh; None before there is a mesh.

    Raises:
        InputError: the table has more or fewer rows.
    """
    geometry, file = parameters.geometry, parameters.penalty.file
    # A particle that side walls cut counts as several.
    count = geometry.particles if particles is None and geometry.walls == "inside" else particles
    if file is not None and count is not None:
        _require_rows(parameters, read_penalty_table(file).size, count)


def _require_rows(parameters: Parameters, rows: int, count: int) -> None:
    if rows != count:
        raise InputError(
            f"{parameters.source_file}: penalty.file = {parameters.penalty.file} has "
            f"{counted(rows, 'row')}, "
            f"but the electrode has {counted(count, 'particle')} (allowed: one row per particle). "
            "See particles.csv of a run, or `heterode mesh`, for their numbers."
        )


def factors_of_cycle(parameters: Parameters, particles: ParticleTable, cycle: int) -> Floats:
    """Return (N,) factors of a cycle by the rule in [penalty.conditioning], if there is one.

    They depend on the cycle's number alone, not on the history, so that a run that is resumed in
    the middle of a cycle has the same factors.

    Args:
        parameters: parameters of the run.
        particles: table of N particles with the factors of cycle 0.
        cycle: number of the cycle, from 0.
    """
    first, conditioning = particles.penalty, parameters.penalty.conditioning
    if conditioning is None:
        return first

    def draw(number: int) -> Floats:
        # Every cycle has its own random stream.
        rng = np.random.default_rng([parameters.seeds.conditioning, number])
        return _draw(parameters, particles, rng)

    return conditioned(
        first,
        cycle,
        conditioning.rule,
        fraction=conditioning.fraction,
        value=conditioning.value,
        draw=draw,
    )


def penalty_law(penalty: Penalty) -> RestrictedWeibull:
    """Return the distribution that a [penalty] section with weibull describes."""
    assert penalty.shape is not None
    assert penalty.scale is not None
    return RestrictedWeibull(penalty.shape, penalty.scale, penalty.minimum, penalty.restriction)


def gaussian_length(penalty: Penalty) -> float:
    """Return the length of the Gaussian field under correlated penalties, m."""
    return field_length(penalty.correlation_length, penalty.correlation, penalty_law(penalty))


def _draw(parameters: Parameters, particles: ParticleTable, rng: np.random.Generator) -> Floats:
    penalty, law = parameters.penalty, penalty_law(parameters.penalty)
    if penalty.correlation_length == 0.0:
        return draw_weibull(len(particles), rng, law)
    if len(particles) > MOST_POINTS:
        raise InputError(
            f"{parameters.source_file}: penalty.correlation_length = "
            f"{penalty.correlation_length * 1e6:g} um correlates all pairs of particles, but the "
            f"electrode has {len(particles)} of them (allowed: up to {MOST_POINTS}). Take a "
            'smaller electrode, or give factors as penalty.distribution = "table".'
        )
    centres = np.column_stack([particles.x_um, particles.y_um, particles.z_um])
    z = gaussian_field(
        centres, rng, length=1e6 * gaussian_length(penalty), correlation=penalty.correlation
    )
    return law.factors(probability(z))
