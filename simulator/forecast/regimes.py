"""Regime numbers, which show what will limit a run before it starts.

The reference state has a lithium fraction of x = 0.7, where |dU/dx| of NMC is near its minimum and
the spread between particles near its maximum, the initial salt concentration, and the median
penalty. Its quantities are

    R     surface-equivalent radius, dim * volume / surface of all particles (3 V/A, in 2D 2 A/P)
    i0    exchange current of the chosen law (heterode.physics.exchange), without penalty
    I     current density of the fastest step, per collector area; t = capacity / I
    i     I / (a L), the mean current density on particle surfaces, with a = dim * eps_AM / R
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.parameters.model import Parameters
from heterode.parameters.tables import read_penalty_table
from heterode.particles.drawn_penalties import penalty_law
from heterode.physics.effective import bruggeman, carbon_factor
from heterode.physics.exchange import exchange_law
from heterode.protocol.records import each_step

Array = NDArray[np.float64]

REFERENCE_FRACTION = 0.7

QUANTILES = 12
"""Quantiles by which a law of penalty factors is represented."""


@dataclass(frozen=True)
class Regime:
    """One dimensionless number (or a quantity in `unit`), its formula, and what it means."""

    name: str
    symbol: str
    value: float
    formula: str
    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class MeshSummary:
    """Measured dimensions of a mesh, which replace those of the nominal geometry.

    Attributes:
        particles: number of particles.
        active_fraction: ratio of particle volume to cathode volume.
        specific_surface: ratio of particle surface to cathode volume, m^-1.
        coating_thickness, separator_thickness: thicknesses, m.
    """

    particles: int
    active_fraction: float
    specific_surface: float
    coating_thickness: float
    separator_thickness: float


def effective_radius(parameters: Parameters, mesh: MeshSummary | None = None) -> float:
    """Return dim * volume / surface of all particles, m."""
    dimension = parameters.geometry.dimension
    if mesh is not None:
        return dimension * mesh.active_fraction / mesh.specific_surface
    return parameters.geometry.size_law.surface_radius(dimension)


def areal_capacity(parameters: Parameters, mesh: MeshSummary | None = None) -> float:
    """Return the capacity of the voltage window per collector area, C m^-2.

    It is F c_max (x_low - x_high) eps_AM L, and 3600 s times the 1C current density, A m^-2.
    """
    material = parameters.active_material
    least, most = material.lithium_fraction_window
    stored = FARADAY * material.maximum_concentration * (most - least)
    return stored * active_thickness(parameters, mesh)


def active_thickness(parameters: Parameters, mesh: MeshSummary | None = None) -> float:
    """Return the volume of active material per collector area, eps_AM L, m."""
    fraction = parameters.geometry.active_fraction if mesh is None else mesh.active_fraction
    return fraction * _thicknesses(parameters, mesh)[0]


def _thicknesses(p: Parameters, mesh: MeshSummary | None) -> tuple[float, float]:
    """Return the thicknesses of coating and separator, m."""
    if mesh is not None:
        return mesh.coating_thickness, mesh.separator_thickness
    return p.geometry.coating_thickness, p.geometry.separator_thickness


def fastest_current(parameters: Parameters, mesh: MeshSummary | None = None) -> float | None:
    """Return the largest current density of any step, A m^-2; None if no step has one."""
    one_C = areal_capacity(parameters, mesh) / 3600.0
    potential = parameters.active_material.mean_potential
    steps = each_step(parameters.protocol.steps)
    named = [step.current_density(one_C, potential) for step in steps]
    return max((current for current in named if current is not None), default=None)


def median_penalty(parameters: Parameters, mesh: MeshSummary | None = None) -> float:
    """Return the median of the penalty factors that will be drawn, or of the given table.

    Correlated factors that are rescaled by their largest are a little higher, since they correspond
    to fewer independent ones.
    """
    penalty = parameters.penalty
    if penalty.distribution == "none":
        return 1.0
    if penalty.distribution == "table" and penalty.file is not None:
        return float(np.median(read_penalty_table(penalty.file)))
    count = expected_particles(parameters) if mesh is None else mesh.particles
    return penalty_law(penalty).quantile(0.5, count)


def penalty_unevenness(parameters: Parameters, mesh: MeshSummary | None = None) -> float:
    """Return the mean square of the penalty factors that will be drawn over their squared mean."""
    penalty = parameters.penalty
    if penalty.distribution == "none":
        return 1.0
    if penalty.distribution == "table" and penalty.file is not None:
        factors = np.asarray(read_penalty_table(penalty.file), dtype=np.float64)
    else:
        count = expected_particles(parameters) if mesh is None else mesh.particles
        law, shares = penalty_law(penalty), (np.arange(QUANTILES) + 0.5) / QUANTILES
        factors = np.array([law.quantile(float(share), count) for share in shares])
    return float(np.mean(factors**2) / np.mean(factors) ** 2)


def exchange_current(parameters: Parameters, lithium_fraction: float) -> float:
    """Return i0 at the initial salt concentration, the cell's temperature and penalty 1, A m^-2."""
    law = exchange_law(
        parameters.active_material,
        salt_concentration=parameters.electrolyte.initial_concentration,
        temperature=parameters.temperature,
    )
    return float(law(np.array([lithium_fraction]), np.ones(1))[0])


