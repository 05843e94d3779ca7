"""The plan of the layers: exact responses, radial elements, jumps of a protocol, fewest layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.paths import PARAMS
from heterode.accuracy import paths
from heterode.accuracy.electrode import Particles, SurfaceLaw, radii_by_surface
from heterode.accuracy.jumps import Jump, jumps_of
from heterode.accuracy.plan import RATIOS, plan
from heterode.accuracy.radial import RadialModes, matrices
from heterode.accuracy.record import SETTLED
from heterode.accuracy.series import SHORT, deviation, roots, surface_response
from heterode.base.constants import FARADAY
from heterode.forecast.planned import planned, planned_particles
from heterode.forecast.regimes import areal_capacity
from heterode.parameters import Parameters, load_parameters

TIMES = np.logspace(-6, 1, 300)

# -- the exact response -----------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 3])
def test_response_at_short_and_long_times(dimension):
    early = np.array([1e-9, 1e-7])
    flat = 2.0 * np.sqrt(early / np.pi)
    # The curvature of the surface adds (n - 1) T/2 to the response of a plane.
    curved = flat + 0.5 * (dimension - 1) * early
    assert surface_response(early, dimension) == pytest.approx(curved, rel=1e-7)
    assert np.any(np.abs(surface_response(early, dimension) / flat - 1.0) > 1e-6)
    late = deviation(np.array([50.0]), dimension)[0]
    assert late == pytest.approx(1.0 / (dimension + 2), abs=1e-14)
    # The sums of the series at T = 0 are known: 2 sum 1/a^2 = 1/(n + 2).
    assert deviation(np.zeros(1), dimension)[0] == 0.0


@pytest.mark.parametrize("dimension", [2, 3])
def test_both_forms_of_the_response_agree_where_they_meet(dimension):
    below, above = deviation(SHORT * np.array([1.0 - 1e-13, 1.0 + 1e-13]), dimension)
    assert above == pytest.approx(below, abs=1e-11)
    a = roots(dimension)
    wrong = 1.0 / (dimension + 2) - 2.0 * np.sum(np.exp(-(a[1:] ** 2) * SHORT) / a[1:] ** 2)
    assert abs(wrong - below) > 1e-3, "without the first mode they do not"


# -- radial elements --------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("degree", [1, 2])
def test_refining_radial_elements_lowers_their_error_in_proportion(dimension, degree):
    law = {1: 0.103, 2: 0.041}[degree]
    for count in (8, 16, 32):
        modes = RadialModes(np.linspace(0.0, 1.0, count + 1), dimension, degree)
        assert modes.largest_error(TIMES) * count == pytest.approx(law, rel=0.08)


def test_the_worst_time_is_that_of_the_first_element():
    modes = RadialModes(np.linspace(0.0, 1.0, 33), 2)
    worst = TIMES[int(np.argmax(np.abs(modes.error(TIMES))))]
    assert worst * 32**2 == pytest.approx(0.045, rel=0.15)


def graded(first: float, ratio: float) -> np.ndarray:
    depths = np.cumsum(first * ratio ** np.arange(40))
    return np.concatenate([[0.0], 1.0 - depths[depths < 0.8][::-1], [1.0]])


def test_grading_bounds_what_thin_layers_gain():
    # With a first layer this thin, what remains grows with the square of (ratio - 1)/(ratio + 1).
    between = TIMES[(TIMES > 1e-4) & (TIMES < 1e-2)]
    for ratio in (1.3, 1.5, 2.0, 3.0):
        error = RadialModes(graded(5e-4, ratio), 2).largest_error(between)
        assert error / ((ratio - 1) / (ratio + 1)) ** 2 == pytest.approx(0.009, rel=0.1)


def test_lumped_mass_is_a_trap():
    """Lumping nearly doubles the error of equal elements; on graded ones it is worse still."""
    nodes = np.linspace(0.0, 1.0, 17)
    consistent = RadialModes(nodes, 2).largest_error(TIMES)
    assert lumped_error(nodes) > 1.7 * consistent
    layers = graded(0.01, 2.0)
    assert lumped_error(layers) > 2.0 * RadialModes(layers, 2).largest_error(TIMES)


def lumped_error(nodes: np.ndarray) -> float:
    mass, stiffness = matrices(nodes, 2, 1)
    scale = 1.0 / np.sqrt(mass.sum(axis=1))
    rates, vectors = np.linalg.eigh(stiffness * np.multiply.outer(scale, scale))
    weights = (vectors[-1, 1:] * scale[-1]) ** 2
    grown = -np.expm1(-np.multiply.outer(TIMES, rates[1:]))
    return float(np.max(np.abs(grown @ (weights / rates[1:]) - deviation(TIMES, 2))))


# -- jumps of a protocol ----------------------------------------------------------------------


def one_size(*changes: str, dimension: int = 2) -> tuple[Parameters, Particles]:
    """nmc532 with particles of one radius, 2.5 um, on a mesh of three elements a radius."""
    cube = ("geometry.dimension=3", "geometry.particles=60") if dimension == 3 else ()
    given = ("penalty.distribution=none", *cube, *changes)
    p = load_parameters(PARAMS / "nmc532.toml", given)
    material, capacity = p.active_material, areal_capacity(p)
    low, high = material.lithium_fraction_window
    volume = capacity / (FARADAY * material.maximum_concentration * (high - low))
    radius = np.array([2.5e-6])
    surface = dimension * volume / radius[0]
    return p, Particles(dimension, radius, radius / 3, surface, volume, capacity / 3600.0, 1.0)


def steps(*texts: str) -> str:
    return "protocol.steps=[{}]".format(", ".join(f'"{text}"' for text in texts))


def jumps(*texts: str, changes: tuple[str, ...] = ()) -> tuple[list[Jump], SurfaceLaw]:
    law = SurfaceLaw(*one_size(steps(*texts), *changes))
    return jumps_of(law), law


def test_each_change_of_the_current_is_a_jump():
    found, law = jumps("charge at 1C for 5 min", "rest for 10 min", "discharge at 2C for 1 min")
    one_C = law.particles.one_C
    assert [jump.changes[-1] / one_C for jump in found] == pytest.approx([1.0, -1.0, -2.0])
    assert [jump.since.tolist() for jump in found] == [[0.0], [300.0, 0.0], [900.0, 600.0, 0.0]]
    start = law.parameters.active_material.initial_lithium_fraction
    moved = one_C * 300.0 / law.capacity
    assert [j.fraction for j in found] == pytest.approx([start, start - moved, start - moved])
    assert all(jump.after[0] == pytest.approx(SETTLED) for jump in found)
    assert [jump.after[-1] for jump in found] == pytest.approx([300.0, 600.0, 60.0])


def test_a_charge_ends_at_its_voltage_with_the_polarisation_of_its_rate():
    slow, law = jumps("charge at C/20 until 4.2 V", "rest for 1 h")
    fast, _ = jumps("charge at 2C until 4.2 V", "rest for 1 h")
    ends = [found[1].fraction for found in (slow, fast)]
    rest = law.fraction(4.2)
    assert ends[0] == pytest.approx(rest, abs=0.01)
    assert ends[1] > rest + 0.05


def test_repeated_steps_are_planned_for_once():
    found, _ = jumps("gitt: charge at C/10 for 1 min, rest for 2 h, 3 times")
    more, _ = jumps("gitt: charge at C/10 for 1 min, rest for 2 h, 12 times")
    assert len(more) < 2 * len(found)


def test_the_surface_adds_up_over_jumps():
    """A current that is switched off and on again at once was never off."""
    found, law = jumps("charge at 1C for 5 min")
    whole = found[0]
    parts = replace(
        whole,
        changes=whole.current * np.array([1.0, -1.0, 1.0]),
        since=np.array([0.0, 0.0, 0.0]),
    )
    D = 3e-15
    both = [jump.surface(law, 2.5e-6, D) for jump in (whole, parts)]
    assert both[1] == pytest.approx(both[0], rel=1e-14)
    halved = replace(whole, changes=0.5 * whole.changes).surface(law, 2.5e-6, D)
    assert np.max(np.abs(halved - both[0])) > 1e-3


def test_a_table_is_planned_for_by_its_largest_jumps(tmp_path):
    table = tmp_path / "drive.csv"
    rows = [(10 * k, 2.0 if k % 2 else -1.0) for k in range(40)]
    rows[20] = (200, 30.0)
    lines = "\n".join(f"{t},{i}" for t, i in rows)
    table.write_text(f"time_s,current_A_m2\n{lines}\n", encoding="utf-8")
    found, _ = jumps(f"follow {table} stepwise")
    largest = max(found, key=lambda jump: abs(jump.changes[-1]))
    assert abs(largest.changes[-1]) == pytest.approx(28.0, abs=1e-6)
    assert len(found) <= 20
    assert len(largest.changes) <= 17


def test_radii_bound_shares_of_the_surface():
    radius = np.array([3.0, 1.0, 2.0])
    assert radii_by_surface(radius, np.array([1.0, 1.0, 1.0])).tolist() == [1.0, 2.0, 3.0]
    assert radii_by_surface(radius, np.array([0.0, 1.0, 0.0])).tolist() == [1.0, 1.0, 1.0]


# -- the plan ---------------------------------------------------------------------------------

A = (steps("charge at 1C for 5 min"),)
B = (
    steps("charge at 2C for 2 min"),
    "active_material.diffusivity=5e-16 m^2/s",
    "active_material.rate_constant=1e-9 m/s",
)
C = (steps("charge at 3C for 5 min"), "active_material.initial_lithium_fraction=0.9")
ALMOST = "active_material.initial_lithium_fraction=0.7"
HALF = (steps("charge at C/2 until 4.5 V"),)

# Case, accuracy, dimension; layers, first thickness in radii and ratio that were found by a search
# without ladders, on which nothing but the surface's potential counted.
TABLE = [
    (A, "5 mV", 3, 3, 0.018),
    (A, "1 mV", 3, 6, 0.009),
    (A, "0.2 mV", 3, 13, 0.003),
    (B, "5 mV", 3, 4, 0.006),
    (B, "1 mV", 3, 10, 0.0015),
    (C, "5 mV", 3, 1, 0.1),
    (C, "1 mV", 3, 4, 0.018),
    (HALF, "5 mV", 3, 2, 0.035),
    (HALF, "1 mV", 3, 4, 0.009),
    (HALF, "0.2 mV", 3, 10, 0.004),
    (A, "1 mV", 2, 6, 0.006),
    (B, "1 mV", 2, 13, 0.0015),
    (C, "1 mV", 2, 9, 0.018),
    (HALF, "1 mV", 2, 5, 0.0125),
]


@pytest.mark.parametrize(("case", "accuracy", "dimension", "count", "first"), TABLE)
def test_layers_are_those_of_the_table(case, accuracy, dimension, count, first):
    changes = (*case, f"solver.accuracy={accuracy}")
    found = plan(*one_size(*changes, dimension=dimension))
    assert found.layers is not None
    assert found.is_met
    assert found.chosen
    assert -3 <= found.layers.count - count <= 1
    assert 0.3 < found.layers.first / 2.5e-6 / first < 2.1


def test_large_errors_keep_the_goal_too():
    """They are not in proportion to those of the lithium fraction: by its slope, B missed 5 mV."""
    for preset, case in (("cube_50", A), ("nmc532", B)):
        changes = [*case, "geometry.particles=20", "solver.accuracy=5 mV"]
        assert planned(load_parameters(PARAMS / f"{preset}.toml", changes)).is_met


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("case", [A, B, C])
def test_a_tenth_of_a_millivolt_can_be_had(case, dimension):
    """B and C take ratios down to 1.15: with 1.3, and 30 layers, they had 0.4 mV at best."""
    found = plan(*one_size(*case, "solver.accuracy=0.1 mV", dimension=dimension))
    assert found.is_met
    assert found.layers is not None


@pytest.mark.parametrize(("case", "without"), [(A, 20.0), (B, 57.0), (C, 6.0), (HALF, 13.0)])
def test_errors_without_layers_are_those_of_the_table(case, without):
    found = plan(*one_size(*case, dimension=3))
    assert 1e3 * found.without == pytest.approx(without, rel=0.25)
    assert found.error < 0.1 * found.without


def test_more_layers_for_a_faster_charge_and_fewer_for_less_accuracy():
    slow, fast = plan(*one_size(*HALF)), plan(*one_size(*A))
    cheap = plan(*one_size(*A, "solver.accuracy=5 mV"))
    assert slow.layers is not None
    assert fast.layers is not None
    assert cheap.layers is not None
    assert slow.layers.count <= fast.layers.count
    assert cheap.layers.count < fast.layers.count
    assert cheap.error > fast.error


def test_uneven_penalties_count_as_long_as_kinetics_divide_the_current():
    """They raise the bound that the search keeps, and not what is expected."""
    p, even = one_size(*A)
    uneven = replace(even, unevenness=1.8)
    assert plan(p, even).bound == plan(p, even).error
    crowded = plan(*one_size(*A, "solver.layers=3")[:1], uneven)
    assert crowded.bound > 1.2 * crowded.error
    law = SurfaceLaw(p, uneven)
    s, current = np.array([0.9]), even.one_C
    early, late = (law.crowding(s, current, np.array([v]))[0] for v in (0.0, 10.0))
    assert early == pytest.approx(1.8)
    assert late == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("rise", [0.0, 0.3, 1.0, 3.0, 10.0])
def test_crowding_bounds_the_error_of_particles_in_parallel(rise: float):
    """Each has a kinetic resistance 1/p, and one of its diffusion, which the mesh gets wrong.

    Both carry the same voltage, so that errors by the mean resistance are those of an even current.
    """
    p, even = one_size(*A)
    factors = np.array([0.2, 0.5, 1.0, 1.0, 1.5, 2.5])
    uneven = float(np.mean(factors**2) / np.mean(factors) ** 2)
    law = SurfaceLaw(p, replace(even, unevenness=uneven))

    def voltage(diffusive: float) -> float:
        return 1.0 / float(np.sum(1.0 / (1.0 / factors + diffusive)))

    step = 1e-6
    slope = (voltage(rise + step) - voltage(rise - step)) / (2.0 * step)
    true = slope * len(factors)
    # The law divides the voltage into a kinetic part and what has risen, by its derivative.
    s, current = np.array([0.9]), even.one_C
    more = law.voltage(s, 1.01 * current) - law.voltage(s, current)
    kinetic = 100.0 * float(np.abs(more)[0])
    found = float(law.crowding(s, current, np.array([rise * kinetic]))[0])
    assert true * 0.999 <= found <= 1.35 * true
    if rise == 0.0:
        assert found == pytest.approx(true, rel=1e-4)
        assert true > 1.4


def test_layers_that_are_given_are_the_best_of_their_number():
    three = plan(*one_size(*A, "solver.layers=3"))
    assert three.layers
    assert three.layers.count == 3
    assert not three.chosen
    assert not three.is_met
    assert "other layers than solver.layers" in three.shortfall_text
    none = plan(*one_size(*A, "solver.layers=none"))
    assert none.layers is None
    assert none.error == none.without > 10 * three.error


def test_layers_that_are_given_in_full_are_taken_as_they_are():
    first = plan(*one_size(*A))
    again = plan(*one_size(*A, f"solver.layers={first.written}"))
    assert again.layers is not None
    assert first.layers is not None
    assert again.layers.count == first.layers.count
    assert again.layers.first == pytest.approx(first.layers.first, rel=1e-12)
    assert (again.chosen, first.chosen) == (False, True)
    other = plan(*one_size(*A, "solver.layers=2 from 100 nm, ratio 2"))
    assert other.error > 3 * again.error


def test_what_cannot_be_had_is_said():
    found = plan(*one_size(*B, "solver.accuracy=0.02 mV"))
    assert not found.is_met
    assert "cannot be had with up to" in found.shortfall_text
    assert plan(*one_size(*A)).shortfall_text == ""


def test_where_it_cannot_be_had_the_last_layers_are_not_paid_for():
    """Forty layers would be one fifth better than 35, and still miss what is asked for."""
    changes = [steps("discharge at 1C until 3 V"), "solver.accuracy=0.01 mV", ALMOST]
    found = planned(load_parameters(PARAMS / "nmc532.toml", changes))
    most = found.written.replace(f"{found.layers.count} from", "40 from")
    other = planned(load_parameters(PARAMS / "nmc532.toml", [*changes, f"solver.layers={most}"]))
    assert not found.is_met
    assert found.layers.count < 40
    assert found.bound < 1.3 * other.bound
    half = f"{found.layers.count // 2} from"
    fewer = found.written.replace(f"{found.layers.count} from", half)
    worse = planned(load_parameters(PARAMS / "nmc532.toml", [*changes, f"solver.layers={fewer}"]))
    assert worse.bound > 1.5 * found.bound


def test_many_layers_name_what_the_cheap_choice_would_take():
    dear = planned(
        load_parameters(PARAMS / "nmc532.toml", [steps("discharge at 1C until 3 V"), ALMOST])
    )
    accuracy, cheap = dear.cheaper
    assert accuracy == pytest.approx(5e-3)
    assert dear.layers.count > 12
    assert cheap.count < 0.75 * dear.layers.count
    assert dear.sentence(60_000, 28_000).endswith(f"accuracy 5 mV would take {cheap.count} layers")
    few = planned(load_parameters(PARAMS / "nmc532.toml", [*A]))
    assert few.cheaper is None
    assert "would take" not in few.sentence(60_000, 28_000)


def test_a_plunge_of_the_voltage_is_said():
    """At the end of a discharge to 3 V, half a thousandth of its time is more than 1 mV."""
    until = "discharge at 1C until {} V"
    changes = [[steps(until.format(end)), ALMOST] for end in ("3", "3.6")]
    plunging, flat = (planned(load_parameters(PARAMS / "nmc532.toml", one)) for one in changes)
    assert plunging.is_met
    assert plunging.plunge > 1e-3
    assert "where the voltage plunges" in plunging.expected_text
    assert flat.plunge < 1e-3
    assert "plunges" not in flat.expected_text


def test_no_particle_is_planned_beyond_the_potential_that_all_share(monkeypatch):
    """At its share of 3C, a large particle would be where U of NMC622 falls by 500 V a unit."""
    steep = [steps("charge at 3C until 4.5 V")]
    p = load_parameters(PARAMS / "nmc622.toml", steep)
    found = planned(p)
    assert found.is_met
    assert found.layers.count <= 12
    assert found.without < 0.01
    monkeypatch.setattr(paths, "_shared", lambda law, jump: np.linspace(0.0, 1.0, jump.after.size))
    alone = planned(p)
    assert not alone.is_met
    assert alone.without > 0.3


@pytest.mark.parametrize(
    ("accuracy", "shown"), [("100 mV", "100 mV"), ("0.3 mV", "0.3 mV"), ("0.01 mV", "0.01 mV")]
)
def test_accuracies_are_written_as_plain_numbers(accuracy, shown):
    said = plan(*one_size(*A, f"solver.accuracy={accuracy}")).sentence(1000, 900)
    assert said.startswith(f"accuracy {shown}: ")


def test_a_protocol_without_jumps_needs_none():
    found = plan(*one_size(steps("rest for 1 h")))
    assert found.layers is None
    assert found.error == found.without == 0.0


def test_plans_are_the_same_again():
    p, particles = one_size(*A)
    assert plan(p, particles) == plan(p, particles)


def test_first_thickness_and_ratio_are_on_ladders():
    found = planned(load_parameters(PARAMS / "nmc532.toml", [steps("charge at 1C until 4.5 V")]))
    assert found.layers
    power = -2.0 * np.log2(1e6 * found.layers.first)
    assert power == pytest.approx(round(power), abs=1e-9)
    assert found.layers.ratio in RATIOS


@pytest.mark.parametrize(("case", "true_V"), [(A, 19.4e-3), (B, 44.6e-3), (C, 6.88e-3)])
def test_the_expected_error_is_that_of_the_mean_over_the_surface(case, true_V):
    """That of 20 discs without layers against 25 layers on one mesh (docs/accuracy.md) is near it.

    That of the largest radius alone is a third larger, and so is the bound in A and B.
    """
    p = load_parameters(PARAMS / "nmc532.toml", ["geometry.particles=20", *case])
    assert planned(p).without == pytest.approx(true_V, rel=0.1)
    largest = replace(
        (particles := planned_particles(p)),
        radius=particles.radius[-1:],
        core_size=particles.core_size[-1:],
    )
    assert plan(p, largest).without > 1.15 * true_V


def test_seeds_and_packing_do_not_change_the_plan():
    base = load_parameters(PARAMS / "nmc532.toml", [steps("charge at 1C until 4.5 V")])
    assert planned(base.with_values({"seeds.packing": 5})) == planned(base)
    assert planned(base.with_values({"solver.accuracy": "5 mV"})) != planned(base)
