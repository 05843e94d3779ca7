r"""Lithium in the active material.

    dc_s/dt = div(D_s grad c_s)        in every particle
    -D_s grad c_s . n = i / F          on its surface

c_s mol m^-3; i A m^-2, positive when lithium leaves; n points out of the particle.
Equations (10), (11), (17) of Shrivastava et al., PNAS 2025.

The unknown is the lithium fraction s = c_s / c_max, and every weak form is multiplied by F, so
that all residuals of the cell are currents (A; A per metre of depth in 2D).
"""

from __future__ import annotations

from typing import Any

from ufl import grad, inner

from heterode.base.constants import FARADAY


def lithium_storage(s: Any, v: Any, *, c_max: float, dx: Any) -> Any:
    """Weak form of F c_s: integral of F c_max s v. With ds/dt for s, the storage current."""
    return FARADAY * c_max * s * v * dx


def solid_diffusion(s: Any, v: Any, *, D_s: Any, c_max: float, dx: Any) -> Any:
    """Weak form: integral of F c_max D_s grad s . grad v."""
    return FARADAY * c_max * D_s * inner(grad(s), grad(v)) * dx
