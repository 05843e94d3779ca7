"""Results for notebooks: tables and series with units, and plots that return matplotlib axes.

    import heterode

    run = heterode.load("results/quickstart")
    run.history.plot(x="time_s", y="voltage_V")
    run.lithium_fraction[3]                 # of particle 3 over time
    run.plot_particles(by="radius")

Everything is read from the results folder, possibly of a run that is going on or was killed; each
file is read when it is first needed. The tables carry the units of their columns in
`attrs["units"]`.
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
from heterode.particles.table import UNITS as PARTICLE_UNITS
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
from heterode.viewing.radial_profiles import evenly_in_charge, looks, particle_profile, plot_profile
from heterode.viewing.section import mid_section
from heterode.viewing.slab import layout_of
from heterode.viewing.spread import plot_spread, spread_curves
from heterode.viewing.voltage import plot_voltage


class Results:
    """A results folder, as returned by `load`.

    Attributes:
        path: the folder.
        altered: a line for each file that is not as the run wrote it.
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
        """The content of manifest.json."""
        return read_manifest(self.path / "manifest.json")

    @property
    def accuracy(self) -> dict[str, Any]:
        """The accuracy asked for and the estimated errors: the section `accuracy` of the manifest.

        It is empty if an earlier version wrote the run; what is not known is left out.
        """
        return dict(self.manifest.get("accuracy") or {})

    @property
    def warnings(self) -> list[str]:
        """A line for each warning of the run."""
        entries = self.manifest.get("warnings") or []
        return [RunWarning.from_dict(entry).text for entry in entries]

    @cached_property
    def history(self) -> pd.DataFrame:
        """The history, with a row for each time step; columns and units are in `HISTORY_UNITS`."""
        return _with_units(read_history(self.path), HISTORY_UNITS)

    @cached_property
    def particles(self) -> pd.DataFrame:
        """The particles, a row for each by number; columns and units are in `PARTICLE_UNITS`."""
        table = pd.DataFrame({name: getattr(self._table, name) for name in PARTICLE_UNITS})
        return _with_units(table, PARTICLE_UNITS)

    @cached_property
    def lithium_fraction(self) -> pd.DataFrame:
        """The mean lithium fraction: a row for each time (s), a column for each particle."""
        return self._over_time(self._series.lithium_fraction, "1")

    @cached_property
    def surface_lithium_fraction(self) -> pd.DataFrame:
        """The surface lithium fraction: a row for each time (s), a column for each particle."""
        return self._over_time(self._series.surface_lithium_fraction, "1")

    @cached_property
    def current(self) -> pd.DataFrame:
        """The reaction current, A m^-2: a row for each time (s), a column for each particle.

        It refers to the particle's surface and is positive when lithium leaves.
        """
        return self._over_time(self._series.current_A_m2, "A m^-2 of particle surface")

    def fields(self, domain: str) -> FieldSeries:
        """Return fields over the mesh: grid, times, and a function that loads a sample.

        Args:
            domain: "particles", "electrolyte" or "carbon".
        """
        if domain not in DOMAINS:
            allowed = ", ".join(DOMAINS)
            raise ArgumentError(f"{{domain}} is not known (allowed: {allowed})", domain=domain)
        return read_fields(self.path, domain)

    @property
    def field_units(self) -> dict[str, str]:
        """The units of the fields, by name."""
        return dict(FIELD_UNITS)

    # -- plots ------------------------------------------------------------------------------

    def plot_voltage(self, axes: Any = None) -> Any:
        """Plot voltage against areal capacity; returns the axes, as all plots do."""
        return self._drawn(axes, lambda place: plot_voltage(place, self._some_history()))

    def plot_dqdv(self, axes: Any = None) -> Any:
        """Plot dQ/dV against voltage, with a colour for each cycle.

        Raises:
            InputError: no half-cycle covers enough voltage.
        """
        curves = differential_curves(self.history)
        if not curves:
            raise InputError(f"{self.path}: no half-cycle covers enough voltage for dQ/dV")
        return self._drawn(axes, lambda place: plot_differential(place, curves))

    def plot_spread(self, axes: Any = None) -> Any:
        """Plot the standard deviation of the particles' lithium fractions against their mean.

        Raises:
            InputError: the mean hardly changes.
        """
        curves = spread_curves(self.history)
        if not curves:
            raise InputError(f"{self.path}: the mean lithium fraction hardly changes")
        return self._drawn(axes, lambda place: plot_spread(place, curves))

    def plot_particles(self, axes: Any = None, *, by: ColourBy = "penalty") -> Any:
        """Plot all particles' lithium fractions over time, coloured by "penalty" or "radius"."""
        return self._drawn(
            axes, lambda place: particle_bar(plot_particles(place, self._run, by=by), place, by)
        )

    def plot_currents(self, axes: Any = None, *, by: ColourBy = "penalty") -> Any:
        """Plot reaction currents against the mean lithium fraction in the first whole half-cycle.

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
        """Plot a histogram of the penalty factors, and the law that they were drawn from."""
        with content_of(self.path / "manifest.json"):
            law = law_of(self.manifest)
        return self._drawn(axes, lambda place: plot_penalties(place, self._table.penalty, law))

    def plot_profile(
        self, particle: int, axes: Any = None, *, times_s: Sequence[float] | None = None
    ) -> Any:
        """Plot the lithium in a particle from its centre to its surface.

        Args:
            particle: the particle's number.
            axes: the axes; None makes new ones.
            times_s: the times, s; None takes six moments spaced evenly in the charge passed.
        """
        series = self.fields("particles")
        chosen = [self._nearest(series, time) for time in ([] if times_s is None else times_s)]
        chosen = chosen or evenly_in_charge(self.history, series.times_s)

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
        """Plot the lithium in the particles over the cell; in 3D in the plane half-way across.

        Args:
            axes: the axes; None makes new ones.
            time_s: the time, s; None takes half the charge passed.
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
    """Load the results of a run.

    Args:
        folder: the results folder, possibly of a run that is going on or was interrupted.
        accept_altered: whether to continue with files that are not as the run wrote them; each
            gives a warning, and figures mention them.

    Raises:
        InputError: the folder does not exist or is not a results folder.
        AlteredError: files are not as the run wrote them.
    """
    return Results(folder, accept_altered=accept_altered)


def _mind(line: str) -> None:
    warnings.warn(line, stacklevel=5)


def _with_units(frame: pd.DataFrame, units: dict[str, str]) -> pd.DataFrame:
    frame.attrs["units"] = dict(units)
    return frame


def _drawn(axes: Any, plot: Any, bar: str = "") -> Any:
    """Plot into axes (None for new ones), with a colour bar if it has a name; returns the axes."""
    place = style.notebook_axes() if axes is None else axes
    with style.style():
        shades = plot(place)
        if bar:
            place.figure.colorbar(shades, ax=place, label=bar)
        clear_legend(place)
    return place
