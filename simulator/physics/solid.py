r"""The balance of lithium in the particles.

    dc_s/dt + div J = 0,   J = -D_s(c_s) grad c_s   in every particle      (10), (11)
    J . n = i / F                                   on its surface         (17)

c_s is in mol m^-3, and i, A m^-2, is positive when lithium leaves; n points out of the particle.
There is no source of lithium inside. The equations are those of Shrivastava et al., PNAS 2025.

The unknown is the lithium fraction s = c_s / c_max, and the balance is multiplied by F, so that
all residuals of the cell are currents (A; A per metre of depth in 2D). For every v,

    integral of F c_max ds/dt v + F c_max D_s grad s . grad v dx + integral of i v dA = 0.

The last integral is the boundary factor 1 of `heterode.physics.balances`.

Where layers lie under the surfaces, a share l(x) of the storage can be lumped: the matrix of
F c_max ds/dt v is the consistent one of 1 - l and, for l, the sums of its rows on the diagonal. All
lithium is counted by the same rows, so that none is lost (heterode.accuracy.overshoot has the
reason).
"""

from __future__ import annotations

from ufl import grad, inner

from heterode.base.constants import FARADAY
from heterode.physics.weak_form import Context, Weak


def lithium(c: Context) -> Weak:
    """Weak form: F c_max ds/dt v + F c_max D_s grad s . grad v, part of the storage lumped."""
    s, v, dx = c.u["s"], c.v["s"], c.dx["particles"]
    c_max, D_s = c.material.maximum_concentration, c.material.diffusivity(s, c.T)
    if c.material.is_diffusivity_constant:
        D_s = c.constant("particles", D_s)
    stored, lumping = FARADAY * c_max * s * v, c.lumping
    return Weak(
        storage=stored * dx if lumping is None else (1.0 - lumping) * stored * dx,
        lumped=None if lumping is None else lumping * stored * dx,
        volume=FARADAY * c_max * D_s * inner(grad(s), grad(v)) * dx,
        linear=c.material.is_diffusivity_constant,
    )
