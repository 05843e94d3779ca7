"""Refuses meshes with a piece that nothing fixes: no electrons, ions or lithium reach it.

Electrons come from the collector through the carbon-binder domain, and through the particles if
they conduct; ions from the lithium metal through separator and carbon-binder domain; lithium enters
particles from the carbon-binder domain. Of a piece without such a way, as of a pocket between three
particles that have grown together, potentials are undetermined: Newton's iteration diverges, or
ends anywhere. A particle without one would keep its lithium for ever and count in every mean.

Ways lead through facets. Nothing flows through a corner that two pieces share; on a mesh something
would, less and less as elements shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.geometry import tags
from heterode.geometry.mesh_data import ON_PLANE, MeshData, facet_mates
from heterode.geometry.simplex import FACETS

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MOST_NAMED = 4
"""Largest number of particles that a refusal names."""


@dataclass(frozen=True)
class _Links:
    """How the cells of a mesh hang together.

    Attributes:
        tags: (M,) tag of each cell.
        first, second: (F,) the cells on both sides of each inner facet.
        collector, lithium: cells with a facet on either end plane.
    """

    tags: npt.NDArray[np.int32]
    first: Ints
    second: Ints
    collector: Ints
    lithium: Ints

    @classmethod
    def of(cls, mesh: MeshData) -> _Links:
        d, cells = mesh.dimension, mesh.cells
        mates = facet_mates(cells, d)
        rows = np.arange(len(mates))
        inner = mates > rows
        outer = rows[mates < 0]
        corners = cells[outer[:, None] // (d + 1), np.array(FACETS[d])[outer % (d + 1)]]
        along = mesh.points_um[corners, mesh.thickness_axis]
        far = mesh.coating_thickness_um + mesh.separator_thickness_um
        collector = np.all(np.abs(along) < ON_PLANE * far, axis=1)
        lithium = np.all(np.abs(along - far) < ON_PLANE * far, axis=1)
        return cls(
            mesh.cell_tags,
            rows[inner] // (d + 1),
            mates[inner] // (d + 1),
            outer[collector] // (d + 1),
            outer[lithium] // (d + 1),
        )

    def unreached(self, members: Mask, sources: Ints) -> Mask:
        """Return the cells among `members` that no way through others joins to one of `sources`."""
        _, piece = self.pieces(members)
        reached = np.zeros(len(members), dtype=np.bool_)
        reached[piece[sources[members[sources]]]] = True
        return np.asarray(members & ~reached[piece], dtype=np.bool_)

    def pieces(self, members: Mask) -> tuple[int, Ints]:
        """Return the number of pieces that cells form, and the piece of each; others are alone."""
        # Imported only here, since `heterode check` makes no mesh.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        joined = members[self.first] & members[self.second]
        ends = (self.first[joined], self.second[joined])
        links = coo_array((np.ones(int(joined.sum()), dtype=np.int8), ends), (len(members),) * 2)
        count, piece = connected_components(links.tocsr(), directed=False)
        return int(count) - int(np.sum(~members)), np.asarray(piece, dtype=np.int64)

    def beside(self, members: Mask) -> Ints:
        """Return the particles that have a facet in common with some cells."""
        sides = np.concatenate(
            [
                self.tags[self.second[members[self.first]]],
                self.tags[self.first[members[self.second]]],
            ]
        ).astype(np.int64)
        return np.unique(sides[sides >= tags.PARTICLE_OFFSET]) - tags.PARTICLE_OFFSET


def require_reached(
    mesh: MeshData,
    *,
    particles_conduct: bool = False,
    remedy: str = "",
    name: Callable[[int], str] = tags.particle_name,
) -> None:
    """Refuse a mesh with a piece that electrons, ions or lithium do not reach.

    Args:
        mesh: the mesh.
        particles_conduct: whether electrons pass through particles.
        remedy: what to do, in one sentence; "" for what helps with a mesh from elsewhere.
        name: gives the name by which the user knows a particle.

    Raises:
        InputError: there is such a piece; the text says how many there are, and where.
    """
    links = _Links.of(mesh)
    binder, separator = (mesh.cell_tags == tag for tag in (tags.CBD, tags.SEPARATOR))
    solid = mesh.cell_tags >= tags.PARTICLE_OFFSET
    conductor = binder | solid if particles_conduct else binder
    border = solid[links.first] & binder[links.second]
    entered = np.concatenate(
        [links.first[border], links.second[binder[links.first] & solid[links.second]]]
    )
    no_lithium = links.unreached(solid, entered)
    no_electrons = links.unreached(conductor, links.collector) & ~no_lithium
    metal = links.lithium[separator[links.lithium]]
    no_ions = links.unreached(binder | separator, metal)
    part = "Part the particles around it, or give its cells to one of them."
    kinds = (
        (
            no_electrons & no_ions,
            "neither electrons from the collector nor ions from the lithium metal reach",
            part,
        ),
        (no_electrons, "no electrons from the collector reach", part),
        (no_ions, "no ions from the lithium metal reach", part),
        (
            no_lithium,
            "no carbon-binder domain touches",
            "Put some around it, or leave the particle out.",
        ),
    )
    for cut, reason, help_elsewhere in kinds:
        if cut.any():
            where = _where(mesh, links, cut, name)
            raise InputError(f"{reason} {where}. {remedy or help_elsewhere}")


def _where(mesh: MeshData, links: _Links, cut: Mask, name: Callable[[int], str]) -> str:
    """Say how many pieces some cells form, and where the largest is."""
    count, piece = links.pieces(cut)
    largest = cut & (piece == np.argmax(np.bincount(piece[cut])))
    middles = mesh.points_um[mesh.cells[largest][:, : mesh.dimension + 1]].mean(axis=1)
    # The middle of a bent piece lies outside of it, so that a cell is named.
    middle = middles[np.argmin(np.sum((middles - middles.mean(axis=0)) ** 2, axis=1))]
    axes = " ".join(f"{axis} = {at:.4g}," for axis, at in zip("xyz", middle, strict=False))[:-1]
    inside = np.unique(mesh.cell_tags[largest])
    own = inside[inside >= tags.PARTICLE_OFFSET] - tags.PARTICLE_OFFSET
    what = f"at {axes} um ({counted(int(largest.sum()), 'cell')} of {_parts(inside, name)}"
    around = np.setdiff1d(links.beside(largest), own)
    if around.size:
        what += f", beside {_listed([name(int(one)) for one in around])}"
    which = "a piece of the mesh" if count == 1 else f"{count} pieces of the mesh, the largest"
    return f"{which} {what})"


def _parts(inside: npt.NDArray[np.int32], name: Callable[[int], str]) -> str:
    """Name the parts that have some tags."""
    parts = {tags.CBD: "carbon-binder domain", tags.SEPARATOR: "separator"}
    return _listed([parts.get(tag) or name(tag - tags.PARTICLE_OFFSET) for tag in map(int, inside)])


def _listed(names: list[str]) -> str:
    """Return names in words, at most MOST_NAMED of them."""
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
