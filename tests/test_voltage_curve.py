"""Voltages are compared at equal times, between jumps of the current, from 0.1 s on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.accuracy_cases import BY_NAME, CASES
from helpers.accuracy_runs import jumps, loaded, reference_file, reference_record
from helpers.voltage_curve import FROM, VoltageCurve, counted_rows, difference

JUMPS = (0.0, 10.0)


def volts(time_s: np.ndarray) -> np.ndarray:
    """A voltage as diffusion makes it: it jumps with the current and goes on with a square root."""
    first = 3.7 + 0.02 * np.sqrt(time_s)
    second = 4.0 - 0.05 * np.sqrt(np.maximum(time_s - 10.0, 0.0))
    return np.where(time_s <= 10.0, first, second)


def curve(rows: int, first: float = 0.01) -> VoltageCurve:
    stretch = np.geomspace(first, 10.0, rows)
    times = np.concatenate([[0.0], stretch, 10.0 + stretch])
    return VoltageCurve(times, volts(times), times / 3600, JUMPS)


def test_equal_voltages_at_other_times_do_not_differ() -> None:
    found = difference(curve(17), curve(60))
    assert found.largest < 1e-12
    assert found.rms < 1e-12
    assert abs(found.capacity) < 1e-12
    # Straight lines between the rows would see a difference where there is none.
    few, many = curve(17), curve(60)
    rows = counted_rows(few)
    straight = np.interp(few.time_s[rows], many.time_s, many.voltage_V)
    assert np.max(np.abs(straight - few.voltage_V[rows])) > 1e-5


def test_a_difference_is_found_where_it_is() -> None:
    found = curve(17)
    wrong = found.voltage_V.copy()
    wrong[-1] += 5e-4
    wrong[3] -= 2e-4
    seen = difference(replace(found, voltage_V=wrong), curve(60))
    assert seen.largest == pytest.approx(5e-4, rel=1e-6)
    assert seen.at_s == 20.0
    assert 0 < seen.rms < seen.largest
    shifted = replace(found, voltage_V=found.voltage_V + 1e-3)
    assert difference(shifted, curve(60)).rms == pytest.approx(1e-3, rel=1e-6)


def test_rows_right_after_a_jump_do_not_count() -> None:
    found = curve(40)
    early = (found.since_jump(found.time_s) < 0.99 * FROM) & (found.time_s > 0)
    assert early.sum() > 10
    wrong = np.where(early, found.voltage_V + 0.1, found.voltage_V)
    assert difference(replace(found, voltage_V=wrong), curve(60)).largest < 1e-12
    # The row at the jump itself belongs to the time before, and counts.
    at_jump = np.flatnonzero(found.time_s == 10.0)
    wrong = found.voltage_V.copy()
    wrong[at_jump] += 1e-3
    assert difference(replace(found, voltage_V=wrong), curve(60)).largest > 9e-4


def test_runs_that_jump_at_other_times_are_not_compared() -> None:
    with pytest.raises(ValueError, match="jumps at"):
        difference(curve(17), replace(curve(60), jumps_s=(0.0, 11.0)))
    with pytest.raises(ValueError, match="jumps at"):
        difference(curve(17), replace(curve(60), jumps_s=(0.0,)))


def test_a_curve_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = replace(curve(17), record={"unknowns": 5})
    written.write(tmp_path / "deep" / "curve.csv")
    read = VoltageCurve.read(tmp_path / "deep" / "curve.csv")
    assert read.record == {"unknowns": 5}
    assert read.jumps_s == JUMPS
    assert np.allclose(read.voltage_V, written.voltage_V, rtol=0, atol=1e-9)


KEPT = [
    pytest.param(case, finer, id=f"{case.name}-{finer}")
    for case in CASES
    for finer in sorted({1, case.finer})
]


@pytest.mark.parametrize(("case", "finer"), KEPT)
def test_references_kept_belong_to_their_cases(case, finer: int) -> None:
    """A case that was changed without its reference would be computed again for minutes."""
    kept = VoltageCurve.read(reference_file(case, finer))
    wanted = reference_record(case, finer)
    assert {key: kept.record[key] for key in wanted} == wanted
    # The reference is known far better than the least accuracy that it judges, 0.1 mV.
    assert kept.interpolation_error_V < 1e-5
    assert 0 < kept.time_s[1] < FROM / 10


def test_jumps_are_those_of_the_protocol() -> None:
    drive = loaded(BY_NAME["drive"], [])
    assert jumps(drive, [0.0, 12.0, 20.0], [0, 0, 0]) == [0.0, 12.0, 20.0, 40.0, 60.0, 70.0, 90.0]
    gitt = loaded(BY_NAME["gitt"], [])
    assert jumps(gitt, [0.0, 1.0, 300.0, 301.0, 1500.0, 1501.0], [0, 0, 0, 1, 1, 2]) == [
        0.0,
        300.0,
        1500.0,
    ]
