"""Comparison of two or more data sets, first by the ranks of their values, then by the values.

An optical intensity follows the lithium fraction at best monotonically, so the two only have ranks
in common. Each particle's value is replaced by its normalised midrank (r - 1/2) / N over all fields
of its data set. Every data set then has the same distribution, and only the patterns differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from heterode.base.errors import InputError
from heterode.heterogeneity.analysis import Heterogeneity, Settings, analyse
from heterode.heterogeneity.equal_correlograms import equal_correlograms
from heterode.heterogeneity.equal_scales import equal_scales
from heterode.heterogeneity.export import jsonable
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.heterogeneity.value_range import range_error


@dataclass(frozen=True)
class ComparedDataset:
    """One of the data sets that are compared.

    Attributes:
        name: name in figures and tables.
        values: statistics of the values.
        ranks: statistics of the normalised midranks.
    """

    name: str
    values: Heterogeneity
    ranks: Heterogeneity


def normalised_ranks(fields: Sequence[MarkedPoints]) -> list[MarkedPoints]:
    """Return the fields with midranks (r - 1/2) / N over all of them instead of the values."""
    pooled = np.concatenate([field.value for field in fields])
    ranks = (rankdata(pooled) - 0.5) / len(pooled)
    ends = np.cumsum([len(field) for field in fields])[:-1]
    parts = np.split(ranks, ends)
    return [field.with_values(part) for field, part in zip(fields, parts, strict=True)]


def comparable(dimensions: Sequence[int], names: Sequence[str]) -> None:
    """Refuse data sets whose cluster sizes cannot be compared.

    Args:
        dimensions: number of dimensions of each data set, 2 or 3.
        names: names of the data sets.

    Raises:
        InputError: some are 2D and others 3D.
    """
    if len(set(dimensions)) > 1:
        solid, flat = names[dimensions.index(3)], names[dimensions.index(2)]
        raise InputError(
            f"{solid} is 3D, {flat} 2D: a simulation is compared with a section. "
            "Pass --sections 20 to cut it"
        )


def with_rank_statistics(
    values: Sequence[Heterogeneity], names: Sequence[str], settings: Settings, seed: int
) -> list[ComparedDataset]:
    """Add the statistics of the ranks to those of the values.

    Args:
        values: statistics of each data set.
        names: names of the data sets.
        settings: settings of the values' statistics; their fixed range is not used for ranks.
        seed: seed of the clusters and permutations.

    Raises:
        InputError: some are 2D and others 3D.
    """
    comparable([result.curve.dimension for result in values], names)
    # The fields of the results are without their trends, if these are to be removed.
    plain = replace(settings, value_range=None, robust=False, detrend="none", depth=None)
    datasets = []
    for name, result in zip(names, values, strict=True):
        rng = np.random.default_rng(seed)
        ranks = analyse(normalised_ranks(result.fields), plain, rng)
        datasets.append(ComparedDataset(name, result, ranks))
    return datasets


def excursion(result: Heterogeneity) -> Floats:
    """Return (S,) the distance of mean plus bar from the global mean, in units of the range.

    From L* on, it stays below the half-width of the band.
    """
    curve, scale = result.curve, result.scale
    reach = np.abs(curve.mean - curve.global_mean) + curve.sd
    return np.asarray(reach / scale.value_range)


def agreement(datasets: Sequence[ComparedDataset]) -> list[dict[str, Any]]:
    """Compare each data set with the next one, and the first with the last.

    Returns:
        Dictionaries with the names, the root-mean-square difference of the rank correlations over
        the common distance bins, and L* of each by ranks and by values, with the logarithm of
        their ratio in units of its standard error and the p value of equal scales (None where one
        is not converged), whether their intervals are apart, and the test of equal correlograms
        of the values.
    """
    pairs = list(pairwise(datasets))
    if len(datasets) > 2:
        pairs.append((datasets[0], datasets[-1]))
    return [
        {
            "samples": [a.name, b.name],
            "spearman_rms_difference": _difference(a.values, b.values, "spearman"),
            "kendall_rms_difference": _difference(a.values, b.values, "kendall"),
            "equal_correlogram": _equal(a.values, b.values),
            "scale_by_ranks": _scales(a.ranks, b.ranks),
            "scale_by_values": _scales(a.values, b.values),
        }
        for a, b in pairs
    ]


def _difference(a: Heterogeneity, b: Heterogeneity, name: str) -> float | None:
    first, second = a.correlogram, b.correlogram
    bins = min(len(first.pairs), len(second.pairs))
    if not np.allclose(first.edges_um[: bins + 1], second.edges_um[: bins + 1]):
        return None
    gap = first.statistics[name].value[:bins] - second.statistics[name].value[:bins]
    gap = gap[np.isfinite(gap)]
    return float(np.sqrt(np.mean(gap**2))) if gap.size else None


def _equal(a: Heterogeneity, b: Heterogeneity) -> dict[str, Any]:
    """Return the test of equal correlograms of the values, in the bins of the first."""
    found = equal_correlograms(
        a.fields, b.fields, a.correlogram.edges_um, min_pairs=a.settings.min_pairs
    )
    return {key: jsonable(getattr(found, key)) for key in ("upper_um", "t", "p_value")}


def _scales(a: Heterogeneity, b: Heterogeneity) -> dict[str, Any]:
    first, second = a.scale, b.scale
    found = equal_scales(first, second, (_range_error(a), _range_error(b)))
    return {
        "scale_um": [first.scale_um, second.scale_um],
        "flag": [first.flag, second.flag],
        "error_um": [first.error_um, second.error_um],
        "difference_in_errors": jsonable(found.z),
        "p_value": jsonable(found.p_value),
        "apart": found.apart,
    }


def _range_error(result: Heterogeneity) -> float:
    settings = result.settings
    if settings.value_range is not None:
        return 0.0
    values = np.concatenate([field.value for field in result.fields])
    return range_error(values, robust=settings.robust)


def comparison_table(datasets: Sequence[ComparedDataset]) -> pd.DataFrame:
    """Return every curve in long form, with columns sample, view, curve, x_um, y and sd."""
    parts = []
    for dataset in datasets:
        for view, result in (("ranks", dataset.ranks), ("values", dataset.values)):
            found, curve = result.correlogram, result.curve
            for name in ("spearman", "kendall", "pearson", "moran"):
                statistic = found.statistics[name]
                parts.append(
                    _part(
                        dataset.name, view, name, found.distance_um, statistic.value, statistic.sd
                    )
                )
            size = curve.size_um
            parts.append(_part(dataset.name, view, "cluster_mean", size, curve.mean, curve.sd))
            reach, none = excursion(result), np.full(len(size), np.nan)
            parts.append(_part(dataset.name, view, "cluster_excursion", size, reach, none))
    return pd.concat(parts, ignore_index=True)


def _part(
    dataset: str, view: str, curve: str, x_um: Floats, y: Floats, error: Floats
) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample": dataset, "view": view, "curve": curve, "x_um": x_um, "y": y, "sd": error}
    )
