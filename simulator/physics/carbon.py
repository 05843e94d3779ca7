r"""Electrons in the carbon-binder domain, and where particles conduct, in them as well.

    div i_s = 0,   i_s = -sigma_eff grad phi_s
    i_s . n = +i   on a particle, n out of the carbon-binder domain

Where particles conduct, phi_s is continuous across their surfaces, which feed i into both sides:

    div i_s = 0,   i_s = -sigma(s) grad phi_s   in a particle
    i_s . n + i_s,particle . n_particle = i     on its surface

i, A m^-2, is positive when lithium leaves the particle: its electron enters the carbon.
Equations (9), (16) of Shrivastava et al., PNAS 2025.
"""

from __future__ import annotations

from typing import Any

from ufl import grad, inner


def electronic_charge(phi_s: Any, w: Any, *, sigma: Any, dx: Any) -> Any:
    """Weak form: integral of sigma_eff grad phi_s . grad w; in particles, of their own sigma."""
    return sigma * inner(grad(phi_s), grad(w)) * dx
