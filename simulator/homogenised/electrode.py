r"""Parameters of the DFN for a run's electrode, with PyBaMM's names and in SI units.

    active fraction   V / (A_c L)                        V, A: volume and reacting surface of all
    particle radius   3 V / A                            particles; A_c, L: the coating
    porosity          (1 - V/(A_c L)) eps_l
    transport         (1 - V/(A_c L))^(d/(d-1)) eps_l^b  around the particles, and in the carbon
                                                         binder as in equations (7)-(9)
    exchange current  <pen> i0(x, c_l)

A DFN's particles are spheres. With R = 3V/A they have the run's volume and surface, and therefore
its capacity and current density of the reaction. In 2D the particles are discs, that is cylinders,
of radius R_d = 2V/A, so R is 1.5 R_d. Under a steady flux j, the surface of a cylinder differs from
its mean by j R_d / (4 D) and that of a sphere by j R / (5 D). These are equal if the sphere's D is
1.2 times the cylinder's, so the DFN has 1.2 D in 2D. (Just after a change of the flux, while
lithium diffuses as from a plane, its surface responds 9 % too little.)

The detour around particles lowers transport by (1 - eps)^1.5 for spheres and (1 - eps)^2 for discs,
according to differential effective-medium theory (Bruggeman, Ann. Phys. 416, 636 (1935)).

<pen> is the mean of the penalty factors weighted by surface ("mean"): if all particles are at one
state and potential, they carry the same current as particles that all have this factor. "harmonic"
is the mean of the resistances, which is right if all carry the same current density. "none" leaves
penalties out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.materials.exchange_currents import ExchangeCurrent
from heterode.materials.open_circuit import VOLTAGE_RANGE, OpenCircuitPotential
from heterode.parameters import Parameters
from heterode.parameters.active_material import ActiveMaterial
from heterode.particles.table import ParticleTable
from heterode.physics.effective import bruggeman, carbon_factor
from heterode.physics.exchange import exchange_law
from heterode.physics.terminals import lithium_metal_exchange
from heterode.results.slab_box import slab_box

Floats = npt.NDArray[np.float64]
Weighting = Literal["mean", "harmonic", "none"]

CYLINDER = 1.2
"""Factor on the diffusivity with which a sphere's steady difference is that of a cylinder."""

IDEAL_EXCHANGE = 1e6
"""Exchange current density of an ideal lithium metal, A m^-2: it needs 0.3 nV at 10 A m^-2."""

MESH_POINTS = {"x_n": 20, "x_s": 30, "x_p": 40, "r_n": 20, "r_p": 80}

_FRACTIONS: Floats = 0.5 * (1.0 - np.cos(np.pi * np.linspace(0.0, 1.0, 801, dtype=np.float64)))
"""Lithium fractions, dense at both ends, where exchange currents are like square roots."""

_SALT: Floats = np.linspace(1.0, 6000.0, 501, dtype=np.float64)


@dataclass(frozen=True)
class MeshedElectrode:
    """A run's electrode as it was meshed, in SI units, and in 2D per metre of depth.

    Attributes:
        volume, surface: total volume and surface of all particles, m^3 and m^2.
        area: area of the collector, m^2.
        penalty: mean factor <pen>.
        coating, separator: their thicknesses, m; None for those in the parameters.
    """

    volume: float
    surface: float
    area: float
    penalty: float
    coating: float | None = None
    separator: float | None = None


def meshed_electrode(
    folder: Path, particles: ParticleTable, dimension: int, weighting: Weighting
) -> MeshedElectrode:
    """Collect the dimensions from the particles and the extents of the fields' grid.

    Raises:
        InputError: the folder has no fields.
    """
    box = slab_box(folder, whole=True)
    scale = 1e-6 ** (dimension - 1)
    # In 2D, volumes in tables are per micrometre of depth.
    depth = 1e-6 if dimension == 2 else 1.0
    return MeshedElectrode(
        volume=float(particles.volume_um3.sum()) * 1e-18 / depth,
        surface=float(particles.surface_um2.sum()) * 1e-12 / depth,
        area=float(np.prod(box.sides_um)) * scale,
        penalty=mean_penalty(particles, weighting),
        coating=1e-6 * box.coating_um,
        separator=1e-6 * box.separator_um,
    )


def mean_penalty(particles: ParticleTable, weighting: Weighting) -> float:
    """Return the mean factor <pen>, weighted by surface."""
    weights = particles.surface_um2 / particles.surface_um2.sum()
    if weighting == "none":
        return 1.0
    if weighting == "harmonic":
        return float(1.0 / (weights @ (1.0 / particles.penalty)))
    return float(weights @ particles.penalty)


