"""Everything in one call: dictionaries, tables, warnings; nothing heavy is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest

from helpers.commands import environment
from helpers.heterogeneity_cases import exponential_marks, field, packing
from helpers.surroundings import PATIENCE
from heterode.base.errors import InputError
from heterode.heterogeneity import Heterogeneity, MarkedPoints, Settings, analyse
from heterode.heterogeneity.clusters import cluster_curve
from heterode.heterogeneity.compiled import compiled
from heterode.heterogeneity.correlogram import correlogram

QUICK = Settings(permutations=39, seeds=2, ladder=(4, 10, 30, 100, 400), grid=32, max_um=30.0)


@cache
def run(length_um: float = 20.0, settings: Settings = QUICK, fields: int = 1) -> Heterogeneity:
    marks = exponential_marks(length_um, fields, seed=3)
    points = [field(m, packing()) for m in marks]
    return analyse(points, settings, np.random.default_rng(0))


def numbers(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested dictionaries by path."""
    if isinstance(value, dict):
        found = [numbers(item, f"{path}.{key}") for key, item in value.items()]
        return {key: leaf for part in found for key, leaf in part.items()}
    return {path[1:]: value}


def test_dictionary_is_json_with_units() -> None:
    found = run()
    text = json.dumps(found.as_dict(), allow_nan=False)
    again = json.loads(text)
    assert again == found.as_dict()
    leaves = numbers(again)
    assert leaves["scale.scale_um"] == found.scale.scale_um
    assert leaves["correlogram.kendall.value"][0] == found.correlogram.kendall.value[0]
    assert leaves["correlogram.spearman.envelope_upper"][1] == pytest.approx(
        found.correlogram.spearman.envelope[1, 1]
    )
    assert leaves["variogram.integral_um2"] == found.variogram.integral
    assert leaves["clusters.extent_um2"] == pytest.approx(324**2)
    assert leaves["settings.permutations"] == 39
    assert leaves["fields"][0]["particles"] == 2000
    # Not converged in one sub-field: no number, and JSON has no NaN.
    assert not any(isinstance(leaf, float) and not np.isfinite(leaf) for leaf in leaves.values())


def test_tables_hold_the_curves() -> None:
    found = run()
    tables = found.tables()
    assert set(tables) == {"correlogram", "variogram", "directions", "clusters", "cluster_means"}
    of_pairs = tables["correlogram"]
    assert of_pairs["pairs"].tolist() == found.correlogram.pairs.tolist()
    assert of_pairs["lower_um"].tolist() == [10.0 * b for b in range(3)]
    assert of_pairs["pearson_band_upper"].to_numpy() == pytest.approx(
        found.correlogram.pearson.band[1]
    )
    assert tables["clusters"]["sd"].to_numpy() == pytest.approx(found.curve.sd)
    assert len(tables["cluster_means"]) == 4 + 10 + 30 + 100 + 400
    by_size = tables["cluster_means"].groupby("clusters")["mean"].std()
    assert by_size.to_numpy()[::-1] == pytest.approx(found.curve.sd_by_seed[0])
    variogram = tables["variogram"]
    assert variogram["fitted"].to_numpy() == pytest.approx(
        found.variogram(variogram["distance_um"].to_numpy())
    )


def test_same_numbers_from_the_same_seed() -> None:
    again = run.__wrapped__()
    assert again.as_dict() == run().as_dict()


