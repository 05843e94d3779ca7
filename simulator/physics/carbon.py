r"""The balance of electrons in the carbon-binder domain, and in the particles if they conduct.

    div i_s = 0,   i_s = -sigma_eff grad phi_s                              (9)
    i_s . n = +i           on a particle, n out of the carbon-binder domain (16)
    i_s . n = phi_s / R    on the collector, through a contact of resistance R

If particles conduct, phi_s is continuous across their surfaces, which feed i into both sides:

    div i_s = 0,   i_s = -sigma(s) grad phi_s   in a particle
    i_s . n + i_s,particle . n_particle = i     on its surface

i, A m^-2, is positive when lithium leaves the particle, since its electron enters the carbon.
Charge is not stored but follows changes at once. The equations are those of Shrivastava et al.,
PNAS 2025. For every w,

    integral of sigma_eff grad phi_s . grad w dx + integral of i w dA + integral of phi_s/R w dA = 0

with the boundary factors 1 of `heterode.physics.balances`. phi_s is measured from the collector.
"""

from __future__ import annotations

from typing import Any

from ufl import grad, inner

from heterode.physics.effective import carbon_factor
from heterode.physics.weak_form import Context, Weak


def electronic_charge(c: Context) -> Weak:
    """Weak form: sigma_eff grad phi_s . grad w; in particles with their own sigma."""
    phi_s, w, dx = c.u["phi_s"], c.v["phi_s"], c.dx["carbon"]
    binder, material = c.parameters.carbon_binder, c.parameters.active_material
    factor = carbon_factor(
        binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
    )
    sigma_eff, inside = binder.conductivity * factor, None
    if not material.electronic_conduction_in_particles:
        sigma = c.constant("carbon", sigma_eff)
    else:
        sigma_p: Any = material.electronic_conductivity_at(c.parameters.temperature)
        if callable(sigma_p):
            # A function of s is only known on the particles' own mesh, where phi_s is phi_p.
            phi_p, w_p = c.u["phi_p"], c.v["phi_p"]
            inside = sigma_p(c.u["s"]) * inner(grad(phi_p), grad(w_p)) * c.dx["particles"]
            sigma_p = 0.0
        sigma = c.by_region("carbon", {"binder": sigma_eff, "particles": sigma_p})
    return Weak(None, sigma * inner(grad(phi_s), grad(w)) * dx, linear=True, inside=inside)