def describe_electrode(p: Parameters, m: MeshedElectrode) -> dict[str, Any]:
    """Return model options, parameters (numbers) and functions (tables) of the DFN.

    Raises:
        InputError: the particles fill the whole coating.
    """
    values: dict[str, float] = _geometry(p, m) | _conditions(p)
    functions: dict[str, Any] = {}
    for name, described in (_particles(p, m) | _electrolyte(p)).items():
        target = values if isinstance(described, float) else functions
        target[name] = described
    options = {"working electrode": "positive", "contact resistance": "true"}
    anodic, symmetry = p.active_material.anodic_transfer, p.lithium_metal.symmetry
    if max(abs(anodic - 0.5), abs(symmetry - 0.5)) > 1e-9:
        options["intercalation kinetics"] = "asymmetric Butler-Volmer"
        values["Positive electrode Butler-Volmer transfer coefficient"] = anodic
        values["Negative electrode Butler-Volmer transfer coefficient"] = symmetry
    return {
        "model options": options,
        "parameters": values,
        "functions": functions,
        "mesh points": MESH_POINTS,
    }


def not_represented(p: Parameters) -> list[str]:
    """Return a line for each property of a run that a DFN does not have."""
    lines, material = [], p.active_material
    if material.double_layer_capacitance > 0:
        lines.append("the double layer of the particles is left out")
    if material.electronic_conduction_in_particles:
        lines.append("electrons inside particles are left out: the carbon binder alone conducts")
    if p.collector.connection == "uniform_flux":
        lines.append("the collector is at one potential, where the run has a uniform current")
    if not _salt_is_a_power(p):
        lines.append(
            f"the exchange current {law_name(material)} depends on the salt otherwise than "
            f"by (c_l/c_0)^{_exchange(p).order:g}, with which it goes here"
        )
    aa, ac = material.anodic_transfer, material.cathodic_transfer
    if abs(aa + ac - 1.0) > 1e-9:
        lines.append(f"the cathodic transfer coefficient is {1 - aa:g}, where the run has {ac:g}")
    if p.geometry.dimension == 2:
        lines.append("discs are spheres of the same volume and surface, with 1.2 times their D")
    return lines


def law_name(material: ActiveMaterial) -> str:
    """Return the law of the exchange current as it was given."""
    given = material.exchange_current
    return given if isinstance(given, str) else given.text


def _points_of(curve: OpenCircuitPotential) -> Floats:
    """Return lithium fractions between which a cubic spline follows an open-circuit curve."""
    if curve.voltage_range == VOLTAGE_RANGE:
        fractions = curve.lithium_fraction(np.linspace(4.99, 2.5, 1246, dtype=np.float64))
        # Near x = 1 the curve is so steep that its points would coincide.
        return np.asarray(fractions[np.r_[True, np.diff(fractions) > 1e-7]])
    x: Floats = np.unique(np.concatenate([curve.nodes, np.linspace(5e-4, 1.0 - 5e-4, 2000)]))
    return np.asarray(x[np.r_[True, np.diff(x) > 1e-7]])


def _salt_is_a_power(p: Parameters) -> bool:
    """Check that the exchange current is a power of the salt, which twin.py assumes."""
    law, ones = _exchange(p), np.ones_like(_FRACTIONS)
    aa = law.order
    return all(
        np.allclose(law(_FRACTIONS, y * ones), y**aa * law(_FRACTIONS, ones), rtol=1e-9)
        for y in (0.3, 2.0)
    )


def _exchange(p: Parameters) -> ExchangeCurrent:
    salt = p.electrolyte.initial_concentration
    return exchange_law(p.active_material, salt_concentration=salt, temperature=p.temperature)


