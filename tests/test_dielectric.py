"""Kramers-Kronig and what follows: oscillators in closed form, measured tables, equation (1)."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

from helpers.dielectric_cases import AMORPHOUS_SILICON, EV_UM, GOLD, OSCILLATORS, SILICON, measured
from heterode.base.errors import InputError
from heterode.optics.colour import Illumination
from heterode.optics.dielectric_tables import read_dielectric_table
from heterode.optics.interband import (
    HARTREE_EV,
    Bands,
    fermi_occupation,
    interband_absorption,
    read_bands,
)
from heterode.optics.kramers_kronig import real_part, tail_part
from heterode.optics.oscillators import Drude, Lorentz, drude_of_table, lorentz_dielectric
from heterode.optics.spectrum import (
    PLASMA_EV2_A3,
    Spectrum,
    characterise,
    from_absorption,
    polycrystal,
)

GRID = np.arange(0.0, 30.0 + 1e-9, 0.05)


def oscillators(energy: np.ndarray) -> np.ndarray:
    return lorentz_dielectric(energy, OSCILLATORS)


def pole_skipping(energy: np.ndarray, eps2: np.ndarray) -> np.ndarray:
    """The rule not to use: a trapezoid that leaves the pole out."""
    h = energy[1] - energy[0]
    result = np.ones(energy.size)
    for i, w in enumerate(energy):
        others = np.arange(energy.size) != i
        terms = (energy * eps2)[others] / (energy[others] ** 2 - w**2)
        result[i] += 2.0 / np.pi * h * terms.sum()
    return result


class TestKramersKronig:
    def test_numbers_of_the_two_oscillators(self) -> None:
        assert oscillators(np.zeros(1))[0].real == pytest.approx(5.062130, abs=1e-6)
        spectrum = from_absorption(GRID, oscillators(GRID).imag)
        assert spectrum.eps1[0] == pytest.approx(5.062130, abs=1e-3)
        at = np.round(np.array([1.0, 2.6, 5.0]) / 0.05).astype(int)
        np.testing.assert_allclose(spectrum.n[at], [2.32779, 2.52399, 2.42944], atol=1e-3)
        np.testing.assert_allclose(spectrum.k[at], [0.068339, 1.627501, 0.727517], atol=1e-3)

    @pytest.mark.parametrize(("rule", "bound"), [("maclaurin", 1e-3), ("subtracted", 2e-3)])
    def test_everywhere_in_the_table(self, rule: str, bound: float) -> None:
        eps = oscillators(GRID)
        error = np.abs(real_part(GRID, eps.imag, rule=rule) - eps.real)
        assert error.max() < bound

    def test_leaving_the_pole_out_is_wrong(self) -> None:
        eps = oscillators(GRID)
        error = np.abs(pole_skipping(GRID, eps.imag) - eps.real)[1:-1].max()
        assert error == pytest.approx(0.30, abs=0.03)

    def test_both_rules_converge_and_agree(self) -> None:
        errors = {}
        for rule in ("maclaurin", "subtracted"):
            errors[rule] = []
            for step in (0.2, 0.1, 0.05):
                grid = np.arange(0.0, 60.0 + 1e-9, step)
                eps = oscillators(grid)
                near = grid < 12.0
                wrong = np.abs(real_part(grid, eps.imag, rule=rule) - eps.real)[near]
                errors[rule].append(wrong.max())
        for values in errors.values():
            assert values[0] > 4.0 * values[1] or values[1] < 1e-4, errors
            assert values[2] < 1e-3, errors

    @pytest.mark.parametrize("rule", ["maclaurin", "subtracted"])
    def test_uneven_table(self, rule: str) -> None:
        energy = np.sort(EV_UM / np.linspace(0.04, 2.5, 900))
        eps = oscillators(energy)
        visible = (energy > 0.8) & (energy < 10.0)
        error = np.abs(real_part(energy, eps.imag, rule=rule) - eps.real)[visible]
        assert error.max() < 0.02

    def test_the_tail_matters(self) -> None:
        short = GRID[GRID <= 12.0]
        eps = oscillators(short)
        near = short < 6.0
        with_tail = np.abs(real_part(short, eps.imag) - eps.real)[near].max()
        without = np.abs(real_part(short, eps.imag, tail=False) - eps.real)[near].max()
        assert with_tail < 0.02
        assert without > 4.0 * with_tail

    def test_tail_in_closed_form(self) -> None:
        from scipy.integrate import quad

        for w in (0.0, 0.1, 1.0, 9.0):
            whole, _ = quad(lambda x, w=w: 1.0 / (x**2 * (x**2 - w**2)), 10.0, np.inf)
            value = tail_part(np.array([w]), 10.0, 3.0)[0]
            assert value == pytest.approx(2.0 / np.pi * 3.0 * whole, rel=1e-7)

    @pytest.mark.parametrize(
        ("energy", "eps2", "words"),
        [
            (np.arange(3.0), np.ones(3), "at least 4"),
            (np.array([0.0, 2.0, 1.0, 3.0]), np.ones(4), "increase"),
            (np.array([-1.0, 0.0, 1.0, 2.0]), np.ones(4), "0 or above"),
            (np.arange(4.0), np.array([0.0, 1.0, np.nan, 1.0]), "finite"),
        ],
    )
    def test_what_is_no_spectrum(self, energy: np.ndarray, eps2: np.ndarray, words: str) -> None:
        with pytest.raises(InputError, match=words):
            real_part(energy, eps2)

    def test_unknown_rule(self) -> None:
        with pytest.raises(InputError, match="maclaurin, subtracted"):
            real_part(GRID, GRID, rule="simpson")  # type: ignore[arg-type]


class TestMeasuredTables:
    """Public-domain tables hold n and k, so eps2 predicts an eps1 to compare with."""

    def test_amorphous_silicon(self) -> None:
        energy, eps = measured(AMORPHOUS_SILICON)
        found = real_part(energy, eps.imag)
        below = energy < 6.0
        assert np.abs(found - eps.real)[below].max() < 0.3
        # Its infrared index is 3.44: a table from 0.6 to 12 eV holds nearly all of the f-sum.
        assert np.sqrt(found[0]) == pytest.approx(3.44, abs=0.05)
        without_tail = real_part(energy, eps.imag, tail=False)
        assert np.abs(without_tail - eps.real)[below].max() > 0.3

    def test_crystalline_silicon(self) -> None:
        energy, eps = measured(SILICON)
        found = real_part(energy, eps.imag)
        at = energy < 3.0
        # The table ends at 6 eV, in the middle of the absorption.
        assert np.abs(np.sqrt(found[at]) / np.sqrt(eps.real[at]) - 1.0).max() < 0.02
        wrong = real_part(energy, eps.imag, tail=False)
        assert np.abs(np.sqrt(wrong[at]) / np.sqrt(eps.real[at]) - 1.0).max() > 0.04

    def test_gold_needs_its_free_electrons(self) -> None:
        energy, eps = measured(GOLD)
        drude = drude_of_table(energy, eps, 1.6)
        # Johnson and Christy's own effective mass of 0.99 makes 9.0 eV.
        assert drude.plasma_eV == pytest.approx(9.0, abs=0.4)
        assert 0.02 < drude.damping_eV < 0.12
        spectrum = from_absorption(energy, eps.imag, drude=drude, drude_in_table=True)
        # What gold absorbs beyond the table, up to 25 eV, falls slower than w^-3: it is missing,
        # and adds nearly the same at all energies far below.
        error = (spectrum.eps1 - eps.real)[energy > 2.0]
        assert error.std() < 0.5
        assert -3.0 < error.mean() < 0.0
        without = (real_part(energy, eps.imag) - eps.real)[energy > 2.0]
        assert without.std() > 8.0 * error.std()


class TestSpectrum:
    def test_root_with_k_above_zero(self) -> None:
        spectrum = Spectrum(GRID, oscillators(GRID).real, oscillators(GRID).imag)
        assert spectrum.k.min() >= 0.0
        np.testing.assert_allclose((spectrum.n + 1j * spectrum.k) ** 2, spectrum.eps, atol=1e-12)

    def test_reflectance(self) -> None:
        glass = Spectrum(np.array([1.0, 2.0]), np.full(2, 2.25), np.zeros(2))
        np.testing.assert_allclose(glass.reflectance(), 0.04, atol=1e-12)
        np.testing.assert_allclose(glass.reflectance(1.5), 0.0, atol=1e-12)
        metal = Spectrum(np.array([1.0]), np.array([-1e6]), np.zeros(1))
        assert metal.reflectance()[0] == pytest.approx(1.0, abs=1e-6)

    def test_absorption(self) -> None:
        # k = 1 at a wavelength of 1 um: alpha = 4 pi k / lambda.
        spectrum = Spectrum(np.array([EV_UM]), np.array([3.0]), np.array([4.0]))
        assert spectrum.k[0] == pytest.approx(1.0)
        assert spectrum.absorption_per_m[0] == pytest.approx(4e6 * np.pi, rel=1e-9)

    def test_polycrystal(self) -> None:
        ab = Spectrum(GRID, np.full(GRID.size, 4.0), np.full(GRID.size, 1.0))
        c = Spectrum(GRID, np.full(GRID.size, 1.0), np.full(GRID.size, 4.0))
        mean = polycrystal(ab, c)
        assert (mean.eps1[0], mean.eps2[0]) == (3.0, 2.0)
        with pytest.raises(ValueError, match="energies"):
            polycrystal(ab, Spectrum(GRID + 1.0, c.eps1, c.eps2))

    def test_f_sum_and_penn_gap(self) -> None:
        spectrum = from_absorption(GRID, oscillators(GRID).imag)
        plasma = np.hypot(3.5, 9.0)
        volume = 30.0
        electrons = plasma**2 * volume / PLASMA_EV2_A3
        found = characterise(spectrum, volume_A3=volume, valence_electrons=electrons)
        assert found.plasma_eV == pytest.approx(plasma, rel=5e-3)
        assert found.electrons == pytest.approx(electrons, rel=1e-2)
        assert found.penn_gap_eV == pytest.approx(plasma / np.sqrt(4.062130), rel=1e-3)
        # A table that ends amid the absorption is told by the share of its tail.
        short = GRID[GRID <= 6.5]
        cut = characterise(from_absorption(short, oscillators(short).imag))
        assert cut.tail_share > 0.3 > 0.1 > found.tail_share

    def test_plasma_energy_of_a_known_density(self) -> None:
        # Aluminium: 3 electrons in 16.6 A^3 make 15.8 eV.
        assert np.sqrt(PLASMA_EV2_A3 * 3.0 / 16.6) == pytest.approx(15.8, abs=0.05)

    def test_drude_alone_is_exact(self) -> None:
        drude = Drude(9.0, 0.07)
        energy = np.linspace(0.1, 10.0, 200)
        eps = 1.0 + drude.susceptibility(energy)
        found = from_absorption(energy, eps.imag, drude=drude, drude_in_table=True)
        np.testing.assert_allclose(found.eps1, eps.real, atol=1e-9)
        added = from_absorption(energy, np.zeros(200), drude=drude)
        np.testing.assert_allclose(added.eps, eps, atol=1e-9)


def harmonic(level_eV: float, volume_A3: float = 100.0) -> Bands:
    """Two states of a harmonic oscillator along x: <1|p|0>^2 = m hbar w / 2; f = 1 an electron."""
    momentum = np.zeros((1, 1, 2, 2, 3), dtype=complex)
    p = np.sqrt(0.5 * level_eV / HARTREE_EV)
    momentum[0, 0, 1, 0, 0], momentum[0, 0, 0, 1, 0] = 1j * p, -1j * p
    occupation = np.array([[[1.0, 0.0]]])
    return Bands(np.array([[[0.0, level_eV]]]), momentum, np.ones(1), occupation, volume_A3)


class TestEquationOne:
    @pytest.mark.parametrize("line", ["gaussian", "lorentzian"])
    def test_a_transition_fulfils_the_f_sum(self, line: str) -> None:
        bands = harmonic(5.0)
        energy = np.arange(0.0, 400.0, 0.02)
        eps2 = interband_absorption(bands, energy, (1, 0, 0), broadening_eV=0.2, line=line)
        plasma2 = 2.0 / np.pi * trapezoid(energy * eps2, energy)
        # Two electrons: the one spin channel counts twice.
        exact = 2.0 * PLASMA_EV2_A3 / 100.0
        assert plasma2 == pytest.approx(exact, rel=1e-2 if line == "lorentzian" else 2e-3)
        one_spin = Bands(
            np.repeat(bands.energy_eV, 2, axis=0),
            np.concatenate([bands.momentum, np.zeros_like(bands.momentum)]),
            bands.weight,
            np.repeat(bands.occupation, 2, axis=0),
            100.0,
        )
        half = interband_absorption(one_spin, energy, (1, 0, 0), broadening_eV=0.2, line=line)
        np.testing.assert_allclose(half, 0.5 * eps2, atol=1e-12)

    def test_static_constant_is_the_oscillators(self) -> None:
        energy = np.arange(0.0, 40.0, 0.01)
        eps2 = interband_absorption(harmonic(5.0), energy, (1, 0, 0), broadening_eV=0.05)
        spectrum = from_absorption(energy, eps2, tail=False)
        exact = lorentz_dielectric(
            np.zeros(1), [Lorentz(5.0, np.sqrt(2.0 * PLASMA_EV2_A3 / 100.0), 1e-9)]
        )
        assert spectrum.eps1[0] == pytest.approx(exact[0].real, rel=1e-3)

    def test_polarisation(self) -> None:
        energy = np.arange(0.0, 10.0, 0.05)
        along = interband_absorption(harmonic(5.0), energy, (2, 0, 0))
        across = interband_absorption(harmonic(5.0), energy, (0, 0, 1))
        slanted = interband_absorption(harmonic(5.0), energy, (1, 0, 1))
        circular = interband_absorption(harmonic(5.0), energy, (1, 1j, 0))
        assert across.max() == 0.0
        np.testing.assert_allclose(slanted, 0.5 * along)
        np.testing.assert_allclose(circular, 0.5 * along)

    def test_occupation_blocks(self) -> None:
        energy = np.arange(0.0, 10.0, 0.05)
        free = harmonic(5.0)
        filled = Bands(free.energy_eV, free.momentum, free.weight, np.ones((1, 1, 2)), 100.0)
        assert interband_absorption(filled, energy, (1, 0, 0)).max() == 0.0
        cold = fermi_occupation(free.energy_eV, 2.0, 0.0)
        np.testing.assert_array_equal(cold, free.occupation)
        warm = fermi_occupation(free.energy_eV, 2.0, 11604.5)
        assert warm[0, 0, 0] == pytest.approx(1.0 / (1.0 + np.exp(-2.0)), rel=1e-4)

    @pytest.mark.parametrize("kind", ["npz", "h5"])
    def test_file(self, kind: str, tmp_path: Path) -> None:
        import h5py

        bands, path = harmonic(5.0), tmp_path / f"bands.{kind}"
        arrays = {
            "energy_eV": bands.energy_eV[0],
            "momentum_real": bands.momentum[0].real,
            "momentum_imag": bands.momentum[0].imag,
            "weight": bands.weight,
            "volume_A3": np.array(100.0),
            "fermi_eV": np.array(2.0),
        }
        if kind == "npz":
            np.savez(path, **arrays)
        else:
            with h5py.File(path, "w") as file:
                for name, array in arrays.items():
                    file[name] = array
        found = read_bands(path)
        np.testing.assert_array_equal(found.momentum, bands.momentum)
        np.testing.assert_array_equal(found.occupation, bands.occupation)

    def test_file_without_occupation(self, tmp_path: Path) -> None:
        bands = harmonic(5.0)
        path = tmp_path / "bands.npz"
        np.savez(
            path,
            energy_eV=bands.energy_eV,
            momentum=bands.momentum,
            weight=bands.weight,
            volume_A3=100.0,
        )
        with pytest.raises(InputError, match="neither occupation nor fermi_eV"):
            read_bands(path)
        assert read_bands(path, fermi_eV=2.0).occupation[0, 0, 0] == 1.0


class TestTables:
    def test_directions(self, tmp_path: Path) -> None:
        path = tmp_path / "eps.csv"
        rows = [f"{e},{e + 1},{e + 3},{e}" for e in (4.0, 1.0, 2.0, 3.0)]
        path.write_text("\n".join(["energy_eV, eps2_xx, eps2_yy, eps2_zz", "# VASP", *rows]))
        table = read_dielectric_table(path)
        np.testing.assert_array_equal(table.energy_eV, [1, 2, 3, 4])
        np.testing.assert_array_equal(table.eps2_ab, [3, 4, 5, 6])
        np.testing.assert_array_equal(table.eps2_c, [1, 2, 3, 4])

    def test_measured_n_and_k(self, tmp_path: Path) -> None:
        path = tmp_path / "si.csv"
        lines = [",".join(line.split()) for line in SILICON.split("\n") if line]
        path.write_text("wavelength_um,n,k\n" + "\n".join(lines))
        table = read_dielectric_table(path)
        energy, eps = measured(SILICON)
        np.testing.assert_allclose(table.energy_eV, energy)
        np.testing.assert_allclose(table.eps2_ab, eps.imag)
        np.testing.assert_allclose(table.eps1, eps.real)

    def test_vasp_without_pymatgen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "vasprun.xml"
        path.write_text("<modeling></modeling>")
        for name in ("pymatgen", "pymatgen.io", "pymatgen.io.vasp", "pymatgen.io.vasp.outputs"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(InputError, match="pip install pymatgen"):
            read_dielectric_table(path)

    @pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
    def test_vasp_through_pymatgen(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # What pymatgen returns, without it: six components xx yy zz xy yz zx, or 3 x 3 tensors.
        energy = np.arange(5.0)
        imaginary = np.outer(energy, [1.0, 3.0, 5.0, 0.0, 0.0, 0.0])

        class Vasprun:
            def __init__(self, path: str, **_: bool) -> None:
                self.dielectric = (energy.tolist(), imaginary.tolist(), imaginary.tolist())

        class Outcar:
            def __init__(self, path: str) -> None: ...

            def read_freq_dielectric(self) -> None:
                self.dielectric_energies = energy
                self.dielectric_tensor_function = 1j * np.stack(
                    [np.diag(row[:3]) for row in imaginary]
                )

        module = types.ModuleType("pymatgen.io.vasp.outputs")
        module.Vasprun, module.Outcar = Vasprun, Outcar  # type: ignore[attr-defined]
        for parent in ("pymatgen", "pymatgen.io", "pymatgen.io.vasp"):
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, "pymatgen.io.vasp.outputs", module)
        (tmp_path / name).write_text("calculated")
        table = read_dielectric_table(tmp_path / name)
        np.testing.assert_allclose(table.eps2_ab, 2.0 * energy)
        np.testing.assert_allclose(table.eps2_c, 5.0 * energy)


class TestColours:
    def spectrum(self, shift: float = 0.0) -> Spectrum:
        eps = lorentz_dielectric(GRID, [Lorentz(2.6 + shift, 3.5, 0.6), OSCILLATORS[1]])
        return Spectrum(GRID, eps.real, eps.imag)

    def test_an_even_mirror_is_white(self) -> None:
        grey = Spectrum(GRID, np.full(GRID.size, 9.0), np.zeros(GRID.size))
        for lamp in ("3200 K", "equal", "6500K"):
            np.testing.assert_allclose(Illumination.build(lamp).brightness(grey), 0.25, atol=1e-12)

    def test_gold_is_yellow_and_silicon_is_not(self) -> None:
        light = Illumination.build()
        for text, ratio in ((GOLD, 0.55), (SILICON, 1.2)):
            energy, eps = measured(text)
            red, green, blue = light.brightness(Spectrum(energy, eps.real, eps.imag))
            assert blue / red == pytest.approx(ratio, abs=0.15)
            assert (red > green > blue) == (text is GOLD)

    def test_the_medium_dims(self) -> None:
        dry = Illumination.build().brightness(self.spectrum())
        wet = Illumination.build(medium=1.42).brightness(self.spectrum())
        assert (wet < dry).all()

    def test_the_lamp_weights_within_a_channel(self) -> None:
        warm, cold = (
            Illumination.build(t).brightness(self.spectrum()) for t in ("2000 K", "9000 K")
        )
        assert np.abs(warm - cold).max() > 1e-4

    def test_own_camera_and_lamp(self, tmp_path: Path) -> None:
        camera, lamp = tmp_path / "camera.csv", tmp_path / "lamp.csv"
        camera.write_text(
            "wavelength_nm,red,green,blue\n380,0,0,1\n500,0,1,1\n501,0,1,0\n600,1,1,0\n780,1,0,0\n"
        )
        lamp.write_text("wavelength_nm,power\n380,1\n780,1\n")
        own = Illumination.build(str(lamp), str(camera)).brightness(self.spectrum())
        equal = Illumination.build("equal", str(camera)).brightness(self.spectrum())
        np.testing.assert_allclose(own, equal)

    @pytest.mark.parametrize(
        ("lamp", "camera", "medium", "words"),
        [
            ("none.csv", "nominal", 1.0, "none.csv: no such file"),
            ("900 K", "nominal", 1.0, "1000 K"),
            ("equal", "kodak", 1.0, "kodak: no such file"),
            ("equal", "nominal", 0.5, "refractive index"),
        ],
    )
    def test_mistakes(self, lamp: str, camera: str, medium: float, words: str) -> None:
        with pytest.raises(InputError, match=words):
            Illumination.build(lamp, camera, medium)

    def test_a_table_that_ends_in_the_visible(self) -> None:
        short = Spectrum(GRID[:50], np.full(50, 2.0), np.zeros(50))
        with pytest.raises(InputError, match="colours need"):
            Illumination.build().brightness(short)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--temperature=-1"], "--temperature"),
        (["--temperature=nan"], "--temperature"),
        (["--polarisation", "0,0,0"], "--polarisation"),
        (["--polarisation", "1e-320,0,nan"], "--polarisation"),
        (["--broadening", "0"], "--broadening"),
        (["--temperature", "300"], "there is none among the tables"),
        (["--line", "lorentzian"], "there is none among the tables"),
    ],
)
def test_options_of_equation_1_are_used_or_refused(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from heterode.cli import main

    table = tmp_path / "eps2.csv"
    energy = np.linspace(0.1, 12.0, 200)
    rows = "".join(f"{e},{v}\n" for e, v in zip(energy, oscillators(energy), strict=True))
    table.write_text("energy_eV,eps2\n" + rows)
    out = tmp_path / "out"
    assert main(["dielectric", str(table), "--out", str(out), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert not out.exists()
