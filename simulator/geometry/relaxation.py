"""Separates overlapping balls: they are relaxed as soft spheres by FIRE, then shaken as hard ones.

This works in 2D and 3D. An axis is either periodic or bounded by two hard planes.

Sources: FIRE: Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006). Energy: harmonic in the overlap,
O'Hern et al., Phys. Rev. E 68, 011306 (2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


STAGNATION = 300
"""Steps in which the worst overlap must shrink by a fifth; otherwise the balls are jammed."""


@dataclass(frozen=True)
class Box:
    """The box in which the centres of balls may be.

    Attributes:
        size: (d,) extents; every axis starts at 0.
        periodic: (d,) flags; the other axes have hard planes at 0 and at the size.
        cut_axes: periodic axes at whose ends side walls will cut the packing.
        shallowest_cut: least height of a cap that a wall cuts off, in radii of the particle.
    """

    size: Floats
    periodic: npt.NDArray[np.bool_]
    cut_axes: tuple[int, ...] = ()
    shallowest_cut: float = 0.0

    def wrap(self, centres: Floats) -> Floats:
        """Return the centres with their periodic coordinates in [0, size)."""
        wrapped = np.where(self.periodic, np.mod(centres, self.size), centres)
        # np.mod rounds a tiny negative number up to the size itself.
        return np.where(self.periodic & (wrapped >= self.size), 0.0, wrapped)

    def separation(self, difference: Floats) -> Floats:
        """Return the shortest vectors between centres from their coordinate differences."""
        turns = np.where(self.periodic, np.round(difference / self.size), 0.0)
        return difference - turns * self.size

    def pairs(self, centres: Floats, reach: float) -> Ints:
        """Return (K, 2) pairs of centres nearer than reach, in a fixed order."""
        # cKDTree has all axes periodic or none, so the other axes get a period never reached.
        period = np.where(self.periodic, self.size, 4.0 * (self.size + reach))
        inside = np.where(self.periodic, centres, np.clip(centres, 0.0, self.size))
        tree = cKDTree(inside, boxsize=period)
        found = tree.query_pairs(reach, output_type="ndarray")
        ordered: Ints = found[np.lexsort((found[:, 1], found[:, 0]))]
        return ordered


class SoftBalls:
    """Balls that repel one another, planes and cuts where these come too near.

    Args:
        box: the container.
        radii: (N,) radii of the particles.
        gap: least distance between particles, and between a particle and a plane.
        slack: distance required beyond the gap, so that the gap holds once most of it is relaxed.
        swell: factor on the radii between balls; planes and cuts act on the true radii.
    """

    def __init__(
        self, box: Box, radii: Floats, gap: float, slack: float = 0.0, swell: float = 1.0
    ) -> None:
        self.box, self.radii, self.gap, self.slack, self.swell = box, radii, gap, slack, swell
        self.skin = 0.6 * float(np.median(radii))
        self.pairs: Ints = np.zeros((0, 2), dtype=np.intp)
        self.listed_at: Floats | None = None

    def forces(self, centres: Floats) -> tuple[Floats, float]:
        """Return the repulsion (N, d), of unit stiffness, and the largest missing distance."""
        i, j, apart, lack = self._near(centres)
        length = np.sqrt(np.einsum("kd,kd->k", apart, apart))
        push = (lack / np.maximum(length, 1e-12))[:, None] * apart
        force = self._plane_pushes(centres) + self._cut_pushes(centres)
        worst = max(float(lack.max(initial=0.0)), float(np.abs(force).max(initial=0.0)))
        for axis in range(centres.shape[1]):
            force[:, axis] += np.bincount(i, push[:, axis], len(centres))
            force[:, axis] -= np.bincount(j, push[:, axis], len(centres))
        return force, worst

    def valid(self, centres: Floats) -> npt.NDArray[np.bool_]:
        """Return (N,) False for balls too near to another or a plane, or grazed by a wall."""
        i, j, _, _ = self._near(centres)
        good: npt.NDArray[np.bool_] = np.all(self._plane_pushes(centres) == 0.0, axis=1)
        good &= np.all(self._cut_pushes(centres) == 0.0, axis=1)
        good[i] = False
        good[j] = False
        return good

    def _near(self, centres: Floats) -> tuple[Ints, Ints, Floats, Floats]:
        """Return pairs that are too near: i, j, vector from j to i, and the missing distance."""
        self._refresh(centres)
        i, j = self.pairs.T
        apart = self.box.separation(centres[i] - centres[j])
        wanted = self.swell * (self.radii[i] + self.radii[j]) + self.gap + self.slack
        hit = np.einsum("kd,kd->k", apart, apart) < wanted**2
        i, j, apart = i[hit], j[hit], apart[hit]
        return i, j, apart, wanted[hit] - np.sqrt(np.einsum("kd,kd->k", apart, apart))

    def _refresh(self, centres: Floats) -> None:
        """Update the list of pairs within reach once a ball has moved by half the skin."""
        if self.listed_at is not None:
            moved = self.box.separation(centres - self.listed_at)
            if float(np.einsum("nd,nd->n", moved, moved).max()) < (0.5 * self.skin) ** 2:
                return
        wrapped = self.box.wrap(centres)
        margin = self.gap + self.slack + self.skin
        found = self.box.pairs(wrapped, 2.0 * self.swell * float(self.radii.max()) + margin)
        apart = self.box.separation(wrapped[found[:, 0]] - wrapped[found[:, 1]])
        reach = self.swell * self.radii[found].sum(axis=1) + margin
        self.pairs = found[np.einsum("kd,kd->k", apart, apart) < reach**2]
        self.listed_at = centres.copy()

    def _plane_pushes(self, centres: Floats) -> Floats:
        """Return the vectors (N, d) that move balls back to the gap from a plane."""
        nearest = (self.radii + self.gap + self.slack)[:, None]
        low = np.maximum(nearest - centres, 0.0)
        high = np.maximum(centres + nearest - self.box.size, 0.0)
        return np.where(self.box.periodic, 0.0, low - high)

    def _cut_pushes(self, centres: Floats) -> Floats:
        """Return vectors (N, d) from where a wall grazes a ball to the nearest allowed place.

        A wall either cuts a particle of radius r at least `shallowest_cut` r deep, or leaves it
        whole and the gap free. Where two walls cut it, their common edge must cut as deeply: a
        ball that extends far beyond both walls but hardly beyond the edge would leave a splinter.
        """
        push = np.zeros_like(centres)
        inner = (1.0 - self.box.shallowest_cut) * self.radii - self.slack
        outer = self.radii + self.gap + self.slack
        distances, signs = [], []
        for axis in self.box.cut_axes:
            size = self.box.size[axis]
            place = np.mod(centres[:, axis], size)
            beyond = place > 0.5 * size
            distance = np.where(beyond, size - place, place)
            grazing = (distance > inner) & (distance < outer)
            nearest = np.where(distance - inner < outer - distance, inner, outer)
            sign = np.where(beyond, -1.0, 1.0)
            push[:, axis] = sign * np.where(grazing, nearest - distance, 0.0)
            distances.append(distance)
            signs.append(sign)
        if len(distances) == 2:
            x, y = distances
            from_edge = np.hypot(x, y)
            splinter = (x < outer) & (y < outer) & (from_edge > inner)
            # The shortest move is across the edge, or back from the farther of the two walls.
            over = splinter & (from_edge - inner < outer - np.maximum(x, y))
            shrink = inner / np.maximum(from_edge, 1e-12) - 1.0
            back = splinter & ~over
            for axis, own, sign in zip(self.box.cut_axes, distances, signs, strict=True):
                farther = back & (own == np.maximum(x, y))
                push[:, axis] = np.where(over, sign * shrink * own, push[:, axis])
                push[:, axis] = np.where(farther, sign * (outer - own), push[:, axis])
        return push

    def pressures(self, centres: Floats) -> Floats:
        """Return (N,) sums of missing distances: the derivatives of the energy by the radii."""
        i, j, _, lack = self._near(centres)
        pressure = np.bincount(i, lack, len(centres)) + np.bincount(j, lack, len(centres))
        walls = np.abs(self._plane_pushes(centres)) + np.abs(self._cut_pushes(centres))
        total: Floats = pressure + walls.sum(axis=1)
        return total


def relax(
    balls: SoftBalls,
    centres: Floats,
    tolerance: float,
    iterations: int,
) -> tuple[Floats, float]:
    """Minimise the overlap energy by FIRE until no missing distance exceeds the tolerance.

    Args:
        balls: the balls and their box.
        centres: (N, d) starting places.
        tolerance: largest missing distance at which to stop.
        iterations: largest number of steps; a jammed packing stops earlier.

    Returns:
        the centres and the largest missing distance, above the tolerance without convergence.
    """
    centres = centres.copy()
    velocity = np.zeros_like(centres)
    step, longest, mix, uphill = 0.1, 1.0, 0.1, 0
    force, worst = balls.forces(centres)
    fastest = 0.3 * float(balls.radii.min())
    before = np.inf
    for iteration in range(iterations):
        if worst <= tolerance:
            break
        if iteration % STAGNATION == STAGNATION - 1:
            if worst > 0.8 * before:
                break
            before = worst
        power = float(np.vdot(force, velocity))
        if power > 0.0:
            uphill += 1
            scale = np.linalg.norm(velocity) / max(float(np.linalg.norm(force)), 1e-300)
            velocity = (1.0 - mix) * velocity + mix * scale * force
            if uphill > 5:
                step, mix = min(1.1 * step, longest), 0.99 * mix
        else:
            velocity[:] = 0.0
            step, mix, uphill = 0.5 * step, 0.1, 0
        velocity += step * force
        move = step * velocity
        # Deep overlaps at the random start would throw small balls past their neighbours.
        length = np.sqrt(np.einsum("nd,nd->n", move, move))
        move *= np.minimum(1.0, fastest / np.maximum(length, 1e-300))[:, None]
        centres = centres + move
        force, worst = balls.forces(centres)
    return balls.box.wrap(centres), worst


def swap_radii(balls: SoftBalls, centres: Floats, first: int) -> Floats:
    """Swap the radii of two balls of neighbouring rank where the larger one is under more pressure.

    Each swap lowers the energy, and the set of radii stays the same. This loosens jammed spheres of
    many sizes (Brito, Lerner and Wyart, Phys. Rev. X 8, 031050, 2018).

    Args:
        balls: the balls with their present radii.
        centres: (N, d) places of the balls.
        first: rank at which pairing begins, 0 or 1.
    """
    radii = balls.radii.copy()
    pressure = balls.pressures(centres)
    rank = np.argsort(radii, kind="stable")[first:]
    pairs = rank[: len(rank) // 2 * 2].reshape(-1, 2)
    small, large = pairs[pressure[pairs[:, 1]] > pressure[pairs[:, 0]]].T
    radii[small], radii[large] = balls.radii[large], balls.radii[small]
    return radii


def shake(balls: SoftBalls, centres: Floats, random: np.random.Generator, sweeps: int) -> Floats:
    """Move hard balls at random within every constraint, so that the packing's history is lost.

    Relaxed packings end with most neighbours exactly at contact. After some tens of sweeps the
    distances are those of hard balls at thermal equilibrium, with a spread of gaps.

    Args:
        balls: balls that are all valid at `centres`.
        centres: (N, d) places of the balls.
        random: generator of the moves.
        sweeps: trial moves per ball; their length adapts to an acceptance of about 40 %.
    """
    length = 0.1 * float(np.median(balls.radii))
    for _ in range(sweeps):
        trial = centres + random.uniform(-length, length, centres.shape)
        moved = np.ones(len(centres), dtype=bool)
        while True:
            good = balls.valid(trial)
            if good.all():
                break
            # A moved ball can hit one that stayed, so every ball in conflict that moved goes back.
            back = ~good & moved
            moved &= ~back
            trial[back] = centres[back]
        centres = balls.box.wrap(trial)
        length *= 1.05 if moved.mean() > 0.4 else 0.95
    return centres
