"""fields/*.xdmf: what ParaView needs to show one block with all time steps.

ParaView's three XDMF readers were tried by hand (5.13); here the file's structure is held to what
they need, and VTK's own reader, which is the oldest and pickiest of the three, opens it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import h5py
import numpy as np
import pytest

from helpers.synthetic import SyntheticRun, synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.results import FieldGrid, FieldWriter, read_fields

EXPECTED = {
    "particles": ({"lithium_fraction"}, {"particle", "penalty"}),
    "electrolyte": ({"concentration", "potential"}, set()),
    "carbon": ({"potential"}, set()),
}


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=6)


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory, run: SyntheticRun) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "out", run).fields


def tetrahedron() -> FieldGrid:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
    cells = np.array([[0, 1, 2, 3], [1, 2, 3, 4]], dtype=np.int64)
    return FieldGrid("carbon", points, cells)


@pytest.mark.parametrize("domain", EXPECTED)
def test_one_temporal_collection_of_plain_xml(fields: Path, run: SyntheticRun, domain: str) -> None:
    text = (fields / f"{domain}.xdmf").read_text()
    assert "include" not in text
    assert "<!DOCTYPE" not in text
    collections = ET.fromstring(text).findall("./Domain/Grid")
    assert [grid.attrib["CollectionType"] for grid in collections] == ["Temporal"]
    samples = collections[0].findall("Grid")
    times = [float(time.attrib["Value"]) for grid in samples for time in grid.findall("Time")]
    assert len(samples) == len(times) == len(run.samples)
    assert np.all(np.diff(times) > 0)
    for grid in samples:
        assert len(grid.findall("Topology")) == len(grid.findall("Geometry")) == 1
        centres: dict[str, set[str]] = {"Node": set(), "Cell": set()}
        for attribute in grid.findall("Attribute"):
            centres[attribute.attrib["Center"]].add(attribute.attrib["Name"])
        assert (centres["Node"], centres["Cell"]) == EXPECTED[domain]


def test_every_item_is_as_the_xml_says(fields: Path) -> None:
    numbers = {"Int": np.integer, "Float": np.floating}
    for path in fields.glob("*.xdmf"):
        for item in ET.parse(path).getroot().iter("DataItem"):
            name, dataset = str(item.text).split(":")
            with h5py.File(fields / name, "r") as file:
                data = file[dataset]
                assert " ".join(map(str, data.shape)) == item.attrib["Dimensions"]
                assert data.dtype.itemsize == int(item.attrib["Precision"])
                assert np.issubdtype(data.dtype, numbers[item.attrib["NumberType"]])


@pytest.mark.parametrize("domain", EXPECTED)
def test_vtk_opens_it_as_one_block(fields: Path, run: SyntheticRun, domain: str) -> None:
    vtk = pytest.importorskip("vtk")
    support = pytest.importorskip("vtk.util.numpy_support")
    reader = vtk.vtkXdmfReader()
    reader.SetFileName(str(fields / f"{domain}.xdmf"))
    reader.UpdateInformation()
    key = vtk.vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    times = reader.GetOutputInformation(0).Get(key)
    np.testing.assert_allclose(times, [sample.time_s for sample, _ in run.samples], rtol=1e-14)
    reader.UpdateTimeStep(times[5])
    output = reader.GetOutputDataObject(0)
    assert output.IsA("vtkUnstructuredGrid")
    grid = next(grid for grid in run.grids if grid.name == domain)
    assert output.GetNumberOfCells() == len(grid.cells)
    points = support.vtk_to_numpy(output.GetPoints().GetData())
    np.testing.assert_array_equal(points[:, :2], grid.points_um)
    assert np.all(points[:, 2] == 0)
    for name, values in run.samples[5][1][domain].items():
        found = support.vtk_to_numpy(output.GetPointData().GetArray(name))
        np.testing.assert_array_equal(found, values)
    for name, values in grid.cell_data.items():
        found = support.vtk_to_numpy(output.GetCellData().GetArray(name))
        np.testing.assert_array_equal(found, values)


def test_tetrahedra_read_back(tmp_path: Path) -> None:
    grid = tetrahedron()
    writer = FieldWriter(tmp_path / "fields", [grid])
    writer.write(1.5, {"carbon": {"potential": np.arange(5.0)}})
    series = read_fields(tmp_path, "carbon")
    np.testing.assert_array_equal(series.grid.points_um, grid.points_um)
    np.testing.assert_array_equal(series.grid.cells, grid.cells)
    np.testing.assert_array_equal(series.load(0)["potential"], np.arange(5.0))
    assert 'TopologyType="Tetrahedron"' in (tmp_path / "fields" / "carbon.xdmf").read_text()


def test_a_time_never_occurs_twice(tmp_path: Path) -> None:
    writer = FieldWriter(tmp_path / "fields", [tetrahedron()])
    for time, value in [(0.0, 0.0), (1.0, 1.0), (1.0, 2.0), (2.0, 3.0)]:
        writer.write(time, {"carbon": {"potential": np.full(5, value)}})
    series = read_fields(tmp_path, "carbon")
    assert series.times_s.tolist() == [0.0, 1.0, 2.0]
    assert [series.load(i)["potential"][0] for i in range(3)] == [0.0, 2.0, 3.0]
    with pytest.raises(ValueError, match=r"at 1\.9 s after one at 2\.0 s"):
        writer.write(1.9, {"carbon": {"potential": np.zeros(5)}})


def test_every_finished_sample_is_complete_while_the_run_goes_on(
    tmp_path: Path, run: SyntheticRun
) -> None:
    writer = FieldWriter(tmp_path / "fields", run.grids)
    for count, (sample, values) in enumerate(run.samples[:4], start=1):
        writer.write(sample.time_s, values)
        for domain in EXPECTED:
            series = read_fields(tmp_path, domain)
            assert len(series.times_s) == count
            assert series.load(count - 1).keys() == values[domain].keys()


def test_values_must_fit_the_grids(tmp_path: Path) -> None:
    writer = FieldWriter(tmp_path / "fields", [tetrahedron()])
    with pytest.raises(ValueError, match="5 points"):
        writer.write(0.0, {"carbon": {"potential": np.zeros(4)}})
    with pytest.raises(ValueError, match="grids for"):
        writer.write(0.0, {"particles": {"potential": np.zeros(5)}})
    with pytest.raises(ValueError, match="shape"):
        FieldGrid("carbon", np.zeros((3, 2)), np.zeros((1, 4), dtype=int))


def test_missing_fields_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"carbon\.xdmf"):
        read_fields(tmp_path, "carbon")
    writer = FieldWriter(tmp_path / "fields", [tetrahedron()])
    writer.write(0.0, {"carbon": {"potential": np.zeros(5)}})
    series = read_fields(tmp_path, "carbon")
    (tmp_path / "fields" / "data" / "000000.h5").unlink()
    with pytest.raises(InputError, match="sample 0"):
        series.load(0)
