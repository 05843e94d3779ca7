"""Results of the estimators as plain numbers: dictionaries for JSON and pandas tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from heterode.heterogeneity.clusters import ClusterCurve
from heterode.heterogeneity.correlogram import BinnedStatistic, Correlogram
from heterode.heterogeneity.density import DensityMap
from heterode.heterogeneity.directional import GROUPS, DirectionalCorrelogram
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.heterogeneity.trend import Trend
from heterode.heterogeneity.variogram import VariogramFit

_QUANTILES = (0.025, 0.5, 0.975)


def jsonable(value: Any) -> Any:
    """Turn nested arrays into lists, NaN and infinity into None, NumPy's numbers into Python's."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def extent_key(dimension: int) -> str:
    """Return the key of an area or a volume."""
    return f"extent_um{dimension}"


def field_dict(field: MarkedPoints) -> dict[str, Any]:
    """Return the numbers of a field of view."""
    found = {
        "name": field.name,
        "particles": len(field),
        "dimension": field.dimension,
        "window_um": field.window_um,
        extent_key(field.dimension): field.extent,
        "spacing_um": field.spacing_um,
        "value_mean": field.value.mean(),
        "value_sd": field.value.std(ddof=1),
        "value_min": field.value.min(),
        "value_max": field.value.max(),
    }
    return {key: jsonable(item) for key, item in found.items()}


def correlogram_dict(found: Correlogram) -> dict[str, Any]:
    """Return all coefficients by name, and the numbers that they share."""
    shared = ("edges_um", "pairs", "distance_um", "bin_mean", "bin_sd", "kendall_pairs")
    plain = ("level", "min_pairs", "particles", "fields")
    numbers = {key: jsonable(getattr(found, key)) for key in shared + plain}
    numbers["chance"] = found.chance
    return numbers | {name: _statistic_dict(s) for name, s in found.statistics.items()}


def _statistic_dict(found: BinnedStatistic) -> dict[str, Any]:
    numbers = _statistic_columns(found) | {
        "p_value": found.p_value,
        "permutations": found.permutations,
        "note": found.note,
    }
    return {key: jsonable(item) for key, item in numbers.items()}


def _statistic_columns(found: BinnedStatistic) -> dict[str, Floats]:
    return {
        "value": found.value,
        "expected": found.expected,
        "sd": found.sd,
        "envelope_lower": found.envelope[0],
        "envelope_upper": found.envelope[1],
        "band_lower": found.band[0],
        "band_upper": found.band[1],
    }


def variogram_dict(found: VariogramFit, dimension: int) -> dict[str, Any]:
    """Return the fit and the curve to which it was made."""
    numbers = {
        "model": found.model,
        "nugget": found.nugget,
        "sill": found.sill,
        "structured": found.structured,
        "length_um": found.length_um,
        "length_error_um": found.length_error_um,
        "practical_um": found.practical_um,
        f"integral_um{dimension}": found.integral,
        "identified": found.identified,
        "reason": found.reason,
        "weighted_residual": found.weighted_residual,
        "blocks": found.blocks,
        "distance_um": found.distance_um,
        "gamma": found.gamma,
        "pairs": found.pairs,
    }
    return {key: jsonable(item) for key, item in numbers.items()}


def trend_dict(found: Trend) -> dict[str, Any]:
    """Return the trend, with its slope per micrometre."""
    numbers = asdict(found)
    slope = numbers.pop("slope")
    return {key: jsonable(item) for key, item in {"slope_per_um": slope, **numbers}.items()}


def directional_dict(found: DirectionalCorrelogram | None) -> dict[str, Any] | None:
    """Return the pairs along and across the coating."""
    return None if found is None else dict(jsonable(asdict(found)))


def directions_table(found: DirectionalCorrelogram | None) -> pd.DataFrame:
    """Return a row for each distance bin, with Moran's I along and across; empty without depth."""
    names = ("pairs", "moran", "envelope_lower", "envelope_upper", "band_lower", "band_upper")
    if found is None:
        both = [f"{group}_{name}" for group in GROUPS for name in names]
        return pd.DataFrame(columns=["lower_um", "upper_um", *both])
    columns: dict[str, Any] = {"lower_um": found.edges_um[:-1], "upper_um": found.edges_um[1:]}
    for group, of in ((name, getattr(found, name)) for name in GROUPS):
        values = (of.pairs, of.moran, *of.envelope, *of.band)
        columns |= {f"{group}_{name}": v for name, v in zip(names, values, strict=True)}
    return pd.DataFrame(columns)


