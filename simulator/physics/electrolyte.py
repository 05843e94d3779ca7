r"""The balances of salt and charge in the electrolyte of carbon-binder domain and separator.

    eps_l dc_l/dt + div N_l = 0,   N_l = -D_l,eff grad c_l + t+ i_l / F
    div i_l = 0,                   i_l = -kappa_eff grad phi_l
                                         + (2 kappa_eff R T / F)(1 - t+) TDF grad ln c_l

    on a particle        N_l . n = -i / F,     i_l . n = -i                 (17), (16)
    on the lithium metal N_l . n =  i_Li / F,  i_l . n =  i_Li

i, A m^-2, is positive when lithium leaves the particle, i_Li when it is deposited; n points out
of the electrolyte, and N_l is the total flux of Li+. D_l,eff and kappa_eff follow Bruggeman, (7)
and (8). The equations are those of Shrivastava et al., PNAS 2025, with the concentrated-solution
theory of Newman and Thomas-Alyea, Electrochemical Systems, 3rd ed., ch. 12. There is no source of
salt or charge inside, and charge is not stored.

The unknown is y = c_l / c_0, and the balance of salt is multiplied by F. For every w,

    integral of F eps_l c_0 dy/dt w - F N_l . grad w dx + integral of (-i or i_Li) w dA = 0
    integral of -i_l . grad w dx                        + integral of (-i or i_Li) w dA = 0.

A reference transference number t_ref is subtracted from the salt equation by means of the charge
equation, tested with the same function:

    integral of t_ref i_l . grad w = t_ref (boundary integral of i_l . n w)

Only (t+ - t_ref) i_l then remains in the volume and (1 - t_ref) i on the boundaries. This is exact
in the discrete equations, and with a constant t+ the salt's volume term does not contain phi_l.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ufl import grad, inner, sqrt

from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.parameters import Parameters
from heterode.physics.effective import bruggeman
from heterode.physics.weak_form import Context, Weak

SMALLEST_RELATIVE_CONCENTRATION = 1e-4
"""Width of the smoothing that keeps Newton iterates of y positive in ln and in the fits."""


def salt(c: Context) -> Weak:
    """Weak form: F eps_l c_0 dy/dt w + F c_0 D grad y . grad w - (t+ - t_ref) i_l . grad w."""
    p, y, w = c.parameters, c.u["y"], c.v["y"]
    dx, flux_dx = c.dx["electrolyte"], c.flux_dx["electrolyte"]
    c_0, t_ref = p.electrolyte.initial_concentration, reference_transference(p)
    eps_l = porosity(c)
    k = coefficients(c)
    volume = FARADAY * c_0 * k.D * inner(grad(y), grad(w)) * flux_dx
    if not (isinstance(k.t_plus, float) and k.t_plus == t_ref):
        volume -= (k.t_plus - t_ref) * inner(ionic_current(c, k), grad(w)) * flux_dx
    return Weak(storage=FARADAY * c_0 * eps_l * y * w * dx, volume=volume)


def ionic_charge(c: Context) -> Weak:
    """Weak form: -i_l . grad w."""
    i_l, w = ionic_current(c, coefficients(c)), c.v["phi_l"]
    return Weak(None, -inner(i_l, grad(w)) * c.flux_dx["electrolyte"])


def ionic_current(c: Context, k: ElectrolyteCoefficients) -> Any:
    """Return the ionic current density i_l, A m^-2."""
    y, phi_l, T = c.u["y"], c.u["phi_l"], c.T
    diffusion_potential = 2 * GAS_CONSTANT * T / FARADAY * (1 - k.t_plus) * k.tdf
    return k.kappa * (diffusion_potential * grad(y) / positive(y) - grad(phi_l))


@dataclass(frozen=True)
class ElectrolyteCoefficients:
    """Effective properties at the local concentration, as UFL expressions.

    Attributes:
        D: diffusivity D_l,eff, m^2 s^-1.
        kappa: conductivity kappa_eff, S m^-1.
        t_plus: transference number of Li+.
        tdf: thermodynamic factor 1 + d ln f / d ln c_l.
    """

    D: Any
    kappa: Any
    t_plus: Any
    tdf: Any


def coefficients(c: Context) -> ElectrolyteCoefficients:
    """Return the effective properties at the concentration given by the unknown y."""
    p, T = c.parameters, c.T
    functions, factor = p.electrolyte.functions, transport_factor(c)
    c_l = p.electrolyte.initial_concentration * positive(c.u["y"])
    return ElectrolyteCoefficients(
        D=factor * functions.diffusivity(c_l, T),
        kappa=factor * functions.conductivity(c_l, T),
        t_plus=functions.transference_number(c_l, T),
        tdf=functions.thermodynamic_factor(c_l, T),
    )


def porosity(c: Context) -> Any:
    """Return eps_l of carbon-binder domain and separator."""
    binder, separator = c.parameters.carbon_binder, c.parameters.separator
    return c.by_region(
        "electrolyte", {"binder": binder.electrolyte_fraction, "separator": separator.porosity}
    )


def transport_factor(c: Context) -> Any:
    """Return D_l,eff / D_l = kappa_eff / kappa by Bruggeman's relation, (7) and (8)."""
    binder, separator = c.parameters.carbon_binder, c.parameters.separator
    return c.by_region(
        "electrolyte",
        {
            "binder": bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent),
            "separator": bruggeman(separator.porosity, separator.bruggeman_exponent),
        },
    )


def positive(y: Any) -> Any:
    """Return a smooth positive function that equals y where y is well above zero."""
    return (y + sqrt(y * y + SMALLEST_RELATIVE_CONCENTRATION**2)) / 2


def reference_transference(parameters: Parameters) -> float:
    """Return t+ at the initial salt concentration, which the salt's volume term subtracts."""
    c_0 = np.float64(parameters.electrolyte.initial_concentration)
    functions = parameters.electrolyte.functions
    return float(functions.transference_number(c_0, parameters.temperature))
