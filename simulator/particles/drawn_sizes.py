"""Particle diameters of a parameter file in micrometres: its size law, ready to draw from."""

from __future__ import annotations

from heterode.base.errors import InputError
from heterode.distributions.size_law import SizeLaw
from heterode.parameters.fields import MistakeError
from heterode.parameters.sizes import ParticleSize, size_law_of


def size_law(particle_size: ParticleSize) -> SizeLaw:
    """Return the law of diameters in um.

    Args:
        particle_size: section geometry.particle_size of the parameters, with lengths in m.

    Raises:
        InputError: the distribution has almost nothing inside its bounds, or a table has become
            invalid since the parameters were read.
    """
    try:
        return size_law_of(particle_size, 1e6)
    except MistakeError as mistake:
        allowed = f" (allowed: {mistake.allowed})" if mistake.allowed else ""
        file = getattr(particle_size, "file", None)
        key = "geometry.particle_size" + ("" if file is None else f".file = {file}")
        raise InputError(f"{key} {mistake}{allowed}. {mistake.remedy}".strip()) from None