def curve_dict(found: ClusterCurve) -> dict[str, Any]:
    """Return the cluster curve, with quantiles of the permutations."""
    keys = (
        "clusters",
        "size_um",
        "particles_per_cluster",
        "cluster_means",
        "mean",
        "sd",
        "mean_by_seed",
        "sd_by_seed",
        "global_mean",
        "value_sd",
        "value_range",
        "expected_sd",
        "jackknife_mean",
        "jackknife_sd",
        "field_size_um",
        "field_mean",
        "field_sd",
        "field_global_mean",
        "weighted",
        "dimension",
        "particles",
        "fields",
    )
    numbers = {key: getattr(found, key) for key in keys}
    numbers[extent_key(found.dimension)] = found.extent
    numbers["null_permutations"] = len(found.null_sd)
    numbers |= {f"null_sd_{name}": column for name, column in _null_columns(found).items()}
    return {key: jsonable(item) for key, item in numbers.items()}


def _null_columns(found: ClusterCurve) -> dict[str, Floats]:
    """Return (S,) quantiles of the standard deviation over clusters under permuted marks."""
    if len(found.null_sd):
        columns = np.quantile(found.null_sd, _QUANTILES, axis=0)
    else:
        columns = np.full((3, found.size_um.size), np.nan)
    return dict(zip(("lower", "median", "upper"), columns, strict=True))


def density_dict(found: DensityMap) -> dict[str, Any]:
    """Return what was mapped, and the extremes of the local mean value with their places."""
    low = np.unravel_index(np.nanargmin(found.ratio), found.ratio.shape)
    high = np.unravel_index(np.nanargmax(found.ratio), found.ratio.shape)
    numbers = {
        "name": found.name,
        "bandwidth_um": found.bandwidth_um,
        "particles_averaged": found.averaged,
        "plane_um": found.plane_um,
        "axes": found.axes,
        "cells": [found.x_um.size, found.y_um.size],
        "local_mean_min": found.ratio[low],
        "local_mean_min_at_um": [found.x_um[low[1]], found.y_um[low[0]]],
        "local_mean_max": found.ratio[high],
        "local_mean_max_at_um": [found.x_um[high[1]], found.y_um[high[0]]],
    }
    return {key: jsonable(item) for key, item in numbers.items()}


def correlogram_table(found: Correlogram) -> pd.DataFrame:
    """Return a row for each distance bin, with columns NAME, NAME_expected and so on."""
    columns: dict[str, Any] = {
        "lower_um": found.edges_um[:-1],
        "upper_um": found.edges_um[1:],
        "distance_um": found.distance_um,
        "pairs": found.pairs,
        "kendall_pairs": found.kendall_pairs,
        "bin_mean": found.bin_mean,
        "bin_sd": found.bin_sd,
    }
    for name, statistic in found.statistics.items():
        for key, column in _statistic_columns(statistic).items():
            columns[name if key == "value" else f"{name}_{key}"] = column
    return pd.DataFrame(columns)


def variogram_table(found: VariogramFit) -> pd.DataFrame:
    """Return a row for each bin of the fit."""
    return pd.DataFrame(
        {
            "distance_um": found.distance_um,
            "pairs": found.pairs,
            "gamma": found.gamma,
            "fitted": found(found.distance_um),
        }
    )


def clusters_table(found: ClusterCurve) -> pd.DataFrame:
    """Return a row for each cluster size."""
    columns: dict[str, Any] = {
        "clusters": found.clusters,
        "size_um": found.size_um,
        "particles_per_cluster": found.particles_per_cluster,
        "mean": found.mean,
        "sd": found.sd,
        "expected_sd": found.expected_sd,
    }
    columns |= {f"null_sd_{name}": column for name, column in _null_columns(found).items()}
    return pd.DataFrame(columns)


def cluster_means_table(found: ClusterCurve) -> pd.DataFrame:
    """Return a row for each cluster of every size, for the first k-means seed."""
    return pd.DataFrame(
        {
            "size_um": np.repeat(found.size_um, found.clusters),
            "clusters": np.repeat(found.clusters, found.clusters),
            "mean": np.concatenate(found.cluster_means),
        }
    )
