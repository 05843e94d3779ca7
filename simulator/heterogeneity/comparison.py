"""Two or more samples side by side: by the ranks of their values first, then by the values.

An optical intensity follows the lithium fraction monotonically at best, so ranks are what both
have in common. Each particle's value is replaced by its normalised midrank (r - 1/2) / N over all
fields of its sample: every sample then has the same distribution, and what differs is the pattern.
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
from heterode.heterogeneity.marks import Floats, MarkedPoints


@dataclass(frozen=True)
class ComparedDataset:
    """One of the samples compared.

    Attributes:
        name: as figures and tables show it.
        values: its statistics.
        ranks: the same of its normalised midranks.
    """

    name: str
    values: Heterogeneity
    ranks: Heterogeneity


def normalised_ranks(fields: Sequence[MarkedPoints]) -> list[MarkedPoints]:
    """The fields with midranks (r - 1/2) / N over all of them in place of the values."""
    pooled = np.concatenate([field.value for field in fields])
    ranks = (rankdata(pooled) - 0.5) / len(pooled)
    ends = np.cumsum([len(field) for field in fields])[:-1]
    parts = np.split(ranks, ends)
    return [field.with_values(part) for field, part in zip(fields, parts, strict=True)]


def comparable(dimensions: Sequence[int], names: Sequence[str]) -> None:
    """Refuse samples whose sizes mean different things.

    Args:
        dimensions: 2 or 3, of each sample.
        names: of the samples.

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
        values: statistics of each sample.
        names: of the samples.
        settings: as for the values; a fixed range of values does not hold for ranks.
        seed: of the clusters and permutations.

    Raises:
        InputError: some are 2D and others 3D.
    """
    comparable([result.curve.dimension for result in values], names)
    plain = replace(settings, value_range=None)
    samples = []
    for name, result in zip(names, values, strict=True):
        rng = np.random.default_rng(seed)
        ranks = analyse(normalised_ranks(result.fields), plain, rng)
        samples.append(ComparedDataset(name, result, ranks))
    return samples


def excursion(result: Heterogeneity) -> Floats:
    """(S,) how far mean and bar of the cluster curve reach from the global mean, in the range.

    L* is where this falls below the half-width of the band for good.
    """
    curve, scale = result.curve, result.scale
    reach = np.abs(curve.mean - curve.global_mean) + curve.sd
    return np.asarray(reach / scale.value_range)


def agreement(samples: Sequence[ComparedDataset]) -> list[dict[str, Any]]:
    """Numbers for each pair of neighbours in the list, and the first with the last.

    Returns:
        dicts with the names, the root-mean-square difference of the rank correlations over the
        distance bins both have, and L* of each by ranks and by values with their difference in
        units of its standard error (None where one is not converged).
    """
    pairs = list(pairwise(samples))
    if len(samples) > 2:
        pairs.append((samples[0], samples[-1]))
    return [
        {
            "samples": [a.name, b.name],
            "spearman_rms_difference": _difference(a.values, b.values, "spearman"),
            "kendall_rms_difference": _difference(a.values, b.values, "kendall"),
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


def _scales(a: Heterogeneity, b: Heterogeneity) -> dict[str, Any]:
    first, second = a.scale, b.scale
    error = float(np.hypot(first.error_um, second.error_um))
    read = first.flag == second.flag == "ok" and np.isfinite(error) and error > 0.0
    return {
        "scale_um": [first.scale_um, second.scale_um],
        "flag": [first.flag, second.flag],
        "error_um": [first.error_um, second.error_um],
        "difference_in_errors": (first.scale_um - second.scale_um) / error if read else None,
    }


def comparison_table(samples: Sequence[ComparedDataset]) -> pd.DataFrame:
    """Every curve compared, in long form: sample, view, curve, x, unit of x, y, error of y."""
    parts = []
    for sample in samples:
        for view, result in (("ranks", sample.ranks), ("values", sample.values)):
            found, curve = result.correlogram, result.curve
            for name in ("spearman", "kendall", "pearson", "moran"):
                statistic = found.statistics[name]
                parts.append(
                    _part(sample.name, view, name, found.distance_um, statistic.value, statistic.sd)
                )
            size = curve.size_um
            parts.append(_part(sample.name, view, "cluster_mean", size, curve.mean, curve.sd))
            reach, none = excursion(result), np.full(len(size), np.nan)
            parts.append(_part(sample.name, view, "cluster_excursion", size, reach, none))
    return pd.concat(parts, ignore_index=True)


def _part(
    sample: str, view: str, curve: str, x_um: Floats, y: Floats, error: Floats
) -> pd.DataFrame:
    return pd.DataFrame(
        {"sample": sample, "view": view, "curve": curve, "x_um": x_um, "y": y, "sd": error}
    )
