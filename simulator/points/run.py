"""The particles of a run at one instant, as MarkedPoints.

An instant is requested as

    spread        where the volume-weighted standard deviation over particles is largest
    end, start    the last sample, the first
    2 h           the sample nearest to that time
    4.2 V         the first time that the voltage is passed, the nearer of both samples
    x = 0.6       the same for the volume-weighted mean lithium fraction
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from heterode.base.errors import ArgumentError, InputError
from heterode.base.units import UnitError, quantity
from heterode.base.words import counted
from heterode.heterogeneity.marks import Floats, MarkedPoints
from heterode.particles.table import ParticleTable
from heterode.points.csv_points import check_particles
from heterode.results.folder import ResultsFolder
from heterode.results.history import read_history
from heterode.results.particle_series import ParticleHistory, read_particle_series
from heterode.results.slab_box import slab_box

Kind = Literal["spread", "end", "start", "time", "voltage", "lithium_fraction"]

FORMS = "spread, end, start, '2 h', '4.2 V' or 'x=0.6'"
LEAST_SPREAD = 1e-9
"""Standard deviation over particles below which they are equal apart from rounding."""

_PREFIX = re.compile(r"(?:(\w+)\s*=\s*)?(.+)", re.DOTALL)
_PREFIXES: Mapping[str, Kind] = {
    "t": "time",
    "time": "time",
    "v": "voltage",
    "voltage": "voltage",
    "x": "lithium_fraction",
    "lithium_fraction": "lithium_fraction",
}


@dataclass(frozen=True)
class WantedInstant:
    """An instant that is requested: its kind, and its number in s, V or as a fraction."""

    kind: Kind
    number: float = float("nan")


@dataclass(frozen=True)
class Instant:
    """An instant at which a run was sampled.

    Attributes:
        index: index of the sample in particles.h5.
        time_s, voltage_V: time and voltage of the sample.
        lithium_fraction_mean, lithium_fraction_sd: mean and standard deviation over particles,
            weighted by volume.
        cycle, step: numbers counted from 0.
    """

    index: int
    time_s: float
    voltage_V: float
    lithium_fraction_mean: float
    lithium_fraction_sd: float
    cycle: int
    step: int


@dataclass(frozen=True)
class RunParticles:
    """The particles in a results folder.

    Attributes:
        path: path of the folder.
        table: table of the particles.
        series: samples of the particles.
        history: the row of each sample in history.csv.
        window_um: (d, 2) the coating; d is 2 or 3.
    """

    path: Path
    table: ParticleTable
    series: ParticleHistory
    history: pd.DataFrame
    window_um: Floats

    @property
    def dimension(self) -> int:
        """Number of spatial dimensions, 2 or 3."""
        return len(self.window_um)

    @property
    def spread(self) -> Floats:
        """Volume-weighted standard deviation of the lithium fraction over particles, (T,)."""
        x, weight = self.series.lithium_fraction, self.table.volume_um3
        deviation = x - np.average(x, axis=1, weights=weight)[:, None]
        return np.asarray(np.sqrt(np.average(deviation**2, axis=1, weights=weight)))

    @property
    def mean(self) -> Floats:
        """Volume-weighted mean of the lithium fraction over particles, (T,)."""
        x = self.series.lithium_fraction
        return np.asarray(np.average(x, axis=1, weights=self.table.volume_um3))

    def instant(self, index: int) -> Instant:
        """Return the instant of a sample, given its number."""
        row = self.history.iloc[index]
        return Instant(
            index=index,
            time_s=float(self.series.time_s[index]),
            voltage_V=float(row["voltage_V"]),
            lithium_fraction_mean=float(self.mean[index]),
            lithium_fraction_sd=float(self.spread[index]),
            cycle=int(row["cycle"]),
            step=int(row["step"]),
        )

    def points(self, index: int) -> MarkedPoints:
        """Return the particles with their mean lithium fractions in a sample.

        Raises:
            InputError: there are fewer than 10 particles, or all are equal.
        """
        value = self.series.lithium_fraction[index]
        table, name = self.table, self.path.resolve().name
        axes = (table.x_um, table.y_um, table.z_um)[: self.dimension]
        positions = np.column_stack(axes)
        if np.std(value) < LEAST_SPREAD:
            raise ArgumentError(
                f"{self.path}: at {self.series.time_s[index]:g} s all particles hold the same "
                f"lithium within {LEAST_SPREAD:g}. Choose another moment with {{at}}",
                at=...,
            )
        check_particles(str(self.path), positions, value, table.particle)
        return MarkedPoints(
            name, positions, value, table.volume_um3, table.radius_um, self.window_um
        )


def parse_instant(text: str) -> WantedInstant:
    """Parse an instant from the command line; see the module's docstring.

    Raises:
        InputError: the text is not an instant.
    """
    word = text.strip().lower()
    plain: tuple[Kind, ...] = ("spread", "end", "start")
    if word in plain:
        return WantedInstant(plain[plain.index(word)])
    match = _PREFIX.fullmatch(text.strip())
    prefix, number = match.groups() if match is not None else (None, text)
    kind = _PREFIXES.get((prefix or "").lower())
    if prefix is not None and kind is None:
        raise ArgumentError(f"{{at}}: unknown moment (allowed: {FORMS})", at=text)
    if kind == "lithium_fraction":
        try:
            fraction = float(number)
        except ValueError:
            fraction = float("nan")
        if not 0.0 <= fraction <= 1.0:
            raise ArgumentError("{at}: a mean lithium fraction lies between 0 and 1", at=text)
        return WantedInstant(kind, fraction)
    units: tuple[tuple[Kind, str], ...] = (("time", "s"), ("voltage", "V"))
    for name, unit in units:
        if kind in (None, name):
            with suppress(UnitError):
                return WantedInstant(name, quantity(number, unit))
    raise ArgumentError(f"{{at}}: no moment (allowed: {FORMS})", at=text)


def read_run_particles(path: Path | str) -> RunParticles:
    """Read particles and their samples, even of a run that is in progress or was killed.

    Raises:
        InputError: it is not a results folder, or files are missing, damaged or inconsistent.
    """
    folder = ResultsFolder.open(path)
    table = ParticleTable.read_csv(folder.particles)
    series, history = read_particle_series(folder.path), read_history(folder.path)
    count = series.lithium_fraction.shape[1]
    if count != len(table):
        raise InputError(
            f"{folder.path}: particles.h5 has {counted(count, 'particle')}, particles.csv "
            f"{len(table)}. "
            "Run it again"
        )
    if not len(series.time_s) or not len(history):
        raise InputError(f"{folder.path}: has no sample yet. Wait for the first time step")
    # The last row at each time is used: it is the state after a change of the protocol's step.
    row = np.searchsorted(history["time_s"].to_numpy(), series.time_s, side="right") - 1
    rows = history.iloc[np.clip(row, 0, len(history) - 1)].reset_index(drop=True)
    return RunParticles(folder.path, table, series, rows, slab_box(folder.path, table).coating)


def find_instant(run: RunParticles, wanted: WantedInstant) -> Instant:
    """Find the sample that is requested.

    Raises:
        InputError: the run never gets there; the message gives its range.
    """
    last = len(run.series.time_s) - 1
    if wanted.kind in ("start", "end"):
        return run.instant(0 if wanted.kind == "start" else last)
    if wanted.kind == "spread":
        return run.instant(int(np.argmax(run.spread)))
    if wanted.kind == "time":
        times, slack = run.series.time_s, 1e-9 * run.series.time_s[-1]
        if not times[0] - slack <= wanted.number <= times[-1] + slack:
            raise _beyond(run, f"{wanted.number:g} s", times, "s")
        return run.instant(int(np.abs(times - wanted.number).argmin()))
    if wanted.kind == "voltage":
        values, shown, unit = run.history["voltage_V"].to_numpy(), f"{wanted.number:g} V", "V"
    else:
        values, shown, unit = run.mean, f"x = {wanted.number:g}", ""
    index = _first_passage(values, wanted.number)
    if index is None:
        raise _beyond(run, shown, values, unit)
    return run.instant(index)


def _beyond(run: RunParticles, shown: str, values: Floats, unit: str) -> InputError:
    low, high = float(values.min()), float(values.max())
    reach = f"from {low:.6g} to {high:.6g} {unit}".rstrip()
    return ArgumentError(f"{run.path}: {{at}} is not in the run ({reach})", at=shown)


# Lithium fraction or voltage, V, by which a run may miss a value that it has reached.
_REACHED = 1e-6


def _first_passage(values: Floats, target: float) -> int | None:
    """Return the nearer of the first two neighbours with the target between them.

    A run that ends at a value misses it by its rounding or the solver's tolerance.
    """
    away = values - target
    passed = np.flatnonzero(away[:-1] * away[1:] <= 0.0)
    if not passed.size:
        nearest = int(np.abs(away).argmin())
        return nearest if abs(away[nearest]) <= _REACHED else None
    first = int(passed[0])
    return first if abs(away[first]) <= abs(away[first + 1]) else first + 1
