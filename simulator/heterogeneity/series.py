r"""The same particles in several states: rates, lags, inactive ones, and persistence.

Of N particles with values x_i(s) in S states, in the order of time, for each interval between two
states:

    rate            r_i = (x_i(s) - x_i(s-1)) / (t(s) - t(s-1))
    relative rate   rho_i = r_i / mean r, which needs no times; 1 if all react alike
    inactive        rho_i < threshold (a tenth by default), so also those that go the other way
    lag             how much less than the mean a particle has changed since the first state, in the
                    direction of the mean; and the time that the mean is ahead of it
    persistence     Spearman's rank correlation of the values with those of the state before, with
                    those of the first state, and of the rates with those of the interval before

Means are by number. The share of inactive particles has two nulls, by permutations. In the first,
the later state's values belong to particles drawn at random: it is what one would see if particles
were not recognised. In the second, the inactive particles of each interval are drawn at random,
as many as there are: the share that is inactive in every interval so far is above it if the same
particles rest again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata, spearmanr

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.heterogeneity.marks import Floats

INACTIVE = 0.1
"""Relative rate below which a particle counts as inactive, unless another is chosen."""

FEWEST_COMMON = 5
"""Least number of particles that all states must share."""

_EQUAL = 1e-9  # of the largest value: values that differ by less have no ranks
_ROUNDING = 1e-12  # of the largest value: smaller changes of the mean are none


@dataclass(frozen=True, eq=False)
class State:
    """Particles at one moment.

    Attributes:
        name: name of the state in messages and tables.
        particle: (N,) identifiers, each once.
        value: (N,) values.
        time_h: time, h; NaN if unknown.
    """

    name: str
    particle: tuple[str, ...]
    value: Floats
    time_h: float = float("nan")

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for one in self.particle:
            if one in seen:
                raise InputError(
                    f"{self.name}: particle {one} is there twice. Give each particle one row in "
                    "each state"
                )
            seen.add(one)


@dataclass(frozen=True, eq=False)
class Series:
    """What was found for N particles in S states; the first interval belongs to the second state.

    Attributes:
        names: (S,) names of the states.
        particle: (N,) identifiers.
        missing: number of particles that some state lacks, and that are left out.
        time_h: (S,) times, h; NaN if unknown.
        value: (S, N) values.
        rate: (S-1, N) rate, h^-1; NaN without times.
        relative: (S-1, N) relative rate; NaN where the mean does not change.
        lag: (S, N) lag behind the mean in units of the value; NaN where the mean stands where it
            began.
        lag_h: (S, N) time that the mean is ahead, h; NaN without times, where the mean has turned,
            and where the particle is ahead of all that the mean did.
        inactive: (S-1, N) whether a particle is inactive.
        threshold: relative rate below which it is.
        share: (S-1,) share of inactive particles; NaN where the mean does not change.
        share_null: (3, S-1) 2.5, 50 and 97.5 % quantiles of that share for particles exchanged at
            random.
        resting: (S-1,) share of particles that are inactive in every interval so far.
        resting_null: (3, S-1) the same quantiles for inactive particles drawn at random.
        resting_p: (S-1,) p value of a share at least as large; NaN in the first interval.
        rank_before, rank_first: (S-1,) rank correlation with the state before, and the first one.
        rank_rates: (S-1,) rank correlation of the rates with those before; NaN in the first.
        rank_null: bound within which 95 % of rank correlations of unrelated values lie.
    """

    names: tuple[str, ...]
    particle: tuple[str, ...]
    missing: int
    time_h: Floats
    value: Floats
    rate: Floats
    relative: Floats
    lag: Floats
    lag_h: Floats
    inactive: npt.NDArray[np.bool_]
    threshold: float
    share: Floats
    share_null: Floats
    resting: Floats
    resting_null: Floats
    resting_p: Floats
    rank_before: Floats
    rank_first: Floats
    rank_rates: Floats
    rank_null: float

    @property
    def mean(self) -> Floats:
        """Mean value of each state, by number, (S,)."""
        return np.asarray(self.value.mean(axis=1))

    def particles(self) -> pd.DataFrame:
        """Return a row for each particle in each state, with units in the names of columns."""
        states, count = self.value.shape
        first = np.full((1, count), np.nan)
        inactive = np.where(np.isfinite(self.relative), self.inactive, np.nan)
        ranks = np.array([rankdata(row) for row in self.value])
        return pd.DataFrame(
            {
                "state": np.repeat(np.arange(states), count),
                "time_h": np.repeat(self.time_h, count),
                "particle": list(self.particle) * states,
                "value": self.value.ravel(),
                "rank": ((ranks - 0.5) / count).ravel(),
                "rate_per_h": np.vstack([first, self.rate]).ravel(),
                "relative_rate": np.vstack([first, self.relative]).ravel(),
                "inactive": np.vstack([first, inactive]).ravel(),
                "lag": self.lag.ravel(),
                "lag_h": self.lag_h.ravel(),
            }
        )

    def states(self) -> pd.DataFrame:
        """Return a row for each state; numbers of an interval stand in the row of its end."""
        of_intervals: dict[str, Floats] = {
            "rate_mean_per_h": self.rate.mean(axis=1),
            "relative_rate_sd": self.relative.std(axis=1, ddof=1),
            "share_inactive": self.share,
            "share_inactive_null_lower": self.share_null[0],
            "share_inactive_null_median": self.share_null[1],
            "share_inactive_null_upper": self.share_null[2],
            "share_inactive_so_far": self.resting,
            "share_inactive_so_far_null_lower": self.resting_null[0],
            "share_inactive_so_far_null_median": self.resting_null[1],
            "share_inactive_so_far_null_upper": self.resting_null[2],
            "share_inactive_so_far_p": self.resting_p,
            "rank_correlation_before": self.rank_before,
            "rank_correlation_first": self.rank_first,
            "rank_correlation_of_rates": self.rank_rates,
        }
        columns: dict[str, Any] = {
            "state": np.arange(len(self.names)),
            "name": list(self.names),
            "time_h": self.time_h,
            "particles": len(self.particle),
            "value_mean": self.mean,
            "value_sd": self.value.std(axis=1, ddof=1),
            "lag_sd": self.lag.std(axis=1, ddof=1),
        }
        columns |= {name: np.r_[np.nan, column] for name, column in of_intervals.items()}
        return pd.DataFrame(columns)


def analyse_series(
    states: Sequence[State],
    rng: np.random.Generator,
    *,
    inactive: float = INACTIVE,
    permutations: int = 199,
) -> Series:
    """Follow the particles that all states share.

    Args:
        states: two or more states in the order of time.
        rng: generator of the permutations.
        inactive: relative rate below which a particle is inactive.
        permutations: number of permutations for the shares' nulls; 0 for none.

    Raises:
        InputError: there are fewer than two states, their times do not rise or are known for some
            only, too few particles are in all of them, or the threshold is not within [0, 1).
    """
    if not 0.0 <= inactive < 1.0:
        raise InputError(f"inactive = {inactive:g} is outside [0, 1), a share of the mean rate.")
    if len(states) < 2:
        raise InputError(
            f"a series needs two states or more, and {counted(len(states), 'state', 'is')} given"
        )
    time_h = _rising([state.time_h for state in states], [state.name for state in states])
    particle, value, missing = _common(states)
    step = np.diff(value, axis=0)
    mean_step = step.mean(axis=1)
    still = np.abs(mean_step) <= _ROUNDING * np.abs(value).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(still[:, None], np.nan, step / mean_step[:, None])
    resting = (relative < inactive) & ~still[:, None]
    share = np.where(still, np.nan, resting.mean(axis=1))
    so_far = np.logical_and.accumulate(resting | still[:, None], axis=0).mean(axis=1)
    so_far = np.where(np.logical_and.accumulate(still), np.nan, so_far)
    exchanged, drawn = _nulls(value, resting, still, inactive, permutations, rng)
    quantiles = [2.5, 50.0, 97.5]
    p_value = (1 + (drawn >= so_far - _ROUNDING).sum(axis=0)) / (1 + len(drawn))
    moving = np.cumsum(~still)
    lag, lag_h = _lags(value, time_h)
    rates = step / np.diff(time_h)[:, None]
    nothing = np.full((3, len(step)), np.nan)
    return Series(
        names=tuple(state.name for state in states),
        particle=particle,
        missing=missing,
        time_h=time_h,
        value=value,
        rate=np.asarray(rates),
        relative=relative,
        lag=lag,
        lag_h=lag_h,
        inactive=resting,
        threshold=inactive,
        share=share,
        share_null=np.percentile(exchanged, quantiles, axis=0) if permutations else nothing,
        resting=so_far,
        resting_null=np.percentile(drawn, quantiles, axis=0) if permutations else nothing,
        # In the first interval that moves, any particles are as good as others.
        resting_p=np.where((moving > 1) & (permutations > 0), p_value, np.nan),
        rank_before=_ranks(value[:-1], value[1:]),
        rank_first=_ranks(np.broadcast_to(value[0], step.shape), value[1:]),
        rank_rates=np.r_[np.nan, _ranks(relative[:-1], relative[1:])],
        rank_null=1.96 / float(np.sqrt(len(particle) - 1)),
    )


def _rising(times: Sequence[float], names: Sequence[str]) -> Floats:
    known = np.isfinite(times)
    if not known.any():
        return np.asarray(times, dtype=np.float64)
    if not known.all():
        raise InputError(
            f"{names[int(np.flatnonzero(~known)[0])]}: has no time, and other states have one. "
            "Give all states a time, or none"
        )
    for before, after in zip(range(len(times) - 1), range(1, len(times)), strict=True):
        if times[after] <= times[before]:
            raise InputError(
                f"{names[after]}: its time, {times[after]:g} h, is not after that of "
                f"{names[before]}, {times[before]:g} h. Give the states in the order of time"
            )
    return np.asarray(times, dtype=np.float64)


def _common(states: Sequence[State]) -> tuple[tuple[str, ...], Floats, int]:
    """Return the particles of all states, their values (S, N), and how many others there are."""
    rows = [dict(zip(state.particle, state.value, strict=True)) for state in states]
    everywhere = [one for one in states[0].particle if all(one in row for row in rows)]
    missing = len({one for row in rows for one in row}) - len(everywhere)
    if len(everywhere) < FEWEST_COMMON:
        raise InputError(
            f"{states[0].name} to {states[-1].name}: {counted(len(everywhere), 'particle', 'is')} "
            f"in all {len(states)} states (allowed: {FEWEST_COMMON} or more). Name the same "
            "particles alike in all states, in the column 'particle'"
        )
    value = np.array([[row[one] for one in everywhere] for row in rows], dtype=np.float64)
    return tuple(everywhere), value, missing


def _lags(value: Floats, time_h: Floats) -> tuple[Floats, Floats]:
    mean = value.mean(axis=1)
    done, mean_done = value - value[0], mean - mean[0]
    sign = np.sign(mean_done)[:, None]
    lag = np.where(sign == 0.0, np.nan, sign * (mean_done[:, None] - done))
    lag[0] = 0.0
    behind = np.full(value.shape, np.nan)
    behind[0] = 0.0
    for s in range(1, len(value)):
        path = np.sign(mean_done[s]) * mean_done[: s + 1]
        if np.all(np.diff(path) > 0.0):
            own = np.sign(mean_done[s]) * done[s]
            ahead = own > path[-1]
            behind[s] = np.where(ahead, np.nan, time_h[s] - np.interp(own, path, time_h[: s + 1]))
    behind[~np.isfinite(time_h)] = np.nan
    return lag, behind


def _nulls(
    value: Floats,
    resting: npt.NDArray[np.bool_],
    still: npt.NDArray[np.bool_],
    inactive: float,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return (M, S-1) shares for exchanged particles, and resting shares for drawn ones."""
    exchanged = np.empty((permutations, len(resting)))
    drawn = np.empty((permutations, len(resting)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for m in range(permutations):
            others = rng.permuted(value[1:], axis=1) - value[:-1]
            low = others / others.mean(axis=1, keepdims=True) < inactive
            exchanged[m] = np.where(still, np.nan, low.mean(axis=1))
            marks = rng.permuted(resting, axis=1) | still[:, None]
            drawn[m] = np.logical_and.accumulate(marks, axis=0).mean(axis=1)
    return exchanged, drawn


def _ranks(first: Floats, second: Floats) -> Floats:
    """Return the rank correlation of each pair of rows; NaN where values are equal or unknown."""
    found = np.full(len(first), np.nan)
    for s, pair in enumerate(zip(first, second, strict=True)):
        if all(np.ptp(row) > _EQUAL * np.abs(row).max() for row in pair):
            found[s] = spearmanr(*pair)[0]
    return found