@dataclass(frozen=True)
class _State:
    """The quantities of the module's docstring in SI units."""

    L: float
    R: float
    a: float
    D: float
    i0: float
    pen: float
    slope: float
    f: float
    sigma: float
    kappa: float


def _state(p: Parameters, mesh: MeshSummary | None) -> _State:
    x = REFERENCE_FRACTION
    R = effective_radius(p, mesh)
    fraction = p.geometry.active_fraction if mesh is None else mesh.active_fraction
    binder, c = p.carbon_binder, p.electrolyte.initial_concentration
    pores = bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent)
    carbon = carbon_factor(
        binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
    )
    return _State(
        L=_thicknesses(p, mesh)[0],
        R=R,
        a=p.geometry.dimension * fraction / R,
        D=float(p.active_material.diffusivity_of_fraction(x, p.temperature)),
        i0=exchange_current(p, x),
        pen=median_penalty(p, mesh),
        slope=abs(float(p.curve.slope(x))),
        f=FARADAY / (GAS_CONSTANT * p.temperature),
        sigma=binder.conductivity * carbon,
        kappa=float(p.electrolyte.functions.conductivity(c, p.temperature)) * pores,
    )


def regime_numbers(parameters: Parameters, mesh: MeshSummary | None = None) -> list[Regime]:
    """Return the numbers that a user should see before a run, in the order of reading.

    Args:
        parameters: parameters of the run.
        mesh: measured active fraction and surface; without it the nominal geometry is used.
    """
    s = _state(parameters, mesh)
    current = fastest_current(parameters, mesh)
    numbers = []
    if current is not None:
        numbers += _of_current(parameters, s, current, areal_capacity(parameters, mesh), mesh)
    numbers += _of_state(parameters, s)
    if parameters.active_material.electronic_conduction_in_particles:
        numbers.append(_of_particle_conduction(parameters, s))
    return numbers


def _of_current(
    p: Parameters, s: _State, current: float, capacity: float, mesh: MeshSummary | None
) -> list[Regime]:
    # Even a current beyond all bounds has a time.
    time = max(capacity / current, 1e-200)
    diffusion = s.R**2 / (s.D * time)
    ratio = current / (s.a * s.L) / (2.0 * s.pen * s.i0)
    overpotential = 2.0 / s.f * math.asinh(ratio)
    drop = _salt_drop(p, current, mesh) / p.electrolyte.initial_concentration
    return [
        Regime(
            "diffusion in the particles",
            "R^2/(D t)",
            diffusion,
            f"R = {s.R * 1e6:.2f} um, D = {s.D:.2g} m^2/s, t = {time / 3600:.3g} h",
            _read(
                diffusion,
                (0.02, "lithium is nearly uniform inside a particle"),
                (0.3, "lithium varies moderately from core to surface"),
                (math.inf, "diffusion inside the particles limits the rate"),
            ),
        ),
        Regime(
            "current against exchange",
            "I*",
            ratio,
            f"i/(2 pen i0), pen = {s.pen:.2g}, i0 = {s.i0:.3g} A/m^2: "
            f"overpotential {overpotential * 1e3:.3g} mV",
            _read(
                ratio,
                (0.02, "near equilibrium: differences in kinetics hardly show"),
                (0.3, "kinetics are felt: weakly penalised particles lead a little"),
                (math.inf, "kinetics limit: particles differ as their penalty and size do"),
            ),
        ),
        Regime(
            "salt against its initial content",
            "dc/c0",
            drop,
            "steady concentration difference from lithium face to collector over c0",
            _read(
                drop,
                (0.1, "the salt stays nearly uniform"),
                (0.8, "the salt varies across the cell"),
                (math.inf, "salt depletion ends the run before the cut-off"),
            ),
        ),
    ]


