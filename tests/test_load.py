"""heterode.load: tables with units and plots that return axes, from a results folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import heterode
from helpers.commands import environment
from helpers.surroundings import PATIENCE
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.results import ResultsFolder


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> ResultsFolder:
    return write_run(tmp_path_factory.mktemp("load") / "out", run)


def test_tables_carry_their_units(folder: ResultsFolder, run: SyntheticRun) -> None:
    results = heterode.load(folder.path)
    assert results.history.attrs["units"]["voltage_V"] == "V"
    assert set(results.history.columns) == set(results.history.attrs["units"])
    assert set(results.particles.columns) == set(results.particles.attrs["units"])
    assert results.particles.loc[3, "penalty"] == pytest.approx(run.discs.penalty[3], abs=1e-6)
    assert results.manifest["status"] == "completed"
    assert results.field_units["concentration"] == "mol m^-3"
    assert "completed" in repr(results)
    assert f"{len(run.discs)} particles" in repr(results)


def test_series_are_over_time_by_particle(folder: ResultsFolder, run: SyntheticRun) -> None:
    results = heterode.load(folder.path)
    for name, unit in (
        ("lithium_fraction", "1"),
        ("surface_lithium_fraction", "1"),
        ("current", "A m^-2 of particle surface"),
    ):
        frame = getattr(results, name)
        assert frame.shape == (len(run.samples), len(run.discs))
        assert frame.attrs["unit"] == unit
        assert (frame.index.name, frame.columns.name) == ("time_s", "particle")
    column = results.lithium_fraction[5]
    assert isinstance(column, pd.Series)
    np.testing.assert_allclose(column, [sample.lithium_fraction[5] for sample, _ in run.samples])
    share = results.particles["volume_um3"] / results.particles["volume_um3"].sum()
    mean = results.lithium_fraction @ share
    np.testing.assert_allclose(mean, results.history["lithium_fraction_mean"], atol=1e-6)
    grid, times, values = results.fields("carbon")
    assert values(0)["potential"].shape == (len(grid.points_um),)
    assert len(times) == len(run.samples)


def test_plots_return_their_axes(folder: ResultsFolder) -> None:
    results = heterode.load(folder.path)
    mpl.use("agg")
    import matplotlib.pyplot as plt

    try:
        plots = [name for name in dir(results) if name.startswith("plot_")]
        assert len(plots) >= 8
        for name in plots:
            arguments = (4,) if name == "plot_profile" else ()
            axes = getattr(results, name)(*arguments)
            assert isinstance(axes, mpl.axes.Axes), name
            assert axes.has_data(), name
            assert axes.get_xlabel(), name
            figure, own = plt.subplots()
            keyword = {"axes": own}
            assert getattr(results, name)(*arguments, **keyword) is own, name
            figure.canvas.draw()
            plt.close("all")
        radius = results.plot_particles(by="radius")
        assert radius.figure.axes[1].get_ylabel() == "radius / µm"
        times = results.lithium_fraction.index[[0, -1]]
        assert len(results.plot_profile(4, times_s=times).lines) == 2
        title = results.plot_map(time_s=0.0).get_title()
        assert title == "0 s"
    finally:
        plt.close("all")


def test_what_is_not_there_is_said(folder: ResultsFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        heterode.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such particle"):
        heterode.load(folder.path).plot_profile(999, axes=mpl.figure.Figure().subplots())


def test_the_package_itself_stays_light() -> None:
    script = (
        "import sys, heterode\n"
        "wrong = {'pandas', 'matplotlib', 'numpy', 'h5py'} & set(sys.modules)\n"
        "assert not wrong, wrong\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True, timeout=PATIENCE)
