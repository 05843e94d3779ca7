"""Limits with an exact answer: disc, sphere, slab, and the kinetics without transport."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.optimize import brentq
from scipy.special import jn_zeros

from helpers.cells import NO_TRANSPORT_LOSS, cell, parameters, run
from helpers.manufactured import SmoothCurve
from helpers.manufactured import cell as block_cell
from helpers.mapped_grid import Blocks, mapped_grid
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.geometry.meshing_3d import mesh_spheres
from heterode.geometry.packing import Packing
from heterode.results.sample import Sample
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.stepper import State
from heterode.solver.time.terminal import ConstantCurrent
from verification.claim import Claim, Curve, Outcome, Plot, at_most

Floats = npt.NDArray[np.float64]

# -- diffusion under constant flux ------------------------------------------------------------

DISC_RADIUS = 2.5e-6  # of the disc in single_disc_2d.msh, m
DISC_DIFFUSIVITY = 3e-15

SPHERE_RADIUS = 5e-6
SPHERE_DIFFUSIVITY = 1e-14
SPHERE_FLUX = 1e-5  # mol m^-2 s^-1
SPHERE_TIME = 600.0
SPHERE_RISE = 4596.106
"""Rise of the surface concentration at that time, mol m^-3, from the series by itself."""

ACCURATE_TIME = (
    "solver.fraction_tolerance=1e-5",
    'solver.voltage_tolerance="0.01 mV"',
    "solver.maximum_step_fraction=0.005",
)


def disc_surface_rise(flux: float, diffusivity: float, times: Sequence[float] | Floats) -> Floats:
    """Rise of the surface concentration of a disc under constant flux into it, mol m^-3.

    c(R, t) - c_0 = (J R / D) (2 tau + 1/4 - 2 sum exp(-lambda^2 tau) / lambda^2),
    tau = D t / R^2, J_1(lambda) = 0.
    Source: Carslaw and Jaeger, Conduction of Heat in Solids, 2nd ed., section 7.8.
    """
    tau = diffusivity * np.asarray(times) / DISC_RADIUS**2
    roots = jn_zeros(1, 400)
    series = np.sum(np.exp(-np.outer(tau, roots**2)) / roots**2, axis=1)
    return flux * DISC_RADIUS / diffusivity * (2 * tau + 0.25 - 2 * series)


def sphere_surface_rise(flux: float, diffusivity: float, times: Sequence[float] | Floats) -> Floats:
    """The same of a sphere.

    c(R, t) - c_0 = (J R / D) (3 tau + 1/5 - 2 sum exp(-lambda^2 tau) / lambda^2),
    tau = D t / R^2, tan lambda = lambda.
    Source: Carslaw and Jaeger, section 9.7; Crank, The Mathematics of Diffusion, 2nd ed., 6.3.3.
    """
    tau = diffusivity * np.asarray(times) / SPHERE_RADIUS**2
    # sin z - z cos z has the same roots and no poles, one below each (n + 1/2) pi.
    ends = (np.arange(1, 401) + 0.5) * np.pi
    roots = np.array([brentq(lambda z: np.sin(z) - z * np.cos(z), e - 1.0, e) for e in ends])
    series = np.sum(np.exp(-np.outer(tau, roots**2)) / roots**2, axis=1)
    return flux * SPHERE_RADIUS / diffusivity * (3 * tau + 0.2 - 2 * series)


@lru_cache(maxsize=1)
def _disc_run() -> tuple[float, tuple[Sample, ...]]:
    overrides = (
        *NO_TRANSPORT_LOSS,
        'active_material.rate_constant="1e-9 m/s"',
        f'active_material.diffusivity="{DISC_DIFFUSIVITY} m^2/s"',
        'protocol.steps=["charge at C/3 for 40 min"]',
        *ACCURATE_TIME,
    )
    model = cell("single_disc_2d", overrides)
    return model.parameters.active_material.maximum_concentration, tuple(run(model)[0])


def disc(diffusivity: float = DISC_DIFFUSIVITY) -> Outcome:
    """One disc without transport loss against the series for some diffusivity."""
    c_max, samples = _disc_run()
    flux = -samples[-1].particle_current_A_m2[0] / FARADAY
    times = np.array([sample.time_s for sample in samples[1:]])
    surface = np.array([sample.surface_lithium_fraction[0] for sample in samples[1:]])
    exact = 0.985 + disc_surface_rise(flux, diffusivity, times) / c_max
    return _against_series(times, surface, exact, after=60.0, bound=2e-3)


def _against_series(
    times: Floats, surface: Floats, exact: Floats, *, after: float, bound: float
) -> Outcome:
    """Largest deviation of the surface's lithium fraction over its whole change."""
    later = times > after
    deviation = np.max(np.abs(surface - exact)[later]) / abs(exact[-1] - 0.985)
    curves = (
        Curve("series", times, exact),
        Curve("simulator", times, surface, line=False),
    )
    plot = Plot("time, s", "lithium fraction at the surface", curves)
    return Outcome((at_most("largest deviation over total change", deviation, bound),), (plot,))


