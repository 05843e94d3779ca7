"""The parts of a results folder from which its homogenised counterpart is made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.parameters.loading import parameters_from
from heterode.parameters.model import Parameters
from heterode.parameters.quantities import kept_function
from heterode.particles.table import ParticleTable
from heterode.results.folder import ResultsFolder
from heterode.results.heading import heading
from heterode.results.history import read_history
from heterode.results.json_record import content_of
from heterode.results.manifest import read_manifest

ERRORS = {"voltage_space_error_V": "mesh", "voltage_time_error_V": "time steps"}
"""What makes the errors of the voltage that a run estimates of itself."""


@dataclass(frozen=True)
class FollowedRun:
    """A run, which may be in progress or have ended early.

    Attributes:
        path: path of the folder.
        parameters: parameters of the electrode, without its protocol and its penalties' law.
        conditioned: whether penalties changed from cycle to cycle.
        particles: table of the particles with the penalties of the first cycle.
        history: history of at least two rows.
        title: title of the run; see `heterode.results.heading`.
        status, reason: status and reason in the manifest.
        errors_V: largest errors of the voltage, V, that the run estimates of itself, by their names
            in the manifest; empty if an earlier version wrote it.
    """

    path: Path
    parameters: Parameters
    conditioned: bool
    particles: ParticleTable
    history: pd.DataFrame
    title: str
    status: str
    reason: str
    errors_V: Mapping[str, float]


def read_followed_run(folder: Path) -> FollowedRun:
    """Open a results folder.

    Raises:
        InputError: it is not a results folder, has no time step, or lacks the input (from a
            version that did not keep it).
    """
    results = ResultsFolder.open(folder)
    manifest = read_manifest(results.manifest)
    history = read_history(results.path)
    if len(history) < 2:
        raise InputError(
            f"{results.history}: has {counted(len(history), 'row')}, so no time step to "
            f"follow (status: "
            f"{manifest['status']}; {manifest['reason'] or 'no reason known'}; at least 2). Wait "
            "for the first step, or run it again"
        )
    with content_of(results.manifest):
        parameters = _parameters(manifest, results)
        conditioned = bool(manifest["parameters"]["penalty"].get("conditioning"))
        accuracy = manifest.get("accuracy") or {}
        errors = {name: float(accuracy[name]["largest"]) for name in ERRORS if name in accuracy}
    return FollowedRun(
        path=results.path,
        parameters=parameters,
        conditioned=conditioned,
        particles=ParticleTable.read_csv(results.particles),
        history=history,
        title=heading(manifest, results.path),
        status=manifest["status"],
        reason=manifest["reason"],
        errors_V=errors,
    )


def _parameters(manifest: dict[str, Any], results: ResultsFolder) -> Parameters:
    """Make the parameters without the files that the input named, which may be missing."""
    tables = copy.deepcopy(manifest.get("input") or {})
    if not {"geometry", "active_material", "penalty"} <= set(tables):
        raise InputError(
            f"{results.manifest}: keeps no input, so there is no electrode for a DFN "
            "(needed: a run of heterode 0.1.0 or later). Run it again"
        )
    # The mesh exists already, so sizes need not be consistent, and no mesh file is read.
    tables["geometry"] |= {
        "mesh_file": str(results.manifest.absolute()),
        "particle_size": {"distribution": "monodisperse", "diameter": "1 um"},
    }
    tables["penalty"] = {"distribution": "none"}
    tables["protocol"] = {"steps": ["rest for 1 s"]}
    kept = manifest["parameters"]["active_material"]
    for key, value in kept.items():
        if isinstance(value, dict) and "file" in value:
            tables["active_material"][key] = kept_function(value)
    salt = manifest["parameters"]["electrolyte"]
    for key, value in salt.items():
        if isinstance(value, dict) and "file" in value:
            tables["electrolyte"][key] = kept_function(value)
    return parameters_from(tables, results.manifest)
