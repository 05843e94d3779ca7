"""Effective transport in porous domains: Bruggeman's relation, equations (7)-(9).

D_l,eff = eps_l^b D_l, kappa_eff = eps_l^b kappa, sigma_eff = f^b K_CB, b = 1.5 by default.
"""

from __future__ import annotations

from typing import Literal

LEAST = 1e-250
"""Least Bruggeman factor, so small that there is no transport but quotients stay finite."""


def bruggeman(fraction: float, exponent: float) -> float:
    """Return the factor by which a domain's volume fraction reduces transport in it."""
    return max(float(fraction**exponent), LEAST)


def carbon_factor(
    electrolyte_fraction: float,
    exponent: float,
    reading: Literal["carbon_fraction", "as_printed"],
) -> float:
    """Return sigma_eff / K_CB.

    Args:
        electrolyte_fraction: eps_l of the carbon-binder domain; eps_CB = 1 - eps_l.
        exponent: Bruggeman exponent.
        reading: "carbon_fraction" uses eps_CB, "as_printed" uses eps_l as equation (9) does.
            The two differ 15-fold at eps_l = 0.857 and agree at 0.5.
    """
    carbon_fraction = 1 - electrolyte_fraction
    fraction = carbon_fraction if reading == "carbon_fraction" else electrolyte_fraction
    return bruggeman(fraction, exponent)
