"""The results folder: writers for a run and readers for everything else.

The modules use neither MPI nor DOLFINx, and writers run on rank 0 only. The folder holds
manifest.json, SHA256SUMS, history.csv, particles.csv, particles.h5, fields/*.xdmf, stops/, report/
and checkpoint/.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heterode.results.fields import FieldSeries, FieldWriter, read_fields
    from heterode.results.folder import ResultsFolder
    from heterode.results.history import History, read_history
    from heterode.results.manifest import Manifest, collect_versions, read_manifest
    from heterode.results.particle_series import (
        ParticleHistory,
        ParticleSeries,
        read_particle_series,
    )
    from heterode.results.sample import FieldGrid, FieldValues, Sample
    from heterode.results.sample_files import SampleFiles
    from heterode.results.storage import AlteredError, OutputError

_HOMES = {
    "AlteredError": "storage",
    "FieldGrid": "sample",
    "FieldSeries": "fields",
    "FieldValues": "sample",
    "FieldWriter": "fields",
    "History": "history",
    "Manifest": "manifest",
    "OutputError": "storage",
    "ParticleHistory": "particle_series",
    "ParticleSeries": "particle_series",
    "SampleFiles": "sample_files",
    "ResultsFolder": "folder",
    "Sample": "sample",
    "collect_versions": "manifest",
    "read_fields": "fields",
    "read_history": "history",
    "read_manifest": "manifest",
    "read_particle_series": "particle_series",
}

__all__ = [
    "AlteredError",
    "FieldGrid",
    "FieldSeries",
    "FieldValues",
    "FieldWriter",
    "History",
    "Manifest",
    "OutputError",
    "ParticleHistory",
    "ParticleSeries",
    "ResultsFolder",
    "Sample",
    "SampleFiles",
    "collect_versions",
    "read_fields",
    "read_history",
    "read_manifest",
    "read_particle_series",
]


def __getattr__(name: str) -> Any:
    """Load names on first use; pandas and h5py take half a second, and most users need neither."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