def single_sphere() -> CellModel:
    """One sphere of radius 5 um in the middle of a box of 12 um, quadratic elements."""
    packing = Packing(
        centres_um=np.array([[6.0, 6.0, 6.0]]),
        radii_um=np.array([1e6 * SPHERE_RADIUS]),
        width_um=(12.0, 12.0),
        coating_thickness_um=12.0,
        minimum_gap_um=0.1,
        walls="inside",
        whole=1,
    )
    sizes = SimpleNamespace(
        surface_size_factor=0.25, maximum_size=2e-6, minimum_size=1e-7, separator_size=3e-6
    )
    current = FARADAY * SPHERE_FLUX * 4 * np.pi * SPHERE_RADIUS**2 / 12e-6**2
    overrides = (
        *NO_TRANSPORT_LOSS,
        "solver.degree=2",
        'active_material.rate_constant="1e-9 m/s"',
        f'active_material.diffusivity="{SPHERE_DIFFUSIVITY} m^2/s"',
        f'protocol.steps=["charge at {current:.12g} A/m^2 for {SPHERE_TIME:g} s"]',
        "solver.fraction_tolerance=3e-5",
        'solver.voltage_tolerance="0.1 mV"',
        "solver.maximum_step_fraction=0.01",
    )
    electrode = distribute(MPI.COMM_SELF, mesh_spheres(packing, sizes, 4.0))
    return CellModel(electrode, parameters(overrides), np.ones(1))


@lru_cache(maxsize=1)
def _sphere_run() -> tuple[float, tuple[Sample, ...]]:
    model = single_sphere()
    return model.parameters.active_material.maximum_concentration, tuple(run(model)[0])


def sphere(diffusivity: float = SPHERE_DIFFUSIVITY) -> Outcome:
    """One sphere without transport loss against the series for some diffusivity."""
    c_max, samples = _sphere_run()
    times = np.array([sample.time_s for sample in samples[1:]])
    surface = np.array([sample.surface_lithium_fraction[0] for sample in samples[1:]])
    exact = 0.985 - sphere_surface_rise(SPHERE_FLUX, diffusivity, times) / c_max
    found = _against_series(times, surface, exact, after=30.0, bound=5e-3)
    change = c_max * (0.985 - surface[-1])
    end = at_most("change at 600 s against 4596.106 mol/m^3", abs(change / SPHERE_RISE - 1), 5e-3)
    return Outcome((*found.figures, end), found.plots)


# -- Bruggeman's slab -------------------------------------------------------------------------

SLAB = Blocks(lengths=(14.0, 1.0), coating=10.0, particles=(((5.0, 0.0), (6.0, 0.5)),))
KAPPA, SIGMA = 0.05, 0.1  # S/m
IN_BINDER, IN_SEPARATOR = 0.7, 0.4
EXPONENT = 1.5

SLAB_SETTINGS = (
    "electrolyte.model=constant",
    # So fast, with so little current in the anions, that no gradient adds to the ohmic drop.
    "electrolyte.diffusivity=1e-6 m^2/s",
    f"electrolyte.conductivity={KAPPA} S/m",
    "electrolyte.transference_number=0.99",
    "electrolyte.thermodynamic_factor=1.0",
    f"carbon_binder.conductivity={SIGMA} S/m",
    f"carbon_binder.electrolyte_fraction={IN_BINDER}",
    f"separator.porosity={IN_SEPARATOR}",
)


