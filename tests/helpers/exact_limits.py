"""Cells in limits that have an exact answer, and that answer: disc, sphere, and the kinetics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from mpi4py import MPI
from scipy.optimize import brentq
from scipy.special import jn_zeros

from helpers.cells import NO_TRANSPORT_LOSS, cell, parameters, run
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.geometry.meshing_3d import mesh_spheres
from heterode.geometry.packing import Packing
from heterode.results.sample import Sample
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel

Floats = npt.NDArray[np.float64]
START_FRACTION = 0.985
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


@dataclass(frozen=True)
class AgainstSeries:
    """Lithium fraction at a surface under constant flux, as simulated and by the series.

    Attributes:
        times: s, of every sample but the first.
        surface: simulated.
        exact: by the series.
        after: s: before that, the simulation's first steps are too long to be compared.
    """

    times: Floats
    surface: Floats
    exact: Floats
    after: float

    @property
    def deviation(self) -> float:
        """Largest deviation over the total change."""
        later = self.times > self.after
        change = abs(self.exact[-1] - START_FRACTION)
        return float(np.max(np.abs(self.surface - self.exact)[later]) / change)


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


def disc(diffusivity: float = DISC_DIFFUSIVITY) -> AgainstSeries:
    """One disc without transport loss, and the series for some diffusivity."""
    c_max, samples = _disc_run()
    flux = -samples[-1].particle_current_A_m2[0] / FARADAY
    times, surface = _at_the_surface(samples)
    exact = START_FRACTION + disc_surface_rise(flux, diffusivity, times) / c_max
    return AgainstSeries(times, surface, exact, after=60.0)


def _at_the_surface(samples: Sequence[Sample]) -> tuple[Floats, Floats]:
    later = samples[1:]
    times = np.array([sample.time_s for sample in later])
    return times, np.array([sample.surface_lithium_fraction[0] for sample in later])


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
def sphere_run() -> tuple[float, tuple[Sample, ...]]:
    """Maximum concentration of the sphere, mol m^-3, and the samples of its charge."""
    model = single_sphere()
    return model.parameters.active_material.maximum_concentration, tuple(run(model)[0])


def sphere(diffusivity: float = SPHERE_DIFFUSIVITY) -> AgainstSeries:
    """One sphere without transport loss, and the series for some diffusivity."""
    c_max, samples = sphere_run()
    times, surface = _at_the_surface(samples)
    exact = START_FRACTION - sphere_surface_rise(SPHERE_FLUX, diffusivity, times) / c_max
    return AgainstSeries(times, surface, exact, after=30.0)


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
