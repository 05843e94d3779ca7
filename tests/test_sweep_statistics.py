"""What a sweep says of its table: bounds in quantiles, variances, indices, figures."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.markers import CARETUPBASE

from helpers.sweeps import plan
from heterode.sweep.findings import write_findings
from heterode.sweep.folder import Ended, SweepFolder
from heterode.sweep.plan import SweepPlan
from heterode.sweep.statistics import Split, indices, quantile, regression, summary, variance_split
from heterode.sweep.table import collect, write_table
from heterode.viewing.ensemble import Axis, effect_figure


def test_quantiles_know_lower_bounds() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    none = np.zeros(5, dtype=bool)
    assert quantile(values, none, 0.5) == (3.0, False)
    # The two at 2.5 are at least that: they may be the largest.
    bounded = np.array([1.0, 2.0, 2.5, 2.5, 5.0])
    found = quantile(bounded, np.array([False, False, True, True, False]), 0.5)
    assert found == (5.0, False)
    assert quantile(values, np.array([False, False, True, True, True]), 0.5) == (3.0, True)
    value, bound = quantile(np.full(3, np.nan), np.zeros(3, dtype=bool), 0.5)
    assert np.isnan(value)
    assert not bound


CROSSED = """
[vary]
penalty.shape = [1, 2, 3]
penalty.scale = [0.2, 0.4]
[seeds]
packing = 3
penalty = 4
"""


def table_of(found: SweepPlan, number: object) -> pd.DataFrame:
    """A table of complete runs in which `number(coordinates, packing, penalty)` was measured."""
    rows = [
        {
            "run": run.id,
            "point": run.point,
            **{f.column: run.coordinates[f.name] for f in found.factors},
            "block": run.block,
            "row": run.row,
            "packing_seed": run.packing_seed,
            "penalty_seed": run.penalty_seed,
            "status": "completed",
            "peak_spread": number(run.coordinates, run.packing_seed, run.penalty_seed),  # type: ignore[operator]
        }
        for run in found.runs
    ]
    table = pd.DataFrame(rows)
    return table.assign(L_star_independent_um=table["peak_spread"])


def test_a_variance_is_split_by_its_sources(tmp_path: Path) -> None:
    found = plan(tmp_path, CROSSED)

    def additive(at: dict[str, float], packing: int, penalty: int) -> float:
        return at["penalty.shape"] + 10 * at["penalty.scale"] + 0.5 * packing + 2 * penalty

    split = variance_split(table_of(found, additive), found, "peak_spread")
    assert isinstance(split, Split)
    parts = {
        "penalty.shape": np.var([1, 2, 3]),
        "penalty.scale": np.var([2, 4]),
        "packing seed": np.var([0.5, 1, 1.5]),
        "penalty seed": np.var([2, 4, 6, 8]),
    }
    total = sum(parts.values())
    for name, part in parts.items():
        assert split.shares[name] == pytest.approx(part / total, rel=1e-9), name
    assert sum(split.shares.values()) == pytest.approx(1.0)
    assert sum(split.freedom.values()) == len(found.runs) - 1
    assert split.within["packing seed"] == pytest.approx(
        parts["packing seed"] / (parts["packing seed"] + parts["penalty seed"])
    )

    def together(at: dict[str, float], packing: int, penalty: int) -> float:
        return additive(at, packing, penalty) * (1 + (packing * penalty) % 3)

    # What sources do together is told as that, and is nobody's own.
    mixed = variance_split(table_of(found, together), found, "peak_spread")
    assert isinstance(mixed, Split)
    assert mixed.shares["both seeds, and seeds with parameters"] > 0.2
    assert split.shares["both seeds, and seeds with parameters"] < 1e-9


def test_points_with_missing_runs_are_left_out(tmp_path: Path) -> None:
    found = plan(tmp_path, CROSSED)
    table = table_of(found, lambda at, packing, penalty: at["penalty.shape"] + penalty)
    table.loc[0, "status"] = "failed"
    split = variance_split(table, found, "peak_spread")
    assert isinstance(split, Split)
    assert split.points == 5


def test_paired_seeds_cannot_be_told_apart(tmp_path: Path) -> None:
    found = plan(tmp_path, '[seeds]\npacking = 3\npenalty = 3\ncombine = "paired"')
    table = table_of(found, lambda at, packing, penalty: float(packing))
    why = variance_split(table, found, "peak_spread")
    assert isinstance(why, str)
    assert "paired" in why


ISHIGAMI = """
[vary]
penalty.shape = { from = 1, to = 2 }
penalty.scale = { from = 0.1, to = 0.6 }
penalty.minimum = { from = 1e-3, to = 0.1 }
[design]
kind = "saltelli"
draws = 512
"""


def ishigami(at: dict[str, float], packing: int, penalty: int) -> float:
    """Ishigami and Homma (1990), a = 7, b = 0.1."""
    x = 2 * np.pi * (at["penalty.shape"] - 1) - np.pi
    y = 2 * np.pi * (at["penalty.scale"] - 0.1) / 0.5 - np.pi
    z = 2 * np.pi * (at["penalty.minimum"] - 1e-3) / 0.099 - np.pi
    return float(np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x))


def test_sobol_indices_of_a_known_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Thousands of points that are never run need no validation.
    monkeypatch.setattr("heterode.sweep.plan.load_parameters", lambda *_: _Any())
    monkeypatch.setattr("heterode.sweep.plan.fingerprint", lambda _: "")
    monkeypatch.setattr("heterode.sweep.plan._shared_layers", lambda *_: {})
    found = plan(tmp_path, ISHIGAMI)
    table = table_of(found, ishigami)
    rows = indices(table, found, resamples=50)
    assert isinstance(rows, pd.DataFrame)
    rows = rows[rows["outcome"] == "peak_spread"].set_index("factor")
    first = [rows.loc[f.name, "first_order"] for f in found.factors]
    total = [rows.loc[f.name, "total_order"] for f in found.factors]
    assert first == pytest.approx([0.3139, 0.4424, 0.0], abs=0.06)
    assert total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.06)
    # With the blocks mixed up it would come out wrong.
    mixed = table.assign(block=table["block"].replace({"A": "B", "B": "A"}))
    wrong = indices(mixed, found, resamples=50)
    assert isinstance(wrong, pd.DataFrame)
    assert wrong.loc[0, "first_order"] != pytest.approx(0.3139, abs=0.06)
    table.loc[3, "status"] = "failed"
    assert indices(table, found) == "some runs are missing"


class _Any:
    """Parameters of which only the seeds and the kind of penalties are looked at."""

    class penalty:  # noqa: N801
        distribution = "none"

    class seeds:  # noqa: N801
        packing = penalty = 1


def test_a_regression_finds_what_is_linear(tmp_path: Path) -> None:
    text = """
    [vary]
    penalty.shape = { from = 1, to = 3 }
    active_material.rate_constant = { from = "1e-12 m/s", to = "1e-9 m/s", scale = "log" }
    [design]
    kind = "latin_hypercube"
    draws = 24
    """
    found = plan(tmp_path, text)

    def number(at: dict[str, float], packing: int, penalty: int) -> float:
        return 3 * at["penalty.shape"] - np.log10(at["active_material.rate_constant"])

    rows = regression(table_of(found, number), found)
    assert isinstance(rows, pd.DataFrame)
    row = rows[rows["outcome"] == "peak_spread"].set_index("factor")
    assert row["r2"].iloc[0] == pytest.approx(1.0)
    ratio = row.loc["penalty.shape", "coefficient"] / row["coefficient"].iloc[1]
    # Standard deviations of uniform draws: 3 * 2 against 3 decades, down.
    assert ratio == pytest.approx(-2.0, rel=0.15)
    # Too few particles for an L*: the spread is explained all the same.
    without = table_of(found, number).assign(L_star_independent_um=np.nan)
    alone = regression(without, found)
    assert isinstance(alone, pd.DataFrame)
    assert set(alone["outcome"]) == {"peak_spread"}
    assert regression(without.assign(status="failed"), found) == "no run is complete"


# -- table and figures -----------------------------------------------------------------------


def measured(found: SweepPlan, folder: SweepFolder, *, leave: int = 0) -> None:
    """Outcomes of all runs but the last, as if they had been run."""
    rng = np.random.default_rng(1)
    runs = found.unique()
    for number, run in enumerate(runs[: len(runs) - leave]):
        length = 40.0 + 30.0 * rng.random()
        numbers = {
            "peak_spread": 0.05 + 0.01 * rng.random(),
            "L_star_um": min(length, 60.0),
            "L_star_flag": "above" if length > 60.0 else "ok",
            "L_star_independent_um": length,
            "L_star_null_median_um": None,
        }
        ended = Ended("completed", "done", numbers, asked=found.file.measure.asked)
        folder.end(run.id, ended if number else Ended("failed", "at t = 3 s: no"))


def test_the_table_tells_of_every_run(tmp_path: Path) -> None:
    found = plan(tmp_path, CROSSED)
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    measured(found, folder, leave=2)
    table = collect(found, folder)
    assert list(table["status"].value_counts()[["completed", "waiting", "failed"]]) == [69, 2, 1]
    assert table.columns[2:4].tolist() == ["penalty.shape", "penalty.scale"]
    assert table.loc[0, "reason"] == "at t = 3 s: no"
    write_table(table, folder)
    parquet = pd.read_parquet(folder.parquet)
    assert parquet["L_star_null_median_um"].isna().all()
    pd.testing.assert_frame_equal(
        pd.read_csv(folder.csv)[["run", "L_star_um"]], parquet[["run", "L_star_um"]]
    )


def test_figures_and_statistics_are_written(tmp_path: Path) -> None:
    level = '"C/2" = { solver.maximum_step_fraction = 0.05 }'
    found = plan(tmp_path, f"{CROSSED}[levels.rate]\n{level}\n")
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    measured(found, folder)
    table = collect(found, folder)
    findings = write_findings(found, folder, table)
    names = {path.name for path in findings.files}
    assert {"effect_penalty_shape.png", "variance.png", "points.csv", "statistics.json"} <= names
    for path in findings.files:
        assert path.stat().st_size > 500
    told = json.loads((folder.path / "statistics.json").read_text())
    assert sum(told["variance"]["peak_spread"]["shares"].values()) == pytest.approx(1.0)
    rows = summary(table, ["penalty.shape"])
    assert len(rows) == 3
    converged = (table["L_star_flag"] == "ok") & (table["status"] == "completed")
    assert np.average(rows["L_star_converged"], weights=rows["runs"]) == pytest.approx(
        converged.sum() / (table["status"] == "completed").sum()
    )


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    found = plan(tmp_path, CROSSED)
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    assert write_findings(found, folder, collect(found, folder)).files == ()


def test_designs_of_all_kinds_have_their_figures(tmp_path: Path) -> None:
    for kind, figure in (("saltelli", "sobol_indices"), ("latin_hypercube", "regression")):
        place = tmp_path / kind
        place.mkdir()
        text = ISHIGAMI.replace("512", "4").replace("saltelli", kind)
        found = plan(place, text)
        folder = SweepFolder(place / "out")
        folder.create(found)
        rng = np.random.default_rng(2)
        for run, n in zip(found.unique(), itertools.count()):
            spread = 0.02 + 0.01 * run.coordinates["penalty.scale"] + 1e-3 * rng.random()  # type: ignore[operator]
            numbers = {
                "peak_spread": spread,
                "L_star_um": 50.0 + n,
                "L_star_flag": "ok",
                "L_star_independent_um": 50.0 + n,
            }
            folder.end(run.id, Ended("completed", "", numbers))
        names = {path.stem for path in write_findings(found, folder, collect(found, folder)).files}
        # Four draws are too few for three coefficients.
        assert (figure in names) == (kind == "saltelli")


def scales(bound: list[bool]) -> pd.DataFrame:
    """The summary of a factor at four values; where `bound`, L* is a lower bound of 84 um."""
    length = np.where(bound, 84.0, [60.0, 70.0, 75.0, 80.0])
    numbers = {"L_star_um": length, "L_star_independent_um": 70.0, "field_um": 169.0}
    numbers["peak_spread"] = np.array([0.05, 0.06, 0.07, 0.08])
    rows = pd.DataFrame({"length": [2.0, 5.0, 10.0, 20.0], "L_star_um_is_bound": bound, **numbers})
    for name in ("L_star_um", "peak_spread"):
        rows = rows.assign(**{f"{name}_low": 0.9 * rows[name], f"{name}_high": 1.1 * rows[name]})
    return rows


@pytest.mark.parametrize("bound", [[True] * 4, [False, False, True, True], [False] * 4])
def test_lower_bounds_are_arrows_below_the_field_and_no_medians(bound: list[bool]) -> None:
    figure = effect_figure(scales(bound), Axis("length", "length / µm"), None, None, "sweep")
    upper, lower = figure.axes
    medians = [line for line in upper.lines if line.get_label() == "median, 16 to 84 %"]
    known = [line.get_ydata()[np.isfinite(line.get_ydata())] for line in medians]
    expected = scales(bound)["L_star_um"][~np.array(bound)].tolist()
    assert [value for values in known for value in values] == expected
    # Carets of matplotlib's error bars with lower limits.
    carets = [line for line in upper.lines if line.get_marker() == CARETUPBASE]
    arrows = [value for line in carets for value in line.get_ydata()]
    assert len(arrows) == sum(bound)
    assert all(value > 84.0 for value in arrows)
    fields = [line for line in upper.lines if line.get_label() == "field"]
    assert [line.get_ydata()[0] for line in fields] == ([169.0] if any(bound) else [])
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert ("lower bound, not converged" in texts) == any(bound)
    # The spread below has medians whatever became of L*.
    assert "median, 16 to 84 %" in texts
    assert all(np.isfinite(lower.lines[0].get_ydata()))


def test_the_summary_holds_the_field() -> None:
    table = pd.DataFrame({"status": "completed", "g": [1, 1, 2], "field_um": [100.0, 120.0, 90.0]})
    assert summary(table, ["g"])["field_um"].tolist() == [110.0, 90.0]
