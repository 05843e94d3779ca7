"""The same particles in several states: rates, lag, inactive ones, persistence; the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import heterode
from helpers.synthetic import synthetic_run, write_run
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.heterogeneity.series import State, analyse_series
from heterode.points.run import read_run_particles
from heterode.points.states import counterpart, find_place, read_states
from heterode.reporting.series import series_outputs

COUNT = 200
NAMES = tuple(f"{k}" for k in range(COUNT))
TIMES_H = (0.0, 1.0, 3.0, 4.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def states(speed: np.ndarray, start: float = 0.9) -> list[State]:
    """Particles that lose lithium at speeds (N,), or (S-1, N) in each interval, h^-1."""
    steps = np.diff(TIMES_H)[:, None] * np.broadcast_to(speed, (3, COUNT))
    value = start - np.vstack([np.zeros(COUNT), np.cumsum(steps, axis=0)])
    return [State(f"s{k}", NAMES, value[k], TIMES_H[k]) for k in range(4)]


def two_speeds() -> np.ndarray:
    return np.where(np.arange(COUNT) % 2 == 0, 0.05, 0.15)


def test_rates_are_changes_over_times() -> None:
    found = analyse_series(states(two_speeds()), rng(), permutations=0)
    assert found.rate == pytest.approx(np.tile(-two_speeds(), (3, 1)))
    assert found.relative == pytest.approx(np.tile(two_speeds() / 0.1, (3, 1)))
    # Without times the relative rates are the same, and there are no others.
    bare = [State(one.name, one.particle, one.value) for one in states(two_speeds())]
    without = analyse_series(bare, rng(), permutations=0)
    assert without.relative == pytest.approx(found.relative)
    assert np.isnan(without.rate).all()
    assert np.isnan(without.lag_h).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_lag_is_what_the_mean_is_ahead(sign: float) -> None:
    """In charge and discharge: at half the mean's speed a particle is half the time behind."""
    found = analyse_series(states(sign * two_speeds()), rng(), permutations=0)
    slow, fast = found.lag[:, 0], found.lag[:, 1]
    assert slow == pytest.approx(0.05 * np.array(TIMES_H))
    assert fast == pytest.approx(-slow)
    assert found.lag_h[:, 0] == pytest.approx(0.5 * np.array(TIMES_H))
    # The mean has not been where the fast one is.
    assert np.isnan(found.lag_h[1:, 1]).all()


def test_where_the_mean_turns_or_stands_nothing_is_invented() -> None:
    steps = np.array([1.0, -1.0, 0.0])[:, None] * (0.01 + 0.001 * rng().random(COUNT))
    found = analyse_series(states(steps), rng())
    assert np.isnan(found.share[2])
    assert np.isnan(found.relative[2]).all()
    assert np.isnan(found.lag_h[2:]).all()
    assert np.isfinite(found.share[:2]).all()


