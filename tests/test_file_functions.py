"""Material functions that the input file gives: formulas, tables, galleries, exponents.

Formulas and tables of published curves are compared with sampled values of an independent program
(PyBaMM 26.10, in tests/helpers/published_curves.json), never with the code that read them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.paths import PRESET
from heterode.base.dual_numbers import Dual
from heterode.base.errors import InputError
from heterode.materials import open_circuit_potential
from heterode.materials.exchange_currents import smooth_power
from heterode.materials.expressions import FormulaError, parsed
from heterode.materials.galleries import GALLERIES
from heterode.parameters.loading import load_parameters
from heterode.physics.exchange import exchange_law
from heterode.validity.input import before_run

PUBLISHED = json.loads(
    Path(__file__).with_name("helpers").joinpath("published_curves.json").read_text()
)
GRAPHITE = (
    "1.9793 * exp(-39.3631 * x) + 0.2482 - 0.0909 * tanh(29.8538 * (x - 0.1234))"
    " - 0.04478 * tanh(14.9159 * (x - 0.2769)) - 0.0205 * tanh(30.4444 * (x - 0.6103))"
)
WINDOW = "stoichiometry_window={ low = 0.03, high = 0.91 }"
CHARGE = 'protocol.steps=["charge at C/10 until 0.7 V"]'


def loaded(*settings: str, steps: str = CHARGE):
    """Quickstart with other settings of [active_material], which starts at x = 0.9."""
    own = (f"active_material.{setting}" for setting in settings)
    return load_parameters(
        PRESET, [*own, "active_material.initial_lithium_fraction=0.9", *([steps] if steps else [])]
    )


def graphite(*settings: str, curve: str = GRAPHITE, **more):
    return loaded(f"open_circuit_potential={curve}", WINDOW, *settings, **more)


# Formulas ------------------------------------------------------------------------------------

NO_FORMULAS = [
    "exit(0)",
    "open(1)",
    "x.real",
    "2**9**9**9",
    "-" * 3000 + "1",
    "(" * 3000,
    "True",
    "1j",
    "0x1F * x",
    "1_000 * x",
    "__import__('os').system('ls')",
    "lambda: x",
    "x if x else 1",
    "[x for x in (1,)]",
    "x = 1",
    "x; x",
    "exp(x, 1)",
    "exp(*x)",
    "exp",
    "x(1)",
    "x // 2",
    "x % 2",
    "x @ x",
    "x < 1",
    "not x",
    "f'{x}'",
    "x\x00",
    "é",
    "",
    "x +",
    "1 / 0",
    "log(0)",
    "(-8) ** 0.5",
    "1e999 * x",
    "9" * 3999,
    "x" + " + x" * 1200,
    "x" + "**x" * 1000,
    "x" + " " * 4000,
]


@pytest.mark.parametrize("text", NO_FORMULAS, ids=lambda text: repr(text[:16]))
def test_a_text_that_is_no_formula_is_refused(text):
    with pytest.raises(FormulaError):
        parsed(text, ("x", "T"))


@pytest.mark.parametrize(
    "text", ["exit(7)", "x.real", "2**9**9**9", "-" * 3000 + "x", "True", "1j"]
)
@pytest.mark.parametrize("key", ["open_circuit_potential", "diffusivity", "exchange_current"])
def test_the_refusal_takes_one_line_with_key_and_remedy(key, text):
    with pytest.raises(InputError) as caught:
        loaded(f"{key}={json.dumps(text)}")
    line = str(caught.value)
    assert "\n" not in line
    assert f"active_material.{key} = " in line
    assert "(allowed: " in line
    assert len(line) < 700


def test_a_formula_has_its_exact_derivative():
    text = (
        "log10(x) - sqrt(x) * x**1.5 / cosh(x) + arcsinh(x**2) - sin(x)*cos(x) + 2**x - T*tanh(x)"
    )
    formula, x = parsed(text, ("x", "T")).bound(T=2.0), np.linspace(0.05, 0.95, 50)
    at = formula(x=Dual(x, {"x": 1.0}))
    # The complex step is exact to rounding, and shares nothing with dual numbers.
    z = x + 1e-30j
    written = (
        np.log10(z) - np.sqrt(z) * z**1.5 / np.cosh(z) + np.arcsinh(z**2)
        - np.sin(z) * np.cos(z) + 2**z - 2 * np.tanh(z)
    )  # fmt: skip
    np.testing.assert_allclose(at.value, written.real, rtol=1e-13)
    np.testing.assert_allclose(at.slopes["x"], written.imag / 1e-30, rtol=1e-11)


def test_ufl_gives_the_numbers_of_numpy():
    ufl = pytest.importorskip("ufl")
    element = pytest.importorskip("basix.ufl").element
    mesh = ufl.Mesh(element("Lagrange", "triangle", 1, shape=(2,)))
    x = ufl.Constant(mesh)
    p = graphite(
        "diffusivity=1e-14 * (1 + sqrt(x) + log10(1 + x) + arcsinh(x)) * exp(-x * T / 1000)"
    )
    D = p.active_material.diffusivity_of_fraction
    for value in (0.1, 0.5, 1.5):
        assert D(x, 290.0)(None, {x: value}) == pytest.approx(float(D(value, 290.0)), rel=1e-12)


def test_a_formula_outside_its_domain_is_refused_with_the_place():
    with pytest.raises(InputError, match=r"is nan m\^2/s at x = 0 .*range"):
        graphite("diffusivity=1e-14 * sqrt(x - 0.5)")
    with pytest.raises(InputError, match=r"-1e-14 m\^2/s at x = 0"):
        graphite("diffusivity=1e-14 * (x - 1)")
    narrower = '{ expression = "1e-14 * sqrt(x - 0.2)", range = [0.3, 0.9] }'
    D = graphite(f"diffusivity={narrower}").active_material.diffusivity_of_fraction
    assert D(0.1, 298.15) == D(0.3, 298.15) == pytest.approx(1e-14 * 0.1**0.5)


# Open-circuit potential ----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_formula_gives_the_published_curve(name):
    case = PUBLISHED[name]
    least, most = case["range"]
    given = f'{{ expression = "{case["formula"]}", range = [{least}, {most}] }}'
    window = f"stoichiometry_window={{ low = {least + 0.01}, high = {most - 0.001} }}"
    start = f"initial_lithium_fraction={0.5 * (least + most)}"
    curve = load_parameters(
        PRESET,
        [f"active_material.{s}" for s in (f"open_circuit_potential={given}", window, start)]
        + ['protocol.steps=["rest for 1 h"]'],
    ).curve
    x, U = np.array(case["stoichiometry"]), np.array(case["potential_V"])
    inside = (x >= least) & (x <= most)
    error = np.abs(curve.potential(x[inside]) - U[inside]).max()
    # Values were written with 7 digits; smoothing changes no curve that falls.
    assert error < 1e-5 + 1.001 * curve.correction
    assert np.abs(curve.potential(x[inside] + 0.01) - U[inside]).max() > 1e-4


def written(tmp_path, x, U, name="ocp.csv"):
    path = tmp_path / name
    rows = "".join(f"{a:.6g},{b:.7g}\n" for a, b in zip(x, U, strict=True))
    path.write_text("stoichiometry,potential_V\n" + rows)
    return f'open_circuit_potential={{ table = "{path}" }}'


def test_a_table_is_interpolated_and_inverted_consistently(tmp_path):
    x = np.linspace(0.02, 0.98, 97)
    exact = parsed(GRAPHITE, ("x",))
    p = loaded(written(tmp_path, x, exact(x=x)), WINDOW)
    curve, between = p.curve, np.linspace(0.021, 0.979, 3000)
    assert curve.measured_range == (0.02, 0.98)
    np.testing.assert_allclose(curve.potential(x), exact(x=x), atol=1e-6)
    assert np.abs(curve.potential(between) - exact(x=between)).max() < 8e-3
    # The inverse is that of the interpolation itself, flat as the curve is, and of its extensions.
    everywhere = np.linspace(-0.05, 1.05, 3001)
    back = curve.potential(curve.lithium_fraction(curve.potential(everywhere)))
    np.testing.assert_allclose(back, curve.potential(everywhere), atol=1e-12)
    h = 1e-7
    numeric = (curve.potential(between + h) - curve.potential(between - h)) / (2 * h)
    np.testing.assert_allclose(curve.slope(between), numeric, atol=2e-5, rtol=1e-4)
    knots = x[1:-1]
    np.testing.assert_allclose(curve.slope(knots - 1e-9), curve.slope(knots + 1e-9), atol=1e-4)
    assert np.all(curve.slope(everywhere) < 0)


def test_a_rise_of_noise_is_smoothed_and_reported(tmp_path):
    x = np.linspace(0.02, 0.98, 49)
    U = parsed(GRAPHITE, ("x",))(x=x)
    U[40] = U[39] + 0.0044
    p = loaded(written(tmp_path, x, U), WINDOW)
    assert np.all(p.curve.slope(np.linspace(0, 1, 5000)) < 0)
    assert 1e-4 < p.curve.correction < 5e-3
    (warning,) = (w for w in before_run(p).holding if w.code == "open_circuit_smoothed")
    assert "mV" in warning.message
    smooth = loaded(written(tmp_path, x, np.sort(U)[::-1], "falls.csv"), WINDOW)
    assert "open_circuit_smoothed" not in {w.code for w in before_run(smooth).holding}


@pytest.mark.parametrize("rows", [1, 4])
def test_a_curve_that_rises_by_more_than_noise_is_refused(tmp_path, rows):
    """The rise counts as a whole: four rows up by 1.5 mV each are no noise either."""
    x = np.linspace(0.02, 0.98, 49)
    U = parsed(GRAPHITE, ("x",))(x=x)
    U[20 : 20 + rows] = U[19] + 0.006 * np.arange(1, rows + 1) / rows
    with pytest.raises(InputError) as caught:
        loaded(written(tmp_path, x, U), WINDOW)
    line = str(caught.value)
    for part in ("ocp.csv", f"line {21 + rows}", "line 21", "6 mV", "rises up to 5 mV", "range"):
        assert part in line, line
    assert "\n" not in line


def test_only_the_declared_range_must_fall(tmp_path):
    x = np.linspace(0.02, 0.98, 49)
    U = parsed(GRAPHITE, ("x",))(x=x)
    U[-3:] += 0.05
    table = written(tmp_path, x, U)
    with pytest.raises(InputError, match="rises"):
        loaded(table, WINDOW)
    narrow = table.replace(" }", ", range = [0.02, 0.92] }")
    assert loaded(narrow, WINDOW).curve.measured_range[1] <= 0.92


def test_galleries_of_the_file_are_the_named_fit():
    fit = GALLERIES["NMC532"]
    rows = [list(row) for row in zip(fit.potentials, fit.fractions, fit.widths, strict=True)]
    low, high = open_circuit_potential("NMC532").measured_range
    given = f"{{ galleries = {json.dumps(rows)}, range = [{low}, {high}] }}"
    p = loaded(
        f"open_circuit_potential={given}",
        'voltage_window={ low = "3.2 V", high = "4.2 V" }',
        steps='protocol.steps=["charge at C/10 until 4.2 V"]',
    )
    x = np.linspace(low, high, 2000)
    named = open_circuit_potential("NMC532")
    np.testing.assert_allclose(p.curve.potential(x), named.potential(x), atol=1e-8)
    assert p.curve.measured_voltage == pytest.approx(fit.measured_voltage, abs=1e-8)
    rows[0][0] += 0.01
    moved = f"{{ galleries = {json.dumps(rows)}, range = [{low}, {high}] }}"
    q = loaded(
        f"open_circuit_potential={moved}",
        'voltage_window={ low = "3.3 V", high = "4.2 V" }',
        steps='protocol.steps=["charge at C/10 until 4.2 V"]',
    )
    assert np.abs(q.curve.potential(x) - named.potential(x)).max() > 1e-4


def test_a_window_outside_the_curve_is_refused(tmp_path):
    table = written(tmp_path, [0.1, 0.5, 0.9], [0.5, 0.2, 0.1])
    with pytest.raises(InputError, match=r"stoichiometry_window.low = 0.03 .*from 0.1 to 0.9"):
        loaded(table, WINDOW)
    with pytest.raises(InputError, match=r"voltage_window.high.*from 0.1 to 0.5 V"):
        loaded(table, 'voltage_window={ low = "0.2 V", high = "0.6 V" }')
    with pytest.raises(InputError, match="is given together with stoichiometry_window"):
        loaded(table, 'voltage_window={ low = "0.2 V", high = "0.4 V" }', WINDOW)


def test_entropy_moves_the_curve_with_temperature():
    coefficient = "(-0.1112 * x + 0.02914 + 0.3561 * exp(-(x - 0.08309)**2 / 0.004616)) / 1000"
    at = {
        T: graphite(
            f"entropic_coefficient={coefficient}"
        ).active_material.curve(T)
        for T in (273.15, 298.15, 318.15)
    }  # fmt: skip
    x = np.linspace(0.05, 0.95, 400)
    S = (-0.1112 * x + 0.02914 + 0.3561 * np.exp(-((x - 0.08309) ** 2) / 0.004616)) / 1000
    for T, curve in at.items():
        change = curve.potential(x) - at[298.15].potential(x)
        np.testing.assert_allclose(change, (T - 298.15) * S, atol=1e-7 + 1.001 * curve.correction)
    assert np.abs(at[318.15].potential(x) - at[298.15].potential(x)).max() > 1e-3
    with pytest.raises(InputError, match=r"entropic_coefficient.*rise at 308.15 K"):
        load_parameters(
            PRESET,
            ["temperature=308.15 K", "active_material.entropic_coefficient=0.009*sin(40*x)"],
        )


# Exchange current ------------------------------------------------------------------------------


def oregan(x, c, T):
    """i0 of NMC811 as O'Regan et al. published it, A/m^2; c in mol/m^3."""
    warmth = np.exp(24010.0 / 8.314462618 * (1 / 298.15 - 1 / T))
    return 5.028 * warmth * (c / 1000) ** 0.57 * x**0.43 * (1 - x) ** 0.57


