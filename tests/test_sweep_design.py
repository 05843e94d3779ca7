"""A sweep file to its runs: designs, seeds, identities, and mistakes in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.paths import PRESET, ROOT
from helpers.sweeps import plan
from heterode.base.errors import InputError
from heterode.parameters import load_parameters
from heterode.protocol import Step
from heterode.sweep.folder import SweepFolder
from heterode.sweep.plan import SweepPlan, lay_out, plan_of, read_sweep
from heterode.sweep.validity import warning_lines

PRESETS = sorted((ROOT / "params" / "sweeps").glob("*.toml"))


def column(found: SweepPlan, name: str) -> list[object]:
    return [run.coordinates[name] for run in found.runs]


# -- designs ---------------------------------------------------------------------------------


def test_a_grid_is_all_combinations_in_the_units_of_the_parameter_file(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        """
        [vary]
        penalty.shape = [1, 3]
        active_material.rate_constant = { from = "1e-12 m/s", to = "1e-10 m/s", points = 3, scale = "log" }
        geometry.coating_thickness = ["46 um", "0.06 mm"]
        [levels.rate]
        "C/2" = { protocol.steps = ["charge at C/2 until 4.2 V"] }
        "1C" = { protocol.steps = ["charge at 1C until 4.2 V"], seeds.penalty = 5 }
        """,  # noqa: E501
    )
    assert len(found.runs) == len({run.id for run in found.runs}) == 24
    assert set(column(found, "active_material.rate_constant")) == {1e-12, 1e-11, 1e-10}
    assert set(column(found, "geometry.coating_thickness")) == {46e-6, 60e-6}
    assert set(column(found, "rate")) == {"C/2", "1C"}
    assert [factor.column for factor in found.factors] == [
        "penalty.shape",
        "active_material.rate_constant [m/s]",
        "geometry.coating_thickness [m]",
        "rate",
    ]
    for run in found.runs:
        parameters = load_parameters(found.base, run.overrides)
        at = run.coordinates
        assert parameters.penalty.shape == at["penalty.shape"]
        rate = parameters.active_material.rate_constant_anodic
        assert rate == pytest.approx(at["active_material.rate_constant"], rel=1e-12)
        assert parameters.seeds.penalty == (5 if at["rate"] == "1C" else 1)
        # Figures and fields would cost more than they tell.
        assert not parameters.output.report


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    text = '[vary]\ngeometry.particles = {{ from = 100, to = 2000, points = 4, scale = "{}" }}'
    assert column(plan(tmp_path, text.format("log")), "geometry.particles") == [100, 271, 737, 2000]
    assert column(plan(tmp_path, text.format("linear")), "geometry.particles")[1] == 733


def strata_hit(values: list[float], low: float, high: float) -> int:
    """How many of as many equal strata as values hold one."""
    place = (np.array(values) - low) / (high - low) * len(values)
    return len(set(np.floor(place).astype(int)))


DRAWN = """
[vary]
penalty.shape = {{ from = 1, to = 3 }}
penalty.scale = [0.2, 0.4]
[design]
kind = "{kind}"
draws = 16
seed = {seed}
"""


def test_a_latin_hypercube_hits_every_stratum_once(tmp_path: Path) -> None:
    def drawn(kind: str, seed: int = 1) -> list[float]:
        found = plan(tmp_path, DRAWN.format(kind=kind, seed=seed))
        assert set(column(found, "penalty.scale")) == {0.2, 0.4}
        return column(found, "penalty.shape")  # type: ignore[return-value]

    assert strata_hit(drawn("latin_hypercube"), 1, 3) == 16
    assert strata_hit(drawn("sobol"), 1, 3) == 16
    # Independent draws miss some: the test can fail.
    assert strata_hit(drawn("random"), 1, 3) < 16
    assert drawn("random") == drawn("random")
    assert drawn("random") != drawn("random", 2)


def test_a_saltelli_design_exchanges_one_factor_at_a_time(tmp_path: Path) -> None:
    text = """
    [vary]
    penalty.shape = { from = 1, to = 3 }
    penalty.scale = { from = 0.2, to = 0.8 }
    [design]
    kind = "saltelli"
    draws = 4
    """
    found = plan(tmp_path, text)
    rows = {(run.block, run.row): run.coordinates for run in found.runs}
    assert len(rows) == 4 * (2 + 2)
    for row in range(4):
        a, b, ab = rows["A", row], rows["B", row], rows["penalty.scale", row]
        assert ab["penalty.shape"] == a["penalty.shape"] != b["penalty.shape"]
        assert ab["penalty.scale"] == b["penalty.scale"] != a["penalty.scale"]


def test_a_list_is_as_written(tmp_path: Path) -> None:
    text = """
    [design]
    kind = "list"
    [[points]]
    penalty.shape = 1
    [[points]]
    penalty.shape = 2
    temperature = "30 degC"
    """
    found = plan(tmp_path, text)
    assert [run.coordinates for run in found.runs] == [
        {"penalty.shape": 1.0},
        {"penalty.shape": 2.0, "temperature": pytest.approx(303.15)},
    ]


# -- seeds and identities --------------------------------------------------------------------


def seeds(found: SweepPlan) -> list[tuple[int, int]]:
    return [(run.packing_seed, run.penalty_seed) for run in found.runs]


def test_seeds_are_crossed_or_paired(tmp_path: Path) -> None:
    crossed = plan(tmp_path, "[seeds]\npacking = 2\npenalty = [4, 9]")
    assert sorted(seeds(crossed)) == [(1, 4), (1, 9), (2, 4), (2, 9)]
    paired = plan(tmp_path, '[seeds]\npacking = 2\npenalty = [4, 9]\ncombine = "paired"')
    assert seeds(paired) == [(1, 4), (2, 9)]


CONTROL = """[levels.penalties]
none = { penalty.distribution = "none" }
weibull = { penalty.shape = 2 }
[seeds]
"""


def test_a_control_without_penalties_runs_once_per_packing(tmp_path: Path) -> None:
    found = plan(tmp_path, f"{CONTROL}packing = 2\npenalty = [4, 9, 11]")
    by_level = {
        level: [run for run in found.runs if run.coordinates["penalties"] == level]
        for level in ("none", "weibull")
    }
    assert [run.packing_seed for run in by_level["none"]] == [1, 2]
    assert sorted((run.packing_seed, run.penalty_seed) for run in by_level["weibull"]) == [
        (packing, penalty) for packing in (1, 2) for penalty in (4, 9, 11)
    ]
    assert len({run.id for run in found.runs}) == 8
    (remark,) = found.remarks
    assert remark.startswith("1 of 2 points (penalties = none) have 2 runs each, not 6: seeds")
    # The negative control: where all points have penalties there is nothing to say.
    assert plan(tmp_path, "[vary]\npenalty.shape = [1, 2]\n[seeds]\npenalty = 3").remarks == []


def test_a_control_has_its_packings_where_seeds_are_paired(tmp_path: Path) -> None:
    found = plan(tmp_path, f'{CONTROL}packing = 2\npenalty = [4, 9]\ncombine = "paired"')
    at = [(run.coordinates["penalties"], run.packing_seed) for run in found.runs]
    assert sorted(at) == [("none", 1), ("none", 2), ("weibull", 1), ("weibull", 2)]


def test_a_given_mesh_runs_once_per_penalty(tmp_path: Path) -> None:
    """The same of the other seed: a mesh file has no packing to draw."""
    mesh = ROOT / "meshes" / "five_discs_2d.msh"
    levels = f'[levels.mesh]\ngiven = {{ geometry.mesh_file = "{mesh}" }}\n'
    levels += "packed = { geometry.particles = 20 }\n"
    found = plan(tmp_path, f"{levels}[seeds]\npacking = 3\npenalty = 2")
    given = [run for run in found.runs if run.coordinates["mesh"] == "given"]
    assert [run.penalty_seed for run in given] == [1, 2]
    assert len(found.runs) == 2 + 6


def test_seeds_without_effect_at_any_point_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seeds\.penalty.*has no effect with penalty") as caught:
        plan(tmp_path, '[set]\npenalty.distribution = "none"\n[seeds]\npenalty = 3')
    assert "\n" not in str(caught.value)


def test_a_design_that_grows_keeps_its_runs(tmp_path: Path) -> None:
    text = "[vary]\npenalty.shape = [{}]\n[seeds]\npenalty = {}\n"
    before = {run.id for run in plan(tmp_path, text.format("1, 2", 2)).runs}
    after = {run.id for run in plan(tmp_path, text.format("1, 1.5, 2", 3)).runs}
    assert len(before) == 4
    assert before < after
    # What only [output] says is no other run; a factor of another packing is.
    told = '[set]\ntitle = "other"\noutput.report = true\n' + text.format("1, 2", 2)
    assert {run.id for run in plan(tmp_path, told).runs} == before
    other = "[set]\nseeds.packing = 2\n" + text.format("1, 2", 2)
    assert not {run.id for run in plan(tmp_path, other).runs} & before


def test_files_count_by_their_content(tmp_path: Path) -> None:
    text = '[set]\npenalty.distribution = "table"\npenalty.file = "given.csv"'
    table = tmp_path / "given.csv"
    table.write_text("particle,penalty\n0,0.5\n")
    first = plan(tmp_path, text).runs[0].id
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "given.csv").write_text(table.read_text())
    assert plan(other, text).runs[0].id == first
    table.write_text("particle,penalty\n0,0.6\n")
    assert plan(tmp_path, text).runs[0].id != first


def test_a_table_of_a_cell_is_found_beside_the_sweep_and_counts_with_its_area(
    tmp_path: Path,
) -> None:
    (tmp_path / "us06.csv").write_text("Time [s],Current [A]\n0,0\n10,1\n")
    levels = "\n".join(
        f'a{area} = {{ protocol.steps = ["follow us06.csv with area {area} cm^2"] }}'
        for area in (500, 1000)
    )
    found = plan(tmp_path, f"[levels.cell]\n{levels}\n")
    assert len({run.id for run in found.runs}) == 2
    for run, peak in zip(found.runs, (20.0, 10.0), strict=True):
        (step,) = load_parameters(PRESET, run.overrides).protocol.steps
        assert isinstance(step, Step)
        assert step.table is not None
        assert step.table.peak == pytest.approx(peak)


def test_a_plan_is_read_back_from_its_folder(tmp_path: Path) -> None:
    text = (
        '[vary]\npenalty.shape = [1, 2]\n[measure]\nvoltage_at = ["x = 0.6"]\n[slurm]\ntime = "2 h"'
    )
    found = plan(tmp_path, text)
    folder = SweepFolder(tmp_path / "out")
    folder.create(found)
    again = folder.read()
    assert again.runs == found.runs
    assert again.file == found.file
    assert again.file.slurm.time == 7200.0
    assert plan_of(again.as_dict()).runs == found.runs


# -- mistakes --------------------------------------------------------------------------------

MISTAKES = {
    "no file": ("[vary]\npenalty.shap = [1]", ["penalty.shap", "is not a key", "shape"]),
    "value": ("[vary]\npenalty.shape = [1, -1]", ["at penalty.shape = -1", "out of range"]),
    "unit": (
        '[vary]\ngeometry.coating_thickness = { from = "1 s", to = "60 um", points = 2 }',
        ["vary.geometry.coating_thickness", "is a time, not a length"],
    ),
    "no points": (
        "[vary]\npenalty.shape = { from = 1, to = 2 }",
        ["vary.penalty.shape", "has no points", "points = 5"],
    ),
    "falling": (
        "[vary]\npenalty.shape = { from = 2, to = 1, points = 2 }",
        ["vary.penalty.shape", "does not rise"],
    ),
    "log of nothing": (
        "[vary]\nactive_material.double_layer_capacitance = "
        '{ from = "0 F/m^2", to = "1 F/m^2", points = 2, scale = "log" }',
        ["no logarithm"],
    ),
    "word": ("[vary]\npenalty.shape = 3", ["vary.penalty.shape = 3", "no list of values"]),
    "points of a range": (
        "[vary]\npenalty.shape = { from = 1, to = 2, points = 1000000000 }",
        ["vary.penalty.shape", "a number of points", "from 2 to 10 000"],
    ),
    "scale of a range": (
        '[vary]\npenalty.shape = { from = 1, to = 2, scale = "cubic" }',
        ["vary.penalty.shape", "a scale", "linear, log"],
    ),
    "kind": ('[design]\nkind = "gird"', ['design.kind = "gird"', "grid", "latin_hypercube"]),
    "draws": (
        '[vary]\npenalty.shape = [1]\n[design]\nkind = "random"',
        ["design.draws is missing", "draws = 64"],
    ),
    "power": (
        '[vary]\npenalty.shape = [1]\n[design]\nkind = "sobol"\ndraws = 10',
        ["design.draws = 10", "power of 2", "Take 16"],
    ),
    "paired": (
        '[seeds]\npacking = 2\npenalty = 3\ncombine = "paired"',
        ["seeds.combine", "2 seeds of packing and 3", "crossed"],
    ),
    "seeds": ("[seeds]\npacking = 0", ["seeds.packing = 0", "out of range"]),
    "twice": ("[seeds]\npacking = [1, 1]", ["seeds.packing", "twice"]),
    "seeds varied": (
        "[vary]\nseeds.packing = [1, 2]\n[seeds]\npacking = 2",
        ["seeds.packing", "varied as well"],
    ),
    "key": ("[sed]\npacking = 2", ["sed is not a key of the file", "seeds"]),
    "moment": ('[measure]\nat = "noon"', ['measure.at = "noon"', "is no moment"]),
    "set point": ('[measure]\nvoltage_at = ["y = 1"]', ["measure.voltage_at", "'y = 1'"]),
    "levels": ("[levels]\nrate = 1", ["levels.rate = 1", "has no levels"]),
    "column": (
        "[levels.run]\na = { penalty.shape = 1 }",
        ["levels.run is no name for a factor", "column like it"],
    ),
    "list": (
        '[vary]\npenalty.shape = [1]\n[design]\nkind = "list"',
        ["vary", "list", "[[points]]"],
    ),
    "ranks": ("ranks = 0", ["ranks = 0", "whole numbers at least 1"]),
    "slurm": ('[slurm]\ntime = "2 m"', ['slurm.time = "2 m"', "is a length, not a time"]),
}


@pytest.mark.parametrize("about", MISTAKES)
def test_a_mistake_is_one_clear_line(about: str, tmp_path: Path) -> None:
    text, fragments = MISTAKES[about]
    with pytest.raises(InputError) as caught:
        plan(tmp_path, text)
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "sweep.toml"))
    assert "\n" not in line
    for fragment in fragments:
        assert fragment in line


def test_a_base_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        plan(tmp_path, "", tmp_path / "none.toml")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="Choose another --out"):
        SweepFolder(tmp_path).check()


# -- presets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_right(path: Path) -> None:
    draft = read_sweep(path)
    found = lay_out(draft)
    assert len(found.unique()) == len(found.runs) >= 8
    assert found.title
    # Every number says where it comes from.
    numbers = re.findall(r"^[^#\n]*= [\"\[]*[\d.].*$", path.read_text(), re.MULTILINE)
    assert len(numbers) > 5
    assert not [line for line in numbers if "[G]" not in line and "parameters" not in line]


def test_the_readme_shows_a_sweep_file(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\n(parameters = .*?)```", readme, re.DOTALL)
    file = tmp_path / "shown.toml"
    file.write_text(block.replace("../quickstart.toml", str(PRESET)), encoding="utf-8")
    assert len(lay_out(read_sweep(file)).unique()) == 3 * 3 * 2 * 5 * 4
    named = re.findall(r"^\| `(params/sweeps/\w+\.toml)`(?:, `(\w+\.toml)`)?", readme, re.MULTILINE)
    told = {Path(name).name for pair in named for name in pair if name}
    assert told == {path.name for path in PRESETS}


# -- validity --------------------------------------------------------------------------------

RESCALED = """
[set]
penalty.restriction = "rescale"
"""
COUNTS = """
[vary]
geometry.particles = [20, 40]
"""


def test_rescaled_penalties_are_warned_of_where_the_number_of_particles_varies(
    tmp_path: Path,
) -> None:
    found = plan(tmp_path, RESCALED + COUNTS)
    (warning,) = found.warnings
    assert warning.code == "rescaled_penalties"
    assert "20 to 40 particles" in warning.message
    assert 'penalty.restriction = "truncate"' in warning.message
    assert plan_of(found.as_dict()).warnings == found.warnings
    # By way of a table of levels, and of other meshes.
    levels = """
        [levels.size]
        small = { geometry.particles = 12, penalty.restriction = "rescale" }
        large = { geometry.particles = 24, penalty.restriction = "rescale" }
        """
    assert len(plan(tmp_path, levels).warnings) == 1
    meshes = [str(ROOT / "meshes" / f"{name}.msh") for name in ("five_discs_2d", "single_disc_2d")]
    (warning,) = plan(tmp_path, f"{RESCALED}[vary]\ngeometry.mesh_file = {meshes}").warnings
    assert "1 to 5 particles" in warning.message


def test_other_sweeps_are_not_warned_of(tmp_path: Path) -> None:
    assert plan(tmp_path, COUNTS).warnings == ()
    assert plan(tmp_path, RESCALED + "[vary]\npenalty.shape = [1.0, 2.0]").warnings == ()
    # Of the two numbers only one is rescaled.
    levels = """
        [levels.size]
        small = { geometry.particles = 12, penalty.restriction = "rescale" }
        large = { geometry.particles = 24 }
        """
    assert plan(tmp_path, levels).warnings == ()
    for preset in PRESETS:
        assert lay_out(read_sweep(preset)).warnings == ()


def test_the_warnings_of_runs_are_counted_for_the_reader(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"run": ["a", "a", "b", "c", "d"], "warnings": ["x; y", "x; y", "x", "", None]}
    )
    found = plan(tmp_path, RESCALED + COUNTS)
    lines = warning_lines(found.warnings, table)
    assert lines[0].startswith("warning: penalty.restriction")
    assert lines[1:] == ["warning: 2 of 4 runs have some: x (2), y (1)"]
    assert warning_lines((), table[table["run"] == "c"]) == []
    assert warning_lines((), table[["run"]]) == []


def test_the_largest_error_of_a_sweep_reaches_its_reader() -> None:
    """Errors below what was asked for carry no code, and are no matter."""
    table = pd.DataFrame(
        {
            "run": ["a", "b", "c", "d"],
            "warnings": ["space_error", "x; space_error", "x", None],
            "voltage_space_error_V": [2e-3, 0.03021, 0.09, None],
        }
    )
    counted, said = warning_lines((), table)
    assert "space_error (2)" in counted
    assert "up to 30.2 mV (run b)" in said
    assert "solver.accuracy" in said
    assert len(warning_lines((), table[table["run"] == "c"])) == 1
    waiting = pd.DataFrame({"run": ["a"], "warnings": [np.nan], "voltage_space_error_V": [np.nan]})
    assert warning_lines((), waiting) == []
