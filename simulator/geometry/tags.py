"""Integer tags and group names of the parts of an electrode mesh.

Cells carry CBD, SEPARATOR or PARTICLE_OFFSET + i; facets carry one of the names in FACET_NAMES.
In files the same parts are named groups: `cbd`, `separator`, `particle_0007`, `collector`, ...
"""

from __future__ import annotations

from heterode.physics.weak_form import Region

CBD = 1
"""Carbon-binder domain: the whole coating apart from the particles."""

SEPARATOR = 2

PARTICLE_OFFSET = 1000
"""Particle i (0-based) has the cell tag PARTICLE_OFFSET + i."""

COLLECTOR = 11
LITHIUM = 12
WALLS = 13
INTERFACE = 14
"""Facets between a particle and the carbon-binder domain."""

REGIONS: dict[int, Region] = {CBD: "binder", SEPARATOR: "separator"}
"""What the weak forms call them; the particles are a region too."""

CELL_NAMES = {CBD: "cbd", SEPARATOR: "separator"}
FACET_NAMES = {COLLECTOR: "collector", LITHIUM: "lithium", WALLS: "walls", INTERFACE: "interface"}

PARTICLE_PREFIX = "particle_"


def particle_name(particle: int) -> str:
    """Return the group name of a particle (0-based), as in particle_0007."""
    return f"{PARTICLE_PREFIX}{particle:04d}"
