"""Fields in a real ParaView: `scripts/test -m paraview`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from helpers.other_userland import enter
from helpers.paths import HELPERS, ROOT
from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.results import FieldWriter

pytestmark = pytest.mark.paraview

PVBATCH = ("xvfb-run", "-a", "-w", "8", "pvbatch", "--force-offscreen-rendering")
READERS = ("legacy", "xdmf3 S", "xdmf3 T")
EARLY = 4
"""Samples there are when a reader looks for the first time."""


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> dict:
    """What the readers found in the files of a run that goes on."""
    folder = tmp_path_factory.mktemp("paraview")
    fields = folder / "fields"
    writer = FieldWriter(fields, run.grids)
    for number, (sample, values) in enumerate(run.samples):
        if number == EARLY:
            for path in fields.glob("*.xdmf"):
                shutil.copy(path, path.with_name(path.name + ".early"))
        writer.write(sample.time_s, values)
    for path in list(fields.glob("*.xdmf")):
        path.rename(path.with_name(path.name + ".later"))
        path.with_name(path.name + ".early").rename(path)
    paths = sorted(fields.glob("*.xdmf"))
    done = enter("paraview", [*PVBATCH, HELPERS / "paraview_look.py", *paths], folder)
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert lines, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(lines[0].removeprefix("ANSWER "))


@pytest.mark.parametrize("domain", ["particles", "electrolyte", "carbon"])
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_sees_one_block_with_all_of_it(
    seen: dict, run: SyntheticRun, reader: str, domain: str
) -> None:
    found = seen[reader][f"{domain}.xdmf"]
    times = [sample.time_s for sample, _ in run.samples]
    np.testing.assert_allclose(found["times"], times[:EARLY], rtol=1e-12)
    assert found["blocks"] == 1
    grid = next(grid for grid in run.grids if grid.name == domain)
    for at, number in zip(found["seen"], (0, EARLY - 1), strict=True):
        assert at["cells"] == len(grid.cells)
        check_ranges(at["arrays"], run, domain, number)


@pytest.mark.parametrize("domain", ["particles", "electrolyte", "carbon"])
@pytest.mark.parametrize("reader", READERS)
def test_a_run_that_goes_on_is_followed(
    seen: dict, run: SyntheticRun, reader: str, domain: str
) -> None:
    found = seen[reader][f"{domain}.xdmf"]
    times = [sample.time_s for sample, _ in run.samples]
    np.testing.assert_allclose(found["later"], times, rtol=1e-12)
    check_ranges(found["later_arrays"], run, domain, len(times) - 1)


def check_ranges(arrays: dict, run: SyntheticRun, domain: str, number: int) -> None:
    grid = next(grid for grid in run.grids if grid.name == domain)
    expected = {f"points/{name}": v for name, v in run.samples[number][1][domain].items()}
    expected |= {f"cells/{name}": v for name, v in grid.cell_data.items()}
    assert set(arrays) >= set(expected)
    for name, values in expected.items():
        limits = [values.min(), values.max()]
        np.testing.assert_allclose(arrays[name], limits, rtol=1e-6, atol=1e-12, err_msg=name)


def test_the_macro_shows_a_results_folder(tmp_path: Path, run: SyntheticRun) -> None:
    folder = write_run(tmp_path / "out", run)
    macro = ROOT / "scripts" / "paraview" / "heterode.py"
    done = enter("paraview", [*PVBATCH, macro, folder.path, tmp_path / "seen.png"], tmp_path)
    assert (tmp_path / "seen.png").exists(), f"{done.stdout}\n{done.stderr}"
    picture = imread(tmp_path / "seen.png")[..., :3]
    assert picture.shape[:2] == (1000, 1600)
    # The colour bar, on the right, is left out.
    shown = picture[:, :1100]
    coloured = np.ptp(shown, axis=2) > 0.2
    assert coloured.mean() > 0.15
    assert np.ptp(shown[coloured], axis=0).max() > 0.3
    wrong = enter("paraview", [*PVBATCH, macro, tmp_path], tmp_path)
    assert "is it a results folder?" in wrong.stdout + wrong.stderr