def test_unequal_exponents_are_those_published():
    k = 5.028 / (96485.33212 * 49200.0)
    keys = {"vacancy_exponent": 0.57, "occupancy_exponent": 0.43, "salt_exponent": 0.57}
    shared = [f"rate_constant={k!r} m/s", "rate_constant_activation_energy=24.01 kJ/mol"]
    rest = 'protocol.steps=["rest for 1 h"]'
    p = loaded(*shared, *(f"{key}={v}" for key, v in keys.items()), steps=rest)
    q = loaded(*shared, steps=rest)
    formula = (
        "5.028 * (c/1000)**0.57 * x**0.43 * (1-x)**0.57 * exp(24010/8.314462618*(1/298.15-1/T))"
    )
    r = loaded(f"exchange_current={formula}", steps=rest)
    x, y = np.linspace(0.05, 0.95, 30), np.linspace(0.3, 2.0, 30)
    for parameters, right in ((p, True), (r, True), (q, False)):
        for T in (273.15, 298.15):
            law = exchange_law(parameters.active_material, salt_concentration=1000.0, temperature=T)
            close = np.allclose(law(x, y), oregan(x, 1000.0 * y, T), rtol=2e-6)
            assert close == right


def test_transfer_coefficients_need_not_sum_to_one_with_exponents_of_their_own():
    with pytest.raises(InputError, match=r"do not sum to 1.*vacancy_exponent"):
        loaded("anodic_transfer=0.6", "cathodic_transfer=0.6", steps="")
    keys = [f"{key}=0.5" for key in ("vacancy_exponent", "occupancy_exponent", "salt_exponent")]
    p = loaded("anodic_transfer=0.6", "cathodic_transfer=0.6", *keys, steps="")
    law = exchange_law(p.active_material, salt_concentration=1000.0, temperature=298.15)
    k, c_max = p.active_material.rate_constant_cathodic, p.active_material.maximum_concentration
    assert law(np.array([0.5]), np.array([1.0])) == pytest.approx(96485.33212 * k * c_max * 0.5)