@pytest.mark.parametrize("exchanged", [False, True])
def test_what_is_added_shifts_no_stream(exchanged: bool) -> None:
    """Pairs draw from the first child of the generator and clusters from the second, for ever."""
    found, children = run(), np.random.default_rng(0).spawn(2)
    pairs, clusters = reversed(children) if exchanged else children
    alone = correlogram(
        found.fields,
        QUICK.edges_um(found.fields),
        permutations=QUICK.permutations,
        rng=pairs,
        min_pairs=QUICK.min_pairs,
        rank_pairs_cap=QUICK.rank_pairs_cap,
    )
    curve = cluster_curve(
        found.fields,
        ladder=QUICK.ladder,
        seeds=QUICK.seeds,
        permutations=QUICK.permutations,
        rng=clusters,
    )
    same_pairs = np.array_equal(alone.pearson.envelope, found.correlogram.pearson.envelope)
    same_clusters = np.array_equal(curve.sd_by_seed, found.curve.sd_by_seed)
    assert (same_pairs, same_clusters) == (not exchanged, not exchanged)


def test_structure_and_its_absence_are_told_apart() -> None:
    structured, random = run(10.0), run(0.0)
    assert structured.variogram.identified
    assert structured.scale.p_value <= 0.05
    assert not random.variogram.identified
    assert any("No correlation length: no structure" in w for w in random.warnings)
    said = "cannot be told from randomly exchanged values"
    assert any(said in w for w in random.warnings)
    assert not any(said in w for w in structured.warnings)


def test_not_converged_is_said() -> None:
    found = run(40.0)
    assert found.scale.flag == "above"
    assert any("not converged" in w and "larger field" in w for w in found.warnings)


def test_fields_are_pooled() -> None:
    found = run(10.0, fields=2)
    assert len(found.density) == 2
    assert found.correlogram.fields == 2
    assert found.scale.by_field_um.shape == (2,)
    assert found.correlogram.pairs.tolist() == (2 * run(10.0).correlogram.pairs).tolist()


def test_without_permutations() -> None:
    found = run(10.0, Settings(permutations=0, seeds=1, ladder=(4, 40), grid=16, max_um=30.0))
    assert found.as_dict()["scale"]["p_value"] is None
    assert found.as_dict()["correlogram"]["pearson"]["band_upper"] == [None] * 3


def test_three_dimensions() -> None:
    rng = np.random.default_rng(0)
    positions = packing(400, 80.0, 3)
    points = field(rng.random(400) + positions[:, 0] / 40, positions, 80.0)
    found = analyse([points], QUICK, rng)
    leaves = numbers(found.as_dict())
    assert leaves["clusters.extent_um3"] == pytest.approx(80**3)
    assert leaves["density"][0]["axes"] == ["x", "z"]


def test_a_field_of_a_dozen_particles() -> None:
    rng = np.random.default_rng(0)
    points = MarkedPoints("dozen", rng.uniform(0, 40, (12, 2)), rng.random(12))
    found = analyse([points], Settings(permutations=39, grid=16), rng)
    json.dumps(found.as_dict(), allow_nan=False)
    assert found.warnings


def test_distance_bins() -> None:
    points = [field(exponential_marks(0.0, 1, seed=3)[0], packing())]
    assert Settings().edges_um(points).tolist() == [10.0 * b for b in range(11)]
    assert Settings(max_um=35.0, bin_um=5.0).edges_um(points)[-1] == 35.0
    small = [field(np.random.default_rng(0).random(60), packing(60, 50.0), 50.0)]
    assert Settings().edges_um(small).tolist() == [0.0, 10.0, 20.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bin_um": 0.0}, "bin_um = 0.0 must be above 0"),
        ({"max_um": 5.0}, "less than one bin"),
        ({"band": -0.1}, "band = -0.1"),
        ({"model": "linear"}, "allowed are best"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Settings(**changes)


def test_loads_neither_the_solver_nor_figures() -> None:
    script = "import sys, heterode.heterogeneity; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"numba", "scipy"} <= loaded
    assert not loaded & {"dolfinx", "gmsh", "matplotlib", "mpi4py", "petsc4py", "h5py"}


def test_loops_compile_where_nothing_can_be_kept() -> None:
    """Code without a file has no place for its cache, as a read-only installation has none."""
    names: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x", names)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(names["twice"])
    assert compiled(names["twice"])(21) == 42