def slab(*damages: str, exponent: float = EXPONENT) -> Outcome:
    """Effective conductivities from the potentials' drop along a slab.

    Where nothing reacts, the mean potential over the cross-section is linear along the thickness,
    whatever the particle does to the field near it.

    Args:
        damages: settings of the simulator that the expectation does not know.
        exponent: of the expectation.
    """
    model = block_cell(mapped_grid(SLAB, per_um=4, order=1), *SLAB_SETTINGS, *damages)
    state = _under_current(model)
    density = state.I / 1e-6  # A/m^2: the slab is 1 um high
    model.layout.spread(state.vector)
    drops = {
        "electrolyte in the coating": ("phi_l", 8.0, 9.5, KAPPA * IN_BINDER**exponent),
        "electrolyte in the separator": ("phi_l", 11.0, 13.0, KAPPA * IN_SEPARATOR**exponent),
        "carbon binder": ("phi_s", 1.0, 3.0, SIGMA * (1 - IN_BINDER) ** exponent),
    }
    figures = []
    for name, (field, begin, end, expected) in drops.items():
        drop = mean_across(model, field, begin) - mean_across(model, field, end)
        found = density * (end - begin) * 1e-6 / abs(drop)
        figures.append(
            at_most(f"{name}: relative error of conductivity", abs(found / expected - 1), 1e-5)
        )
    return Outcome(tuple(figures), (_profiles(model),))


def _under_current(model: CellModel) -> State:
    """After a second at 2C."""
    start = model.start()
    U = float(SmoothCurve().potential_and_slope(start.vector[:1])[0][0])
    stepper = model.stepper(replace(start, V=U))
    return stepper.accept(stepper.attempt(1.0, ConstantCurrent(2 * model.one_C)))


def _nodes(model: CellModel, field: str) -> tuple[Floats, Floats]:
    """(N, 2) places, um, and (N,) values of a field."""
    function = model.layout.functions[field]
    points = function.function_space.tabulate_dof_coordinates()[:, :2] * 1e6
    return points, function.x.array[: len(points)]


def mean_across(model: CellModel, field: str, at_um: float) -> float:
    """Mean of a linear field over the cross-section at a grid line."""
    points, values = _nodes(model, field)
    on = np.flatnonzero(np.abs(points[:, 0] - at_um) < 1e-6)
    order = on[np.argsort(points[on, 1])]
    return float(np.trapezoid(values[order], points[order, 1]))


def _profiles(model: CellModel) -> Plot:
    curves = []
    for field, name in (("phi_l", "electrolyte"), ("phi_s", "carbon binder")):
        points, _ = _nodes(model, field)
        along = np.unique(np.round(points[:, 0], 6))
        whole = [x for x in along if x <= 5.0 or x >= 6.0]
        means = [1e3 * mean_across(model, field, x) for x in whole]
        curves.append(Curve(name, whole, means, line=False))
    return Plot("distance from the collector, um", "mean potential, mV", tuple(curves))


# -- kinetics without transport ---------------------------------------------------------------


def overpotential(rate: float, penalty: float, protocol: str = "charge at C/40 for 10 h"):
    """V - U of one disc without transport loss, and the numbers that an expectation needs.

    Returns:
        V - U, V; exchange current density without penalty as a function of the exponent of the
        vacancies, A m^-2; current density i, A m^-2; RT/F, V.
    """
    model = cell(
        "single_disc_2d",
        (
            *NO_TRANSPORT_LOSS,
            f'active_material.rate_constant="{rate} m/s"',
            'active_material.diffusivity="1e-9 m^2/s"',
            f'protocol.steps=["{protocol}"]',
        ),
        [penalty],
    )
    last = run(model)[0][-1]
    x = last.lithium_fraction_mean
    c_max = model.parameters.active_material.maximum_concentration

    def exchange(order: float) -> float:
        return float(FARADAY * rate * c_max * (1 - x) ** order * x ** (1 - order))

    i = model.one_C / 40 / model.averages.surfaces[0]
    thermal = GAS_CONSTANT * model.parameters.temperature / FARADAY
    measured = last.voltage_V - float(model.curve.potential(np.array([x]))[0])
    return measured, exchange, i, thermal


