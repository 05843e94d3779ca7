"""The results folder: writers for a run, readers for everyone. Rank 0 only; no MPI, no DOLFINx.

manifest.json, history.csv, particles.csv, particles.h5, fields/*.xdmf, report/, checkpoint/.
"""

from simulator.results.fields import FieldSeries, FieldWriter, read_fields
from simulator.results.folder import ResultsFolder
from simulator.results.history import History, read_history
from simulator.results.manifest import Manifest, collect_versions, read_manifest
from simulator.results.particle_series import (
    ParticleHistory,
    ParticleSeries,
    read_particle_series,
)
from simulator.results.recorder import Recorder
from simulator.results.sample import FieldGrid, FieldValues, Sample
from simulator.results.storage import OutputError

__all__ = [
    "FieldGrid",
    "FieldSeries",
    "FieldValues",
    "FieldWriter",
    "History",
    "Manifest",
    "OutputError",
    "ParticleHistory",
    "ParticleSeries",
    "Recorder",
    "ResultsFolder",
    "Sample",
    "collect_versions",
    "read_fields",
    "read_history",
    "read_manifest",
    "read_particle_series",
]
