r"""The range in which the lithium fractions of a particle lie, and what the elements put outside.

    min(s at the start, s on the surface until t) <= s(x, t) <= max(the same)

Lithium diffuses without sources, so that this maximum principle holds for every D(s), and walls
without a flux change nothing. Finite elements with a consistent mass matrix break it where a front
is steeper than the elements: after a jump of the flux by q = i / (F c_max) they overshoot ahead of
the front by a small share of q R / D. With a lumped mass matrix they would not, but their error
would be two to three times as large. The state therefore stays as it is. The fields that are handed
out are clipped to the range, and the largest clip is recorded.

Values on the surface are those at the nodes of the reacting surface, where the kinetics see the
solution. The range only ever grows, whatever the current does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.constants import FARADAY
from heterode.solver.discretisation.bodies import Bodies
from heterode.solver.discretisation.electrode_mesh import MICROMETRE
from heterode.solver.model import CellModel
from heterode.solver.time.state import State

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """The largest clip of a run so far.

    Attributes:
        lithium_fraction: largest distance of a node's lithium fraction from its particle's range.
        of_flux_scale: largest such distance over q R / D of its particle, where q is the largest
            change of its mean current density so far, as i / (F c_max), and D belongs to the mean
            lithium fraction of its surface. Distances that Newton's method may leave do not count.
        particle: particle of the largest distance; None if nothing was clipped.
        at_s: time of the largest distance, s; None if nothing was clipped.
    """

    lithium_fraction: float = 0.0
    of_flux_scale: float = 0.0
    particle: int | None = None
    at_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for the manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Memory:
    """The memory of the bounds.

    Attributes:
        ranges: (4, N) least and greatest lithium fraction of each particle, and least and greatest
            mean current density, A m^-2, with zero among them.
        clip: the largest clip.
    """

    ranges: Floats
    clip: Clip


class Bounds:
    """The ranges of the particles' lithium fractions so far. All methods are collective.

    Args:
        model: the cell.
        start: the state before the first step.

    Attributes:
        least, greatest: (N,) range of each particle's lithium fraction, the same on every rank.
        clip: the largest clip so far.
    """

    def __init__(self, model: CellModel, start: State) -> None:
        self._model, self._name = model, model.table.lithium.field
        self._bodies = Bodies(model.mesh, model.lithium)
        self._surface = model.system.reaction.trace.dofs[self._name]
        self._begin(start)

    def _begin(self, start: State) -> None:
        owned = start.vector[self._model.layout.slices[self._name]]
        self.least, self.greatest = -self._bodies.greatest(-owned), self._bodies.greatest(owned)
        self._currents: Floats = np.zeros((2, self.least.size))
        self.clip = Clip()

    def update(self, state: State) -> None:
        """Take an accepted state into account."""
        values = self._model.layout.spread(state.vector)[self._name]
        surface = values[self._surface]
        of_surface = self._bodies.greatest
        self.least = np.minimum(self.least, -of_surface(-surface, self._surface))
        self.greatest = np.maximum(self.greatest, of_surface(surface, self._surface))
        self._measure(values, state)

    def _measure(self, values: Floats, state: State) -> None:
        """Compare what lies outside with the largest clip so far."""
        model = self._model
        flux = state.fluxes[model.system.reaction.surface.name]
        i = np.nan_to_num(model.averages.of_current(flux))
        low, high = self._currents
        self._currents = np.stack([np.minimum(low, i), np.maximum(high, i)])
        outside = self._bodies.greatest(np.abs(values - self.clipped(values)))
        at_surface = model.averages.of_surface(values)
        worst = int(np.argmax(outside))
        share = float(np.max(self._shares(outside, at_surface), initial=0.0))
        self.clip = replace(self.clip, of_flux_scale=max(share, self.clip.of_flux_scale))
        if outside[worst] > self.clip.lithium_fraction:
            distance = float(outside[worst])
            self.clip = replace(
                self.clip, lithium_fraction=distance, particle=worst, at_s=state.time
            )

    def _shares(self, outside: Floats, at_surface: Floats) -> Floats:
        """Return what lies outside in each particle, over its q R / D."""
        model, (low, high) = self._model, self._currents
        counts = outside > model.tolerances.update * model.tolerances.fields[self._name]
        fractions = np.where(np.isfinite(at_surface), at_surface, model.material.start)
        D = np.asarray(model.material.diffusivity(fractions, model.parameters.temperature))
        q = (high - low) / (FARADAY * model.material.maximum_concentration)
        scale = q * np.asarray(model.mesh.particle_table.radius_um) * MICROMETRE / D
        counts &= scale > 0.0
        return np.asarray(np.where(counts, outside, 0.0) / np.where(counts, scale, 1.0))

    @property
    def memory(self) -> Memory:
        """Return all on which `update` depends; the arrays are never changed in place."""
        return Memory(np.vstack([self.least, self.greatest, self._currents]), self.clip)

    def recall(self, memory: Memory | None, state: State) -> None:
        """Continue from the memory of another run's bounds.

        Args:
            memory: the memory; None, from older versions, begins at `state`.
            state: the state at which it was taken.
        """
        if memory is None:
            self._begin(state)
            return
        self.least, self.greatest = memory.ranges[:2]
        self._currents, self.clip = memory.ranges[2:], memory.clip

    def clipped(self, values: Floats) -> Floats:
        """Return (local and ghost,) lithium fractions within the range of their particles."""
        particles = self._bodies.of_dof
        return np.asarray(np.clip(values, self.least[particles], self.greatest[particles]))