def test_exponents_without_effect_are_refused():
    with pytest.raises(InputError, match=r"vacancy_exponent = 0.5 has no effect"):
        loaded("exchange_current=2 * x * (1 - x)", "vacancy_exponent=0.5", steps="")
    with pytest.raises(InputError, match=r"salt_exponent = 0.5 has no effect"):
        loaded("exchange_current=2 * x * (1 - x) * c", "salt_exponent=0.5", steps="")


def test_a_formula_keeps_newton_s_iterates_finite():
    p = graphite("exchange_current=3 * x**0.43 * (1 - x)**0.57 * sqrt(c)")
    law = exchange_law(p.active_material, salt_concentration=1000.0, temperature=298.15)
    s = Dual(np.array([-0.1, 0.0, 0.5, 1.0, 1.1]), {"s": 1.0})
    y = Dual(np.array([-0.1, 1.0, 1.0, 1.0, 0.0]), {"y": 1.0})
    found = law(s, y)
    for values in (found.value, found.slopes["s"], found.slopes["y"]):
        assert np.all(np.isfinite(values))
    assert found.value[2] == pytest.approx(3 * 0.5 * 1000**0.5)
    assert smooth_power(np.array([-1.0]), 0.5) < 1e-4


# Electrolyte -----------------------------------------------------------------------------------

