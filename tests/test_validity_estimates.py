"""The estimates behind warnings before a run, and what is watched while it runs."""

from __future__ import annotations

import pytest

from helpers.validity_cases import CONSTANT, given, steps
from heterode.materials import open_circuit_potential
from heterode.results.sample import Extremes
from heterode.validity import before_run, valid_ranges
from heterode.validity.losses import likely_cause
from heterode.validity.salt import SaltProfile
from heterode.validity.slab import Drive, slab_of
from heterode.validity.visited import visited_fractions
from heterode.validity.watch import Watch


def test_the_salt_profile_of_constant_properties_is_a_line_and_a_parabola() -> None:
    p = given(*CONSTANT)
    slab = slab_of(p)
    flux = 20.0 * (1 - 0.3) / 96485.33212
    across = flux * slab.L_separator / slab.D_separator
    rise = flux * slab.L / (2 * slab.D_coating)
    held = slab.pores_separator * slab.L_separator, slab.pores_coating * slab.L
    lower = (held[0] * across / 2 + held[1] * (across + 2 / 3 * rise)) / sum(held)
    profile = SaltProfile(p, slab)
    charge = profile.estimate(Drive("", 20.0, 1e9, True))
    assert charge.least == pytest.approx(1000 - lower, rel=1e-3)
    assert charge.most == pytest.approx(1000 - lower + across + rise, rel=1e-3)
    assert charge.limiting_current == pytest.approx(20.0 * 1000 / lower, rel=1e-3)
    # Discharging mirrors it, and so its ends are others.
    discharge = profile.estimate(Drive("", 20.0, 1e9, False))
    assert discharge.most == pytest.approx(1000 + lower, rel=1e-3)
    assert discharge.least == pytest.approx(1000 + lower - across - rise, rel=1e-3)
    # A short step gets nowhere near.
    short = profile.estimate(Drive("", 20.0, 1.0, True))
    assert 1000 - short.least < 0.3 * (1000 - charge.least)


def test_the_walk_of_a_protocol_follows_its_cut_offs() -> None:
    p = given(steps("charge at C/10 until 4.2 V", "discharge at C/10 for 1 h"))
    capacity = slab_of(p).capacity
    low, high = visited_fractions(p, capacity)
    curve = open_circuit_potential("NMC532")
    assert low == pytest.approx(float(curve.lithium_fraction(4.2)))
    assert high == 0.985
    p = given(steps("charge at C/10 until 4.2 V or 1 h"))
    least, most = p.active_material.lithium_fraction_window
    assert visited_fractions(p, capacity)[0] == pytest.approx(0.985 - 0.1 * (most - least))


def test_the_likely_cause_is_what_leaves_its_bound_by_most() -> None:
    holding = before_run(given("carbon_binder.conductivity=1e-9 S/m", "temperature=0 degC")).holding
    assert len(holding) > 1
    assert likely_cause(holding).startswith("likely cause: the ohmic drop across the carbon binder")
    assert likely_cause(before_run(given("temperature=0 degC")).holding) == ""


def extremes(**ends: tuple[float, float]) -> Extremes:
    inside = {
        "lithium_fraction": (0.5, 0.6),
        "surface_lithium_fraction": (0.5, 0.6),
        "salt_ratio": (0.9, 1.1),
    }
    return inside | ends


def test_steps_outside_are_counted_with_the_worst_of_them() -> None:
    watch = Watch(valid_ranges(given()))
    assert watch.look(extremes(), 1.0) == []
    (left,) = watch.look(extremes(salt_ratio=(0.5, 3.5)), 2.0)
    assert (left.first, left.worst, left.largest, left.value) == (True, True, True, 3500.0)
    watch.place(left.range.code, {"position_um": [1.0, 2.0]})
    (left,) = watch.look(extremes(salt_ratio=(0.5, 3.2)), 3.0)
    assert (left.first, left.worst) == (False, False)
    watch.look(extremes(), 4.0)
    (warning,) = watch.warnings
    assert (warning.count, warning.first_time_s, warning.last_time_s) == (2, 2.0, 3.0)
    assert (warning.code, warning.value) == ("salt_concentration", 3500.0)
    assert warning.where == {"field": "electrolyte.concentration", "position_um": [1.0, 2.0]}


def test_a_watch_goes_on_from_its_memory() -> None:
    seen = [(extremes(salt_ratio=(0.5, 3.0 + 0.1 * k)), float(k)) for k in range(6)]
    whole, first, second = (Watch(valid_ranges(given())) for _ in range(3))
    for ends, time in seen:
        whole.look(ends, time)
    for ends, time in seen[:3]:
        first.look(ends, time)
    second.recall(first.memory)
    for ends, time in seen[3:]:
        second.look(ends, time)
    assert second.memory == whole.memory
    assert whole.warnings[0].count == 5


def test_fractions_outside_0_to_1_are_seen_inside_particles() -> None:
    watch = Watch(valid_ranges(given()))
    found = {
        left.range.code: left for left in watch.look(extremes(lithium_fraction=(0.5, 1.02)), 1)
    }
    assert found["lithium_fraction_unphysical"].value == 1.02
    low = watch.look(extremes(lithium_fraction=(-0.01, 0.9)), 2.0)
    assert {left.range.code for left in low} == {"lithium_fraction_unphysical"}
    assert not low[0].largest
