r"""Salt and charge in the electrolyte, in the carbon-binder domain and the separator.

    eps_l dc_l/dt + div N_l = 0,   N_l = -D_l,eff grad c_l + t+ i_l / F
    div i_l = 0,                   i_l = -kappa_eff grad phi_l
                                         + (2 kappa_eff R T / F)(1 - t+) TDF grad ln c_l

    on a particle        N_l . n = -i / F,     i_l . n = -i
    on the lithium metal N_l . n =  i_Li / F,  i_l . n =  i_Li

i, A m^-2, is positive when lithium leaves the particle, i_Li when it is deposited; n points out
of the electrolyte. PHYSICS: equations (7), (8), (16), (17) of Shrivastava et al., PNAS 2025;
concentrated-solution theory of Newman and Thomas-Alyea, Electrochemical Systems, 3rd ed., ch. 12.

The unknown is y = c_l / c_0, and every weak form is multiplied by F.

A reference transference number t_ref is taken out of the salt equation with the help of the
charge equation, tested with the same function:

    integral of t_ref i_l . grad w = t_ref (boundary integral of i_l . n w)

so that only (t+ - t_ref) i_l stays in the volume and (1 - t_ref) i on the boundaries. It is exact
in the discrete equations, and for a constant t+ nothing of phi_l is left in the salt's volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ufl import grad, inner, sqrt

from heterode.base.constants import FARADAY, GAS_CONSTANT

SMALLEST_RELATIVE_CONCENTRATION = 1e-4
"""Width of the smoothing that keeps Newton iterates of y positive inside ln and the fits."""


@dataclass(frozen=True)
class ElectrolyteCoefficients:
    """Effective properties at the local concentration, as UFL expressions.

    Attributes:
        D: D_l,eff, m^2 s^-1.
        kappa: kappa_eff, S m^-1.
        t_plus: transference number of Li+.
        tdf: thermodynamic factor 1 + d ln f / d ln c_l.
    """

    D: Any
    kappa: Any
    t_plus: Any
    tdf: Any


def positive(y: Any) -> Any:
    """A smooth function that equals y where y is well above zero and never vanishes."""
    return (y + sqrt(y * y + SMALLEST_RELATIVE_CONCENTRATION**2)) / 2


def salt_storage(y: Any, w: Any, *, porosity: Any, c_0: float, dx: Any) -> Any:
    """Weak form of F eps_l c_l: integral of F eps_l c_0 y w."""
    return FARADAY * c_0 * porosity * y * w * dx


def ionic_current(y: Any, phi_l: Any, *, k: ElectrolyteCoefficients, T: float) -> Any:
    """i_l, A m^-2."""
    diffusion_potential = 2 * GAS_CONSTANT * T / FARADAY * (1 - k.t_plus) * k.tdf
    return k.kappa * (diffusion_potential * grad(y) / positive(y) - grad(phi_l))


def salt_transport(
    y: Any,
    phi_l: Any,
    w: Any,
    *,
    k: ElectrolyteCoefficients,
    t_ref: float,
    c_0: float,
    T: float,
    dx: Any,
) -> Any:
    """Weak form: integral of F c_0 D grad y . grad w - (t+ - t_ref) i_l . grad w."""
    form = FARADAY * c_0 * k.D * inner(grad(y), grad(w)) * dx
    if isinstance(k.t_plus, float) and k.t_plus == t_ref:
        return form
    return form - (k.t_plus - t_ref) * inner(ionic_current(y, phi_l, k=k, T=T), grad(w)) * dx


def ionic_charge(
    y: Any, phi_l: Any, w: Any, *, k: ElectrolyteCoefficients, T: float, dx: Any
) -> Any:
    """Weak form: integral of -i_l . grad w."""
    return -inner(ionic_current(y, phi_l, k=k, T=T), grad(w)) * dx