FUNCTIONS = {
    "model": "functions",
    "diffusivity": "2e-10 * exp(-c / 2000) * exp(2000 * (1/298.15 - 1/T))",
    "conductivity": "nyman",
    "transference_number": "0.3",
    "thermodynamic_factor": '{ expression = "1 + 0.5 * c / 1000", range = [100, 2500] }',
}


def electrolyte(*settings: str, **others: str):
    keys = FUNCTIONS | others
    own = [f"electrolyte.{key}={value}" for key, value in keys.items()]
    return load_parameters(PRESET, [*own, *settings])


def test_an_electrolyte_of_functions():
    e = electrolyte().electrolyte.functions
    assert e.range == (200.0, 2000.0)
    assert e.temperature_range == (243.15, 333.15)
    assert e.constant_transference == 0.3
    c = np.array([50.0, 200.0, 1000.0, 3000.0])
    held = np.clip(c, 200.0, 2000.0)
    np.testing.assert_allclose(e.diffusivity(c, 298.15), 2e-10 * np.exp(-held / 2000))
    np.testing.assert_allclose(e.thermodynamic_factor(c, 298.15), 1 + 0.5 * held / 1000)
    assert e.conductivity(50.0, 298.15) == pytest.approx(0.25 * e.conductivity(200.0, 298.15))


