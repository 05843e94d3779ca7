"""Results for a notebook: tables and series with units, and plots that return matplotlib axes.

    import heterode

    run = heterode.load("results/quickstart")
    run.history.plot(x="time_s", y="voltage_V")
    run.lithium_fraction[3]                 # of particle 3 over time
    run.plot_particles(by="radius")

Everything is read from the results folder, also of a run that goes on or was killed; a file is
read when it is first asked for. Tables carry their units in `attrs["units"]`, by column.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heterode.base.errors import ArgumentError, InputError
from heterode.base.run_warnings import RunWarning
from heterode.base.words import counted
from heterode.particles.table import ParticleTable
from heterode.physics.weak_form import DOMAINS
from heterode.results.fields import UNITS as FIELD_UNITS
from heterode.results.fields import FieldSeries, read_fields
from heterode.results.folder import ResultsFolder
from heterode.results.history import UNITS as HISTORY_UNITS
from heterode.results.history import read_history
from heterode.results.json_record import content_of
from heterode.results.manifest import read_manifest
from heterode.results.marks import marking
from heterode.results.particle_series import ParticleHistory, read_particle_series
from heterode.results.sample import Floats
from heterode.results.trust import check_whole
from heterode.viewing import style
from heterode.viewing.differential import differential_curves, plot_differential
from heterode.viewing.legends import clear_legend
from heterode.viewing.particle_currents import plot_currents, stretch_of
from heterode.viewing.particle_lines import plot_particles
from heterode.viewing.particle_map import passed_at, plot_map, row_at
from heterode.viewing.particle_run import ColourBy, ParticleRun, particle_bar
from heterode.viewing.penalty_histogram import law_of, plot_penalties
from heterode.viewing.radial_profiles import looks, moments, particle_profile, plot_profile
from heterode.viewing.section import mid_section
from heterode.viewing.slab import layout_of
from heterode.viewing.spread import plot_spread, spread_curves
from heterode.viewing.voltage import plot_voltage

PARTICLE_UNITS = {
    "particle": "number from 0",
    "x_um": "um",
    "y_um": "um",
    "z_um": "um",
    "radius_um": "um",
    "volume_um3": "um^3",
    "surface_um2": "um^2",
    "penalty": "1",
}


class Results:
    """A results folder, as `load` gives it.

    Attributes:
        path: the folder.
        altered: what of it is not as the run wrote it, a line each.
    """

    def __init__(self, folder: Path | str, *, accept_altered: bool = False) -> None:
        self.path = ResultsFolder.open(folder).path
        self.altered = check_whole(self.path, _mind, accept_altered=accept_altered)

    def __repr__(self) -> str:
        manifest = self.manifest
        return (
            f"<{self.path}: {manifest['status']}, {manifest['particles']} particles, "
            f"{counted(len(self.history), 'row')}>"
        )

    # -- tables -----------------------------------------------------------------------------

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json."""
        return read_manifest(self.path / "manifest.json")

    @property
    def warnings(self) -> list[str]:
        """What left the range in which the run's numbers mean something, a line each."""
        entries = self.manifest.get("warnings") or []
        return [RunWarning.from_dict(entry).text for entry in entries]

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row per time step; columns and units: `HISTORY_UNITS`."""
        return _with_units(read_history(self.path), HISTORY_UNITS)

    @cached_property
    def particles(self) -> pd.DataFrame:
        """A row per particle, by their numbers; columns and units: `PARTICLE_UNITS`."""
        table = pd.DataFrame({name: getattr(self._table, name) for name in PARTICLE_UNITS})
        return _with_units(table, PARTICLE_UNITS)

    @cached_property
    def lithium_fraction(self) -> pd.DataFrame:
        """Mean lithium fraction: a row per time (s), a column per particle."""
        return self._over_time(self._series.lithium_fraction, "1")

    @cached_property
    def surface_lithium_fraction(self) -> pd.DataFrame:
        """Lithium fraction at the reacting surface: a row per time (s), a column per particle."""
        return self._over_time(self._series.surface_lithium_fraction, "1")

    @cached_property
    def current(self) -> pd.DataFrame:
        """Reaction current, A m^-2 of particle surface, positive when lithium leaves: a row per
        time (s), a column per particle."""
        return self._over_time(self._series.current_A_m2, "A m^-2 of particle surface")

    def fields(self, domain: str) -> FieldSeries:
        """Fields over the mesh: grid, times, and a function that loads a sample.

        Args:
            domain: "particles", "electrolyte" or "carbon".
        """
        if domain not in DOMAINS:
            allowed = ", ".join(DOMAINS)
            raise ArgumentError(f"{{domain}} is not known (allowed: {allowed})", domain=domain)
        return read_fields(self.path, domain)

    @property
    def field_units(self) -> dict[str, str]:
        """Units of the fields, by name."""
        return dict(FIELD_UNITS)

    # -- plots ------------------------------------------------------------------------------

    def plot_voltage(self, axes: Any = None) -> Any:
        """Voltage against areal capacity. Returns the axes, as all of these do."""
        return self._drawn(axes, lambda place: plot_voltage(place, self._some_history()))

    def plot_dqdv(self, axes: Any = None) -> Any:
        """dQ/dV against voltage, a colour per cycle.

        Raises:
            InputError: no half-cycle covers enough voltage.
        """
        curves = differential_curves(self.history)
        if not curves:
            raise InputError(f"{self.path}: no half-cycle covers enough voltage for dQ/dV")
        return self._drawn(axes, lambda place: plot_differential(place, curves))

    def plot_spread(self, axes: Any = None) -> Any:
        """Standard deviation of the particles' lithium fractions against their mean.

        Raises:
            InputError: the mean hardly changes.
        """
        curves = spread_curves(self.history)
        if not curves:
            raise InputError(f"{self.path}: the mean lithium fraction hardly changes")
        return self._drawn(axes, lambda place: plot_spread(place, curves))

    def plot_particles(self, axes: Any = None, *, by: ColourBy = "penalty") -> Any:
        """Lithium fraction over time, a line per particle, coloured by "penalty" or "radius"."""
        return self._drawn(
            axes, lambda place: particle_bar(plot_particles(place, self._run, by=by), place, by)
        )

    def plot_currents(self, axes: Any = None, *, by: ColourBy = "penalty") -> Any:
        """Reaction currents against the mean lithium fraction, over the first whole half-cycle.

        Raises:
            InputError: no charge or discharge has three samples.
        """
        stretch = stretch_of(self._run)
        if stretch is None:
            raise InputError(f"{self.path}: no charge or discharge has three samples of particles")
        return self._drawn(
            axes, lambda place: particle_bar(plot_currents(place, stretch, by=by), place, by)
        )

    def plot_penalties(self, axes: Any = None) -> Any:
        """Histogram of the penalty factors, and the law they were drawn from."""
        with content_of(self.path / "manifest.json"):
            law = law_of(self.manifest)
        return self._drawn(axes, lambda place: plot_penalties(place, self._table.penalty, law))

    def plot_profile(
        self, particle: int, axes: Any = None, *, times_s: Sequence[float] | None = None
    ) -> Any:
        """Lithium from centre to surface of a particle.

        Args:
            particle: its number.
            axes: where; None makes new ones.
            times_s: when, s; None: six moments, evenly in the charge passed.
        """
        series = self.fields("particles")
        chosen = [self._nearest(series, time) for time in ([] if times_s is None else times_s)]
        chosen = chosen or moments(self.history, series.times_s)

        times = [float(series.times_s[index]) for index in chosen]
        means = [float(row_at(self.history, time)["lithium_fraction_mean"]) for time in times]
        unit = style.time_unit(max(times))

        def plot(place: Any) -> Any:
            look = looks(means)
            styles = zip(chosen, times, look.colours, look.dashes, strict=True)
            for index, time, colour, dashes in styles:
                field = series.load(index)["lithium_fraction"]
                profile = particle_profile(series.grid, self._table, particle, field)
                plot_profile(place, profile, colour, unit.said(time), dashes)
            place.set(xlabel="distance from centre / µm", ylabel="lithium fraction")
            place.legend(loc="best", ncols=2)
            return look.shades

        return self._drawn(axes, plot, f"mean of the electrode, by volume\n({style.DIRECTION})")

    def plot_map(self, axes: Any = None, *, time_s: float | None = None) -> Any:
        """Lithium in the particles over the cell; in 3D in the plane half-way across.

        Args:
            axes: where; None makes new ones.
            time_s: when, s; None: half the charge passed.
        """
        series = self.fields("particles")
        if time_s is None:
            passed = passed_at(self.history, series.times_s)
            index = int(np.abs(passed - (passed[0] + passed[-1]) / 2).argmin())
        else:
            index = self._nearest(series, time_s)
        section = mid_section(series.grid)
        layout = layout_of(self.path, section)
        values = section.values(series.load(index)["lithium_fraction"])

        def plot(place: Any) -> Any:
            place.set(xlabel=layout.labels[0], ylabel=layout.labels[1])
            place.set_title(style.spoken_time(float(series.times_s[index])))
            return plot_map(place, section.grid, values, layout)

        return self._drawn(axes, plot, style.LITHIUM_LABEL)

    def _drawn(self, axes: Any, plot: Any, bar: str = "") -> Any:
        with marking(self.altered):
            place = _drawn(axes, plot, bar)
            style.mark_altered(place.figure)
        return place

    # -- within -----------------------------------------------------------------------------

    @cached_property
    def _table(self) -> ParticleTable:
        return ParticleTable.read_csv(self.path / "particles.csv")

    @cached_property
    def _series(self) -> ParticleHistory:
        return read_particle_series(self.path)

    @property
    def _run(self) -> ParticleRun:
        return ParticleRun(self._table, self._series, self.history)

    def _some_history(self) -> pd.DataFrame:
        if self.history.empty:
            raise InputError(f"{self.path}: the history holds no samples yet: nothing to draw")
        return self.history

    def _over_time(self, values: Floats, unit: str) -> pd.DataFrame:
        index = pd.Index(self._series.time_s, name="time_s")
        frame = pd.DataFrame(values, index=index, columns=pd.RangeIndex(values.shape[1]))
        frame.columns.name = "particle"
        frame.attrs["unit"] = unit
        return frame

    def _nearest(self, series: FieldSeries, time_s: float) -> int:
        return int(np.abs(series.times_s - time_s).argmin())


def load(folder: Path | str, *, accept_altered: bool = False) -> Results:
    """The results of a run.

    Args:
        folder: results folder, also of a run that goes on or was broken off.
        accept_altered: go on with files that are not as the run wrote them: a warning each, and
            figures say so.

    Raises:
        InputError: no such folder, or it is not a results folder.
        AlteredError: files are not as the run wrote them.
    """
    return Results(folder, accept_altered=accept_altered)


def _mind(line: str) -> None:
    warnings.warn(line, stacklevel=5)


def _with_units(frame: pd.DataFrame, units: dict[str, str]) -> pd.DataFrame:
    frame.attrs["units"] = dict(units)
    return frame


def _drawn(axes: Any, plot: Any, bar: str = "") -> Any:
    """Plot into axes (None: new ones), with a colour bar if it has a name; returns the axes."""
    place = style.notebook_axes() if axes is None else axes
    with style.style():
        shades = plot(place)
        if bar:
            place.figure.colorbar(shades, ax=place, label=bar)
        clear_legend(place)
    return place