def resting(*, same: bool) -> np.ndarray:
    """(3, N) speeds, a fifth of them nil in each interval, in the same particles or in others."""
    random = np.random.default_rng(8)
    speed = random.uniform(0.05, 0.15, (3, COUNT))
    quiet = np.array([random.permutation(COUNT)[: COUNT // 5] for _ in range(3)])
    for row, particles in zip(speed, quiet[[0, 0, 0]] if same else quiet, strict=True):
        row[particles] = 0.0
    return speed


def test_particles_that_rest_again_and_again_are_told_from_chance() -> None:
    dead = analyse_series(states(resting(same=True)), rng())
    assert dead.share == pytest.approx(0.2)
    assert dead.resting == pytest.approx(0.2)
    assert np.isnan(dead.resting_p[0])
    assert dead.resting_p[1:] == pytest.approx(1 / 200)
    # By chance 0.2^2 and 0.2^3 would rest all the time.
    assert dead.resting_null[1, 1] == pytest.approx(0.04, abs=0.01)
    assert dead.resting_null[1, 2] == pytest.approx(0.008, abs=0.006)
    others = analyse_series(states(resting(same=False)), rng())
    assert others.share == pytest.approx(0.2)
    assert others.resting[2] < 0.03
    assert (others.resting_p[1:] > 0.05).all()


def test_inactive_means_below_a_share_of_the_mean_rate() -> None:
    speed = np.where(np.arange(COUNT) < 50, 0.02, 0.1)
    share = {
        level: analyse_series(states(speed), rng(), inactive=level, permutations=0).share[0]
        for level in (0.1, 0.3)
    }
    assert share == {0.1: 0.0, 0.3: 0.25}
    with pytest.raises(InputError, match="outside"):
        analyse_series(states(speed), rng(), inactive=1.0)


def test_exchanged_particles_show_what_a_wrong_match_would() -> None:
    """Values that have spread: the match keeps all active, and a wrong one does not."""
    spread = states(np.full(COUNT, 0.02))
    away = np.linspace(-0.2, 0.2, COUNT)
    shifted = [State(one.name, NAMES, one.value + away, one.time_h) for one in spread]
    found = analyse_series(shifted, rng())
    assert found.share == pytest.approx(0.0)
    assert (found.share_null[0] > 0.3).all()


def test_ranks_that_persist_and_that_do_not() -> None:
    speed = np.tile(np.linspace(0.05, 0.15, COUNT), (3, 1))
    speed[2] = speed[2][::-1]
    found = analyse_series(states(speed), rng(), permutations=0)
    assert found.rank_rates[1:] == pytest.approx([1.0, -1.0])
    # All begin equal, so the first state has no ranks.
    assert np.isnan(found.rank_first).all()
    assert found.rank_before[1:] == pytest.approx([1.0, 1.0])


def test_particles_are_matched_by_name_and_the_missing_counted() -> None:
    given = states(two_speeds())
    order = rng().permutation(COUNT)
    mixed = [
        State("b", tuple(np.array(NAMES)[order][5:]), given[1].value[order][5:], 1.0)
        if k == 1
        else one
        for k, one in enumerate(given)
    ]
    found = analyse_series(mixed, rng(), permutations=0)
    assert found.missing == 5
    assert len(found.particle) == COUNT - 5
    fast = np.array([int(name) % 2 for name in found.particle], dtype=bool)
    assert found.relative[0][fast].min() > found.relative[0][~fast].max()


def test_states_that_make_no_series() -> None:
    given = states(two_speeds())
    wrong = {
        "two states or more": given[:1],
        "is not after": [given[1], given[0]],
        "has no time": [given[0], State("x", NAMES, given[1].value)],
        "0 particles are in all 2": [
            given[0],
            State("x", tuple(f"p{k}" for k in range(COUNT)), given[1].value, 1.0),
        ],
    }
    for message, listed in wrong.items():
        with pytest.raises(InputError, match=message):
            analyse_series(listed, rng())
    with pytest.raises(InputError, match="particle 3 is there twice"):
        State("x", ("1", "3", "3"), np.zeros(3))


# -- tables, runs and the command -------------------------------------------------------------


def write_states(folder: Path, *, time: str = "time_h") -> list[Path]:
    """Tables in different orders, with the names of particles as different programs write them."""
    paths = []
    for k, one in enumerate(states(two_speeds())):
        rows = pd.DataFrame({"particle": range(COUNT), "soc": one.value})
        if k == 2:
            rows["particle"] = rows["particle"].astype(float)
        if time:
            rows[time] = one.time_h * (3600.0 if time == "time_s" else 1.0)
        path = folder / f"state{k}.csv"
        rows.sample(frac=1.0, random_state=k).to_csv(path, index=False)
        paths.append(path)
    return paths


def series(*arguments: object) -> int:
    return main(["report", "--series", *map(str, arguments)])


def test_the_command_writes_tables_and_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, out = write_states(tmp_path, time="time_s"), tmp_path / "out"
    assert series(*tables, "--out", out) == 0
    told, err = capsys.readouterr()
    assert err == ""
    assert told.startswith("200 particles in 4 states")
    assert "mean rate -0.1 per h" in told
    assert {path for path in out.iterdir() if path.suffix} == set(series_outputs(out, ["png"]))
    rows = pd.read_csv(out / "heterogeneity_series.csv")
    assert len(rows) == 4 * COUNT
    last = rows[rows["state"] == 3].set_index("particle")
    assert last.loc[1, "rate_per_h"] == pytest.approx(-0.15)
    assert last.loc[0, "lag_h"] == pytest.approx(2.0)
    by_state = pd.read_csv(out / "heterogeneity_series_states.csv")
    assert by_state["time_h"].tolist() == [0.0, 1.0, 3.0, 4.0]
    found = json.loads((out / "heterogeneity_series.json").read_text())
    assert found["series"]["given"]["states"]["share_inactive"][1:] == [0.0, 0.0, 0.0]
    # In Python the numbers are the same, in any order of rows.
    same = heterode.particle_series(*tables)
    assert same.particles()["rate_per_h"].to_numpy() == pytest.approx(
        rows["rate_per_h"].to_numpy(), nan_ok=True
    )


def test_times_may_be_given_or_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = write_states(tmp_path, time="")
    assert series(*tables, "--times", "0h,60min,3h,14400s", "--out", tmp_path / "a") == 0
    rows = pd.read_csv(tmp_path / "a" / "heterogeneity_series.csv")
    assert rows["rate_per_h"].min() == pytest.approx(-0.15)
    assert series(*tables, "--out", tmp_path / "b") == 0
    assert "no times" in capsys.readouterr().out
    rows = pd.read_csv(tmp_path / "b" / "heterogeneity_series.csv")
    assert rows["rate_per_h"].isna().all()
    assert rows["relative_rate"].max() == pytest.approx(1.5)


def test_one_table_may_hold_all_states(tmp_path: Path) -> None:
    parts = [pd.read_csv(path) for path in write_states(tmp_path)]
    whole = tmp_path / "whole.csv"
    pd.concat(parts).to_csv(whole, index=False)
    found = heterode.particle_series(whole, permutations=0)
    assert found.time_h.tolist() == list(TIMES_H)
    again = pd.concat([*parts, parts[0].iloc[:1]])
    again.to_csv(whole, index=False)
    with pytest.raises(InputError, match="is there twice"):
        heterode.particle_series(whole)


def test_bad_series_are_refused_in_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, c, _ = write_states(tmp_path)
    nameless, other = tmp_path / "nameless.csv", tmp_path / "other.csv"
    pd.read_csv(b).rename(columns={"particle": "grain"}).to_csv(nameless, index=False)
    frame = pd.read_csv(b)
    frame.assign(particle=frame["particle"] + 1000).to_csv(other, index=False)
    gap = tmp_path / "gap.csv"
    gap.write_text(b.read_text().replace(b.read_text().splitlines()[3], "7,,1.0"))
    wrong = {
        (a, nameless): "no column 'particle' (it has: grain, soc, time_h)",
        (b, a): "is not after that of",
        (a, a): "given twice",
        (a,): "two states or more",
        (a, other): "0 particles are in all 2 states",
        (a, gap): "column 'soc'",
        (a, tmp_path / "none.csv"): "no such file or folder",
        (a, b, "--value", "li"): "no column 'li'",
        (a, b, "--times", "0h,1h"): "have times of their own",
        (a, b, "--times", "0,1"): "not times with units",
        (a, b, "--inactive", "1.5"): "not within 0 and 1",
        (a, b, "--weight", "area"): "--weight does not go with --series",
        (a, b, "--at", "end"): "has no effect",
        (a, b, "--simulated", tmp_path): "not readable as a manifest",
    }
    for arguments, expected in wrong.items():
        assert series(*arguments, "--out", tmp_path / "out") == 2, expected
        out, err = capsys.readouterr()
        assert expected in err, err
        assert err.count("\n") == 1
        assert out == ""
        assert not (tmp_path / "out").exists()
    assert main(["report", str(c), "--inactive", "0.2"]) == 2
    assert "--inactive needs --series" in capsys.readouterr().err


def test_a_run_is_a_series_and_lies_over_another(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", synthetic_run(samples=6)).path
    run = read_run_particles(folder)
    fraction = run.series.lithium_fraction
    found = read_states([find_place(folder)])
    assert 2 < len(found) <= len(fraction)
    (moment,) = read_states([find_place(f"{folder}@end")])
    assert np.array_equal(moment.value, fraction[-1])
    # At the samples' own means the counterpart is the samples, and between them on the way.
    means = fraction.mean(axis=1)
    falling = [k for k in range(1, len(means)) if means[k] < means[k - 1]][:2]
    beside = counterpart(run, means[falling])
    for k, one in zip(falling, beside, strict=True):
        assert one.value == pytest.approx(fraction[k])
        assert one.time_h == pytest.approx(run.series.time_s[k] / 3600.0)
    (between,) = counterpart(run, np.array([0.5 * (means[0] + means[1])]))
    assert between.value == pytest.approx(0.5 * (fraction[0] + fraction[1]))
    with pytest.raises(InputError, match="does not pass"):
        counterpart(run, means[[falling[1], falling[0]]] - [0.0, -1.0])


def test_the_simulated_counterpart_has_the_same_form(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", synthetic_run(samples=6)).path
    run = read_run_particles(folder)
    tables = []
    for k in (1, 2, 3):
        tables.append(tmp_path / f"{k}.csv")
        rows = {"particle": run.table.particle, "value": run.series.lithium_fraction[k]}
        pd.DataFrame(rows).to_csv(tables[-1], index=False)
    out = tmp_path / "out"
    assert series(*tables, "--simulated", folder, "--out", out) == 0
    rows = pd.read_csv(out / "heterogeneity_series.csv")
    given, simulated = (rows[rows["series"] == name] for name in ("given", "simulated"))
    # What is measured on the run itself is the run.
    for column in ("value", "relative_rate", "lag", "inactive"):
        assert simulated[column].to_numpy() == pytest.approx(
            given[column].to_numpy(), abs=1e-9, nan_ok=True
        )