def test_an_electrolyte_of_a_table(tmp_path):
    table = tmp_path / "kappa.csv"
    table.write_text("concentration_mol_m3,conductivity_S_m\n100,0.3\n1000,0.95\n2000,0.8\n")
    p = electrolyte(conductivity=f'{{ table = "{table}" }}')
    assert p.electrolyte.functions.conductivity(1000.0, 298.15) == pytest.approx(0.95)
    assert p.to_si_dict()["electrolyte"]["conductivity"]["conductivity_S_m"] == [0.3, 0.95, 0.8]


def test_cold_is_refused_where_a_function_does_not_hold():
    assert electrolyte("temperature=243.15 K").temperature == 243.15
    with pytest.raises(InputError, match=r"temperature.*range of the electrolyte functions"):
        electrolyte("temperature=243.15 K", conductivity="valoen_reimers")
    with pytest.raises(InputError, match=r"electrolyte.diffusivity.* is -.*at c = .*243.15 K"):
        electrolyte("temperature=243.15 K", diffusivity="1e-12 * (T - 250)")
    load_parameters(PRESET, ["temperature=243.15 K", "electrolyte.model=nyman"])
    with pytest.raises(InputError, match=r"240 K.*243.15, up to 333.15 K"):
        load_parameters(PRESET, ["temperature=240 K", "electrolyte.model=nyman"])


def test_a_missing_or_needless_function_is_named():
    with pytest.raises(InputError, match=r"electrolyte.diffusivity is missing"):
        load_parameters(PRESET, ["electrolyte.model=functions"])
    with pytest.raises(InputError, match=r"conductivity = .*is given, but the model nyman"):
        load_parameters(PRESET, ["electrolyte.model=nyman", "electrolyte.conductivity=1 S/m"])
    with pytest.raises(InputError, match="is a function, but a constant electrolyte"):
        electrolyte(model="constant")