def _salt_drop(p: Parameters, current: float, mesh: MeshSummary | None) -> float:
    """Return I (1 - t+)/F (L_sep/D_sep + L/(2 D_cathode)), mol m^-3.

    This includes the detour around the particles by Bruggeman's estimate (1 - eps_AM)^1.5.
    """
    c, T = p.electrolyte.initial_concentration, p.temperature
    functions, binder, separator = p.electrolyte.functions, p.carbon_binder, p.separator
    D = float(functions.diffusivity(c, T))
    active = p.geometry.active_fraction if mesh is None else mesh.active_fraction
    around = float((1.0 - active) ** 1.5)
    coating, behind = _thicknesses(p, mesh)
    D_cathode = D * around * bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent)
    D_separator = D * bruggeman(separator.porosity, separator.bruggeman_exponent)
    path = behind / D_separator + 0.5 * coating / D_cathode
    flux = current * (1.0 - float(functions.transference_number(c, T))) / FARADAY
    return float(flux * path)


def _of_state(p: Parameters, s: _State) -> list[Regime]:
    transfer = s.pen * s.i0 * s.f
    biot = transfer * s.slope / (FARADAY * p.active_material.maximum_concentration) * s.R / s.D
    carbon, ions = (s.L**2 * s.a * transfer / k for k in (s.sigma, s.kappa))
    return [
        Regime(
            "interface against diffusion (Biot)",
            "h R/D",
            biot,
            f"h = pen i0 (F/RT)|U'|/(F c_max), |U'| = {s.slope:.2f} V at x = {REFERENCE_FRACTION}",
            _read(
                biot,
                (0.1, "the interface holds lithium back: each particle is uniform inside"),
                (10.0, "interface and diffusion share the resistance"),
                (math.inf, "diffusion holds lithium back: surfaces are in equilibrium"),
            ),
        ),
        Regime(
            "conduction by carbon",
            "nu^2 (sigma)",
            carbon,
            f"L^2 a pen i0 (F/RT)/sigma, sigma = {s.sigma:.3g} S/m",
            _conduction(carbon, "the carbon", "the collector"),
        ),
        Regime(
            "conduction by electrolyte",
            "nu^2 (kappa)",
            ions,
            f"L^2 a pen i0 (F/RT)/kappa, kappa = {s.kappa:.3g} S/m",
            _conduction(ions, "the electrolyte", "the separator"),
        ),
    ]


def _of_particle_conduction(p: Parameters, s: _State) -> Regime:
    given = p.active_material.electronic_conductivity_at(p.temperature)
    sigma = given if isinstance(given, float) else float(given(REFERENCE_FRACTION))
    value = s.R * s.pen * s.i0 * s.f / sigma
    return Regime(
        "conduction inside particles",
        "R/l (sigma_p)",
        value,
        f"l = sigma_p/(pen i0 F/RT), sigma_p = {sigma:.3g} S/m",
        _read(
            value,
            (0.1, "electrons cross a particle at no cost"),
            (10.0, "electrons are felt: particles bridge gaps in the carbon binder in part"),
            (math.inf, "electrons hardly enter the particles: the carbon binder brings them"),
        ),
    )


def _conduction(value: float, conductor: str, side: str) -> str:
    return _read(
        value,
        (0.1, f"{conductor} conducts well: the depth in the coating does not matter"),
        (10.0, f"{conductor} is felt: particles near {side} lead a little"),
        (math.inf, f"{conductor} limits: the reaction begins at {side}"),
    )


def _read(value: float, *bands: tuple[float, str]) -> str:
    return next(text for limit, text in bands if value <= limit)


# Size ----------------------------------------------------------------------------------------


def expected_width(parameters: Parameters) -> float:
    """Return the width, m: that in the file, or the one that holds the file's particles."""
    geometry = parameters.geometry
    if geometry.width is not None:
        return geometry.width
    assert geometry.particles is not None
    solid = geometry.particles * geometry.size_law.mean_volume(geometry.dimension)
    face = solid / (geometry.active_fraction * geometry.coating_thickness)
    return float(face ** (1.0 / (geometry.dimension - 1)))


def expected_particles(parameters: Parameters) -> int:
    """Return the number of particles: that in the file, or as many as fill the width."""
    geometry = parameters.geometry
    if geometry.particles is not None:
        return geometry.particles
    assert geometry.width is not None
    face = geometry.width ** (geometry.dimension - 1)
    solid = face * geometry.coating_thickness * geometry.active_fraction
    return max(1, round(solid / geometry.size_law.mean_volume(geometry.dimension)))
