"""Statistics of a sweep: medians with bands, sources of variance, and the importance of factors.

An L* that did not converge is a lower bound. In quantiles it counts as larger than every converged
one; a quantile that falls among such values is a lower bound itself. Means, variances and indices
cannot be formed from bounds. They use L* of independent marks instead (analytic, from the spread,
range and number density of the particles), which every run has, and the peak of the spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from heterode.sweep.design import Factor
from heterode.sweep.plan import SweepPlan

Floats = npt.NDArray[np.float64]

BAND = (0.16, 0.84)
"""Quantiles of the bands; for a normal distribution, one standard deviation to either side."""

SUMMARISED = (
    "L_star_um",
    "L_star_independent_um",
    "L_star_null_median_um",
    "correlation_length_um",
    "field_um",
    "peak_spread",
    "peak_lithium_fraction",
)
EXPLAINED = ("peak_spread", "L_star_independent_um")
"""Numbers whose variance is explained; every run has them."""

_SEEDS = ("packing_seed", "penalty_seed")


def completed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of complete runs."""
    return table[table["status"] == "completed"]


def summary(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the median and band of the measured numbers, over the runs that agree in some columns.

    Args:
        table: the table of `heterode.sweep.table.collect`.
        by: the columns to group by; without any the result has a single row.

    Returns:
        the columns `by`, runs, L_star_converged (the share of converged runs) and, for each of
            `SUMMARISED`, NAME, NAME_low, NAME_high and, for L* only, NAME_is_bound and
            NAME_high_is_bound.
    """
    rows = []
    done = completed(table)
    groups = done.groupby(list(by), sort=False, dropna=False) if by else [((), done)]
    for key, group in groups:
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {"runs": len(group)}
        for name in SUMMARISED:
            if name in group:
                row |= _quantiles(group, name)
        rows.append(row)
    return pd.DataFrame(rows)


def _quantiles(group: pd.DataFrame, name: str) -> dict[str, Any]:
    values = group[name].to_numpy(dtype=np.float64)
    bound = np.zeros(len(values), dtype=bool)
    found: dict[str, Any] = {}
    if name == "L_star_um":
        bound = (group["L_star_flag"] == "above").to_numpy()
        found["L_star_converged"] = float(np.mean(~bound))
    for ending, level in (("", 0.5), ("_low", BAND[0]), ("_high", BAND[1])):
        found[name + ending], is_bound = quantile(values, bound, level)
        if name == "L_star_um":
            found[f"{name}{ending}_is_bound"] = is_bound
    return found


def quantile(values: Floats, bound: npt.NDArray[np.bool_], level: float) -> tuple[float, bool]:
    """Return a quantile of values some of which are lower bounds, and whether it is a bound itself.

    Args:
        values: (N,), nan for missing values.
        bound: (N,) whether the value is a lower bound.
    """
    known = np.isfinite(values)
    values, bound = values[known], bound[known]
    if not values.size:
        return float("nan"), False
    place = np.quantile(np.where(bound, np.inf, values), level, method="higher")
    if np.isfinite(place):
        return float(np.quantile(np.where(bound, values.max(), values), level)), False
    # This is the smallest value that the quantile can have.
    return float(values[bound].min()), True


# -- where the variance comes from -------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Shares of the variance of a number over all runs of a crossed design.

    Attributes:
        outcome: the name of the number.
        shares: the share of the sum of squares by source; they add up to 1.
        freedom: the degrees of freedom by source.
        points, packings, penalties: how many of each were used.
        within: the share of the variance within a point, for "packing seed" and "penalty seed".
    """

    outcome: str
    shares: dict[str, float]
    freedom: dict[str, int]
    points: int
    packings: int
    penalties: int
    within: dict[str, float]


def variance_split(table: pd.DataFrame, plan: SweepPlan, outcome: str) -> Split | str:
    """Split a variance between parameters, packing seed, penalty seed and their interactions.

    This is an analysis of variance of the balanced design, in which each source has the sum of
    squares of its means. Points with missing runs are left out.

    Returns:
        the split, or the reason why there is none.
    """
    if plan.file.seeds.combine == "paired":
        return 'seeds that are "paired" change together: no telling which of them matters'
    cube = _cube(table, outcome)
    if cube is None:
        return "no point of the design has all its runs"
    points, packings, penalties = cube.shape
    if packings < 2 and penalties < 2:
        return "there is one seed of packing and one of penalty"
    mean, total = cube.mean(), float(np.sum((cube - cube.mean()) ** 2))
    if total <= 0.0:
        return "all runs are alike"
    squares: dict[str, float] = {}
    freedom: dict[str, int] = {}
    by_point = cube.mean(axis=(1, 2))
    squares |= _of_factors(table, plan, outcome, by_point - mean, packings * penalties, freedom)
    for name, axes, count in (
        ("packing seed", (0, 2), packings),
        ("penalty seed", (0, 1), penalties),
    ):
        squares[name] = cube.size / count * float(np.sum((cube.mean(axis=axes) - mean) ** 2))
        freedom[name] = count - 1
    squares["both seeds, and seeds with parameters"] = max(total - sum(squares.values()), 0.0)
    freedom["both seeds, and seeds with parameters"] = cube.size - 1 - sum(freedom.values())
    shares = {name: value / total for name, value in squares.items()}
    return Split(outcome, shares, freedom, points, packings, penalties, _within(cube))


def _within(cube: Floats) -> dict[str, float]:
    """Return the shares of the variance over the seeds within a point, for all points together."""
    away = cube - cube.mean(axis=(1, 2), keepdims=True)
    total = float(np.sum(away**2))
    if total <= 0.0:
        return {}
    packing = cube.shape[2] * float(np.sum(away.mean(axis=2) ** 2))
    penalty = cube.shape[1] * float(np.sum(away.mean(axis=1) ** 2))
    shares = {"packing seed": packing / total, "penalty seed": penalty / total}
    return shares | {"both together": max(1.0 - sum(shares.values()), 0.0)}


def _cube(table: pd.DataFrame, outcome: str) -> Floats | None:
    """Return an array (points, packings, penalties) for the points that have all their runs."""
    wide = _whole(table, outcome)
    if wide is None:
        return None
    counts = [wide.columns.get_level_values(name).nunique() for name in _SEEDS]
    return np.asarray(wide.to_numpy().reshape(len(wide), *counts), dtype=np.float64)


def _whole(table: pd.DataFrame, outcome: str) -> pd.DataFrame | None:
    """Return a table with a row for each point and a column for each pair of seeds."""
    if outcome not in table:
        return None
    done = table.assign(**{outcome: table[outcome].where(table["status"] == "completed")})
    # A control that is repeated with fewer seeds, of its own, is not part of the balanced design.
    runs = done.groupby("point")["point"].transform("size")
    done = done[runs == runs.max()]
    wide = done.pivot_table(outcome, "point", list(_SEEDS), sort=True, dropna=False)
    wide = wide.dropna(how="any")
    return wide if len(wide) else None


def _of_factors(
    table: pd.DataFrame,
    plan: SweepPlan,
    outcome: str,
    away: Floats,
    runs: int,
    freedom: dict[str, int],
) -> dict[str, float]:
    """Return the sums of squares of the parameters: of each in a full grid, and of what remains."""
    whole = _whole(table, outcome)
    assert whole is not None
    total = runs * float(np.sum(away**2))
    found: dict[str, float] = {}
    levels = table.drop_duplicates("point").set_index("point").loc[whole.index]
    counts = [len(levels[factor.column].unique()) for factor in plan.factors]
    if plan.file.design.kind == "grid" and np.prod(counts) == len(away):
        for factor in (f for f, count in zip(plan.factors, counts, strict=True) if count > 1):
            means = pd.Series(away, index=whole.index).groupby(levels[factor.column])
            found[factor.name] = runs * float((means.mean() ** 2 * means.size()).sum())
            freedom[factor.name] = means.ngroups - 1
    name = "parameters together" if found else "parameters"
    left = total - sum(found.values())
    if len(found) != 1 and len(away) > 1:
        found[name] = max(left, 0.0)
        freedom[name] = len(away) - 1 - sum(freedom.values())
    return found


# -- what matters ------------------------------------------------------------------------------


def indices(table: pd.DataFrame, plan: SweepPlan, *, resamples: int = 200) -> pd.DataFrame | str:
    """Return the Sobol' indices of a saltelli design, averaged over seeds.

    Returns:
        a row for each factor and number: outcome, factor, first_order, total_order, each with its
            95 % bootstrap interval (_low, _high); or the reason why there are none.
    """
    # SciPy's statistics take a second to load, and most designs do not use them.
    from scipy.stats import sobol_indices

    names = [factor.name for factor in plan.factors]
    rows = []
    for outcome in _measured(table):
        blocks = _blocks(table, outcome, names)
        if blocks is None:
            return "some runs are missing"
        functions = {
            "f_A": blocks["A"][None],
            "f_B": blocks["B"][None],
            "f_AB": np.stack([blocks[name] for name in names])[:, None],
        }
        found = sobol_indices(func=functions, n=len(blocks["A"]))
        spread = found.bootstrap(n_resamples=resamples)
        for place, name in enumerate(names):
            row: dict[str, Any] = {"outcome": outcome, "factor": name}
            for order in ("first_order", "total_order"):
                interval = getattr(spread, order).confidence_interval
                row[order] = float(np.ravel(getattr(found, order))[place])
                row[f"{order}_low"] = float(np.ravel(interval.low)[place])
                row[f"{order}_high"] = float(np.ravel(interval.high)[place])
            rows.append(row)
    return pd.DataFrame(rows) if rows else "no run is complete"


def _measured(table: pd.DataFrame) -> list[str]:
    """Return the columns to explain that some run has; runs with too few particles have no L*."""
    done = completed(table)
    return [name for name in EXPLAINED if name in done and done[name].notna().any()]


def _blocks(table: pd.DataFrame, outcome: str, names: Sequence[str]) -> dict[str, Floats] | None:
    values = table[outcome].where(table["status"] == "completed")
    means = values.groupby([table["block"], table["row"]]).mean()
    if means.isna().any():
        return None
    blocks = {name: means[name].sort_index().to_numpy() for name in ("A", "B", *names)}
    return {name: np.asarray(block, dtype=np.float64) for name, block in blocks.items()}


def regression(table: pd.DataFrame, plan: SweepPlan) -> pd.DataFrame | str:
    """Return standardised regression coefficients on the numeric factors, averaged over seeds.

    Factors that vary in the logarithm enter by their logarithm. A coefficient is the number of
    standard deviations by which the number changes for one standard deviation of the factor; R2 is
    the share of the variance that the linear model explains.

    Returns:
        outcome, factor, coefficient, r2; or the reason why there are none.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    factors = [factor for factor in plan.factors if factor.numeric]
    done = completed(table)
    if not factors:
        return "no factor is a number"
    rows = []
    for outcome in _measured(table):
        means = done.groupby("point")[[outcome, *(factor.column for factor in factors)]].mean()
        means = means.dropna()
        used = [factor for factor in factors if len(means[factor.column].unique()) > 1]
        if len(means) < len(used) + 2 or not used or means[outcome].std() == 0.0:
            return "too few points are complete"
        x = np.column_stack([_even(means[factor.column].to_numpy(), factor) for factor in used])
        y = means[outcome].to_numpy(dtype=np.float64)
        scaled, target = StandardScaler().fit_transform(x), (y - y.mean()) / y.std()
        model = LinearRegression().fit(scaled, target)
        r2 = float(model.score(scaled, target))
        for factor, coefficient in zip(used, model.coef_, strict=True):
            rows.append(
                {
                    "outcome": outcome,
                    "factor": factor.name,
                    "coefficient": float(coefficient),
                    "r2": r2,
                }
            )
    return pd.DataFrame(rows) if rows else "no run is complete"


def _even(values: Floats, factor: Factor) -> Floats:
    return np.log(values) if factor.log else values