def _geometry(p: Parameters, m: MeshedElectrode) -> dict[str, float]:
    geometry, binder = p.geometry, p.carbon_binder
    coating = geometry.coating_thickness if m.coating is None else m.coating
    separator = geometry.separator_thickness if m.separator is None else m.separator
    active = m.volume / (m.area * coating)
    if not 0.0 < active < 1.0:
        raise InputError(
            f"the particles fill {active:.2f} of the coating, which leaves a DFN no pores"
        )
    dimension = geometry.dimension
    around = (1.0 - active) ** (dimension / (dimension - 1))
    porosity = (1.0 - active) * binder.electrolyte_fraction
    pores = around * bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent)
    carbon = around * carbon_factor(
        binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
    )
    return {
        "Electrode height [m]": 1.0,
        "Electrode width [m]": 1.0,
        "Positive electrode thickness [m]": coating,
        "Separator thickness [m]": separator,
        "Positive electrode active material volume fraction": active,
        "Positive particle radius [m]": 3.0 * m.volume / m.surface,
        "Positive electrode porosity": porosity,
        "Positive electrode Bruggeman coefficient (electrolyte)": float(
            np.log(pores) / np.log(porosity)
        ),
        "Positive electrode conductivity [S.m-1]": binder.conductivity * carbon,
        # The conductivity above is the effective one.
        "Positive electrode Bruggeman coefficient (electrode)": 0.0,
        # The lithium metal has a negligible resistance of 1e-11 ohm m^2.
        "Negative electrode thickness [m]": 1e-4,
        "Negative electrode conductivity [S.m-1]": 1e7,
        "Lithium metal partial molar volume [m3.mol-1]": 1.0
        / p.lithium_metal.lithium_concentration,
        "Separator porosity": p.separator.porosity,
        "Separator Bruggeman coefficient (electrolyte)": p.separator.bruggeman_exponent,
        "Contact resistance [Ohm]": p.collector.contact_resistance,
    }


def _conditions(p: Parameters) -> dict[str, float]:
    """Return temperatures, initial values of the DFN, and limits that never end it."""
    material = p.active_material
    return {
        "Ambient temperature [K]": p.temperature,
        "Initial temperature [K]": p.temperature,
        "Reference temperature [K]": p.temperature,
        "Maximum concentration in positive electrode [mol.m-3]": material.maximum_concentration,
        "Initial concentration in positive electrode [mol.m-3]": (
            material.maximum_concentration * material.initial_lithium_fraction
        ),
        "Initial concentration in electrolyte [mol.m-3]": p.electrolyte.initial_concentration,
        "Positive electrode OCP entropic change [V.K-1]": 0.0,
        "Number of electrodes connected in parallel to make a cell": 1.0,
        "Number of cells connected in series to make a battery": 1.0,
        "Nominal cell capacity [A.h]": 1.0,
        "Lower voltage cut-off [V]": 0.0,
        "Upper voltage cut-off [V]": 10.0,
    }


def _particles(p: Parameters, m: MeshedElectrode) -> dict[str, Any]:
    material, T = p.active_material, p.temperature
    curve = p.curve
    factor = CYLINDER if p.geometry.dimension == 2 else 1.0
    law = _exchange(p)
    i0 = law(_FRACTIONS, np.ones_like(_FRACTIONS))
    exchange = _table("stoichiometry", _FRACTIONS, m.penalty * i0) | {
        "at electrolyte concentration [mol.m-3]": p.electrolyte.initial_concentration,
        "order of the salt": law.order,
    }
    x = _points_of(curve)
    return {
        "Positive electrode OCP [V]": _table("stoichiometry", x, curve.potential(x)),
        "Positive particle diffusivity [m2.s-1]": _function(
            "stoichiometry", _FRACTIONS, lambda x: factor * material.diffusivity_of_fraction(x, T)
        ),
        "Positive electrode exchange-current density [A.m-2]": exchange,
    }


def _electrolyte(p: Parameters) -> dict[str, Any]:
    functions, T = p.electrolyte.functions, p.temperature
    salt = "electrolyte concentration [mol.m-3]"

    def lithium(c: Floats) -> Floats:
        if p.lithium_metal.kinetics == "ideal":
            return np.full_like(c, IDEAL_EXCHANGE)
        return np.asarray(lithium_metal_exchange(p, c))

    return {
        "Electrolyte diffusivity [m2.s-1]": _function(
            salt, _SALT, lambda c: functions.diffusivity(c, T)
        ),
        "Electrolyte conductivity [S.m-1]": _function(
            salt, _SALT, lambda c: functions.conductivity(c, T)
        ),
        "Cation transference number": _function(
            salt, _SALT, lambda c: functions.transference_number(c, T)
        ),
        "Thermodynamic factor": _function(
            salt, _SALT, lambda c: functions.thermodynamic_factor(c, T)
        ),
        "Exchange-current density for lithium metal electrode [A.m-2]": _function(
            salt, _SALT, lithium
        ),
    }


def _function(argument: str, x: Floats, function: Callable[[Floats], Any]) -> Any:
    """Return a number if the function is constant, otherwise its table."""
    y = np.broadcast_to(np.asarray(function(x), dtype=np.float64), x.shape)
    return float(y[0]) if np.ptp(y) == 0.0 else _table(argument, x, y)


def _table(argument: str, x: Floats, y: Floats) -> dict[str, Any]:
    return {"argument": argument, "x": x.tolist(), "y": y.tolist()}
