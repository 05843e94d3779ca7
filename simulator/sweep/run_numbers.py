"""The numbers that a run contributes to the table of its sweep, read from its results folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.base.errors import InputError
from heterode.heterogeneity import Heterogeneity, Settings, analyse
from heterode.points.run import RunParticles, WantedInstant, find_instant, read_run_particles
from heterode.reporting.request import Request, with_bins
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.manifest import read_manifest
from heterode.sweep.set_points import SetPoint, read_set_point
from heterode.sweep.validity import codes_of

Numbers = dict[str, Any]

_SEED = 1
"""Seed of k-means and permutations; all runs share it, so that only their particles differ."""


def numbers_of_run(
    path: Path, wanted: WantedInstant, settings: Settings, voltage_at: Sequence[str] = ()
) -> Numbers:
    """Return the cost, voltages, spread and heterogeneity of a complete run, by column.

    Args:
        path: the results folder.
        wanted: the moment at which heterogeneity is analysed.
        settings: the settings of the estimators.
        voltage_at: set points at which the voltage is reported; see `heterode.sweep.set_points`.

    Raises:
        InputError: the run's files are missing or damaged.
    """
    begin = time.perf_counter()
    folder = ResultsFolder(path)
    numbers = cost(read_manifest(folder.manifest))
    numbers |= voltages(read_history(path), [read_set_point(text) for text in voltage_at])
    run = read_run_particles(path)
    peak = find_instant(run, WantedInstant("spread"))
    numbers |= {
        "peak_spread": peak.lithium_fraction_sd,
        "peak_lithium_fraction": peak.lithium_fraction_mean,
        "peak_voltage_V": peak.voltage_V,
        "peak_at_end": peak.index == len(run.series.time_s) - 1,
    }
    try:
        numbers |= heterogeneity(run, wanted, settings)
    except InputError as error:
        # If there are too few particles or all are alike, the other numbers are still valid.
        numbers["remark"] = str(error)
    return numbers | {"measure_s": time.perf_counter() - begin}


def cost(manifest: Mapping[str, Any]) -> Numbers:
    """Return what a run cost, and how far its mesh and its time steps were off, by its manifest."""
    wall, accuracy = manifest["wall_s"], manifest.get("accuracy") or {}
    errors = ("voltage_space_error_V", "voltage_time_error_V")
    return {
        "particles": manifest["particles"],
        "unknowns": manifest["dofs"],
        "steps": manifest["steps"],
        "newton_iterations": manifest["newton_iterations"],
        "ranks": manifest["ranks"],
        "wall_s": float(sum(wall.values())),
        "mesh_s": wall.get("mesh"),
        "solve_s": wall.get("solve"),
        "memory_bytes": manifest["peak_memory_bytes"],
        "mesh_hash": manifest["mesh_hash"],
        **{name: (accuracy.get(name) or {}).get("largest") for name in errors},
        "warnings": codes_of(manifest.get("warnings") or []),
    }


def voltages(history: pd.DataFrame, points: Sequence[SetPoint]) -> Numbers:
    """Return the voltage where each set point is first passed; nan if it is not passed.

    Between rows of the history the voltage is interpolated linearly.
    """
    found: Numbers = {}
    for point in points:
        away = history[point.column].to_numpy() - point.value
        passed = np.flatnonzero((away[:-1] * away[1:] <= 0.0) & (away[:-1] != away[1:]))
        value = float("nan")
        if passed.size:
            first = int(passed[0])
            part = away[first] / (away[first] - away[first + 1])
            before, after = history["voltage_V"].to_numpy()[first : first + 2]
            value = float(before + part * (after - before))
        found[point.name] = value
    return found


def heterogeneity(run: RunParticles, wanted: WantedInstant, settings: Settings) -> Numbers:
    """Return L* with its null distribution and the correlation length at a moment of a run.

    Raises:
        InputError: there are too few particles, all are alike, or the run never reaches the moment.
    """
    points = run.points(find_instant(run, wanted).index)
    request = with_bins(Request(settings), [points])
    return of_analysis(analyse([points], request.settings, np.random.default_rng(_SEED)))


def of_analysis(found: Heterogeneity) -> Numbers:
    """Return those numbers of an analysis that enter the table."""
    scale, fit = found.scale, found.variogram
    low, middle, high = (float(q) for q in scale.null_quantiles_um)
    return {
        "L_star_um": scale.scale_um,
        "L_star_flag": scale.flag,
        "L_star_error_um": scale.error_um,
        "L_star_low_um": scale.low_um,
        "L_star_high_um": scale.high_um,
        "L_star_model_um": scale.model_um,
        "L_star_model_low_um": scale.model_low_um,
        "L_star_model_high_um": scale.model_high_um,
        "L_star_model_agrees": scale.model_agrees,
        "L_star_null_low_um": low,
        "L_star_null_median_um": middle,
        "L_star_null_high_um": high,
        "L_star_null_not_converged": scale.null_above,
        "L_star_p_value": scale.p_value,
        "L_star_independent_um": scale.independent_um,
        "L_star_correlated_um": scale.correlated_um,
        "correlation_length_um": fit.length_um if fit.identified else float("nan"),
        "field_um": scale.field_um,
        "value_sd": found.curve.value_sd,
        "value_range": scale.value_range,
        **found.trend.columns(),
    }