def asinh_pair(penalty: float, order: float = 0.5) -> tuple[float, float]:
    """Overpotential at a current above the exchange current, V: measured and expected."""
    measured, exchange, i, thermal = overpotential(2e-11, penalty)
    return measured, float(2 * thermal * np.arcsinh(i / (2 * penalty * exchange(order))))


PENALTIES = (1.0, 0.5, 0.05)


def asinh_limit(order: float = 0.5) -> Outcome:
    """V - U = (2RT/F) asinh(i / (2 pen i0)) for three penalty factors."""
    pairs = np.array([asinh_pair(penalty, order) for penalty in PENALTIES])
    differences = np.abs(pairs[:, 0] - pairs[:, 1])
    curves = (
        Curve("2RT/F asinh(i / (2 pen i0))", PENALTIES, 1e3 * pairs[:, 1]),
        Curve("simulator", PENALTIES, 1e3 * pairs[:, 0], line=False),
    )
    plot = Plot("penalty factor", "overpotential, mV", curves)
    return Outcome(
        (at_most("largest difference of the overpotential", differences.max(), 2e-6, "V"),), (plot,)
    )


LINEAR_PENALTIES = (1.0, 0.7, 0.5)
"""At smaller factors the current is no longer small against the exchange current."""


def linear_kinetics(order: float = 0.5, transfer: float = 1.0) -> Outcome:
    """V - U = (RT/F) i / (pen i0) far below the exchange current.

    Args:
        order: exponent of the vacancies in the expected exchange current.
        transfer: factor on the expected resistance.
    """
    measured, expected = [], []
    for penalty in LINEAR_PENALTIES:
        eta, exchange, i, thermal = overpotential(1e-9, penalty, "charge at C/40 for 2 h")
        measured.append(eta / i)
        expected.append(transfer * thermal / (penalty * exchange(order)))
    curves = (
        Curve("RT / (F pen i0)", LINEAR_PENALTIES, 1e4 * np.array(expected)),
        Curve("simulator", LINEAR_PENALTIES, 1e4 * np.array(measured), line=False),
    )
    plot = Plot("penalty factor", "resistance, ohm cm^2", curves)
    wrong = np.abs(np.array(measured) / np.array(expected) - 1)
    return Outcome((at_most("relative error of the resistance", wrong.max(), 1e-3),), (plot,))


def claims() -> tuple[Claim, ...]:
    """The limits."""
    return (
        Claim(
            "disc",
            "The surface of a disc under constant flux follows the series",
            disc,
            {"series for a diffusivity of 4e-15 in place of 3e-15 m^2/s": partial(disc, 4e-15)},
        ),
        Claim(
            "sphere",
            "The surface of a sphere under constant flux follows the series",
            sphere,
            {"series for a diffusivity 3 % higher": partial(sphere, 1.03 * SPHERE_DIFFUSIVITY)},
            quick=False,
        ),
        Claim(
            "bruggeman",
            "A slab conducts as Bruggeman's relation has it: electrolyte, separator, carbon",
            slab,
            {
                "exponent 1.5001 for 1.5": partial(slab, exponent=1.5001),
                "equation (9) as printed": partial(
                    slab, "carbon_binder.bruggeman_carbon=as_printed"
                ),
            },
        ),
        Claim(
            "linear-kinetics",
            "Far below the exchange current the interface is a resistance RT / (F pen i0)",
            linear_kinetics,
            {
                "resistance 2 % higher": partial(linear_kinetics, transfer=1.02),
                "exchange current with exponent 0.49": partial(linear_kinetics, 0.49),
            },
        ),
        Claim(
            "asinh",
            "Without transport loss V - U = (2RT/F) asinh(i / (2 pen i0))",
            asinh_limit,
            {"exchange current with exponent 0.4": partial(asinh_limit, 0.4)},
        ),
    )
