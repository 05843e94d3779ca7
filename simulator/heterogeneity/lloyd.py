"""k-means for many clusters: a balanced start, a cell list of centres, moves of single points.

The cost of the classical iteration is proportional to particles times clusters; with the centres in
a grid of cells it is proportional to the particles alone. The start repeatedly halves the particles
along their longest side, so that all clusters are compact and about equally full at first. Random
starts waste some centres and need many iterations to recover. A random rotation makes starts
differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.heterogeneity.compiled import compiled
from heterode.heterogeneity.marks import Floats, Ints
from heterode.heterogeneity.pair_loops import distance2

Array = Any

# Relative gain of an iteration below which Lloyd's iteration stops (going on would improve the
# result by less than 0.2 %), and the most iterations.
_GAIN = 1e-3
_ITERATIONS = 100

# Most sweeps of moves of single points.
_SWEEPS = 20


def kmeans(positions_um: Floats, clusters: int, rng: np.random.Generator) -> tuple[Ints, float]:
    """Partition points into compact clusters.

    Args:
        positions_um: (N, d) positions, preferably sorted by place.
        clusters: number K of clusters, at most N.
        rng: generator for the start.

    Returns:
        (N,) labels 0 .. K-1, all of which occur, and the inertia, which is the sum of squared
        distances to the clusters' centres.
    """
    size, d = positions_um.shape
    padded = np.zeros((size, 3))
    padded[:, 3 - d :] = positions_um
    turn = _rotation(d, rng)
    labels = balanced_start(np.ascontiguousarray(positions_um @ turn), clusters)
    inertia = lloyd(padded, labels, clusters, _GAIN, _ITERATIONS, _SWEEPS)
    return labels, float(inertia)


def _rotation(d: int, rng: np.random.Generator) -> Floats:
    """Draw a (d, d) orthogonal matrix from the uniform distribution."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return np.asarray(q * np.sign(np.diag(r)))


@compiled
def select(index: Array, key: Array, low: int, high: int, place: int) -> None:
    """Reorder index[low:high] so that the keys before `place` are at most those from it on."""
    high -= 1
    while low < high:
        pivot = key[index[(low + high) // 2]]
        i, j = low, high
        while i <= j:
            while key[index[i]] < pivot:
                i += 1
            while key[index[j]] > pivot:
                j -= 1
            if i <= j:
                index[i], index[j] = index[j], index[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            return


@compiled
def balanced_start(x: Array, clusters: int) -> Array:
    """Return (N,) labels from halving (N, d) points along their longest side again and again."""
    size, d = x.shape
    index = np.arange(size)
    labels = np.empty(size, np.int64)
    key = np.empty(size)
    stack = np.empty((128, 3), np.int64)
    stack[0] = np.array([0, size, clusters])
    depth, made = 1, 0
    while depth > 0:
        depth -= 1
        low, high, share = stack[depth, 0], stack[depth, 1], stack[depth, 2]
        if share == 1:
            for k in range(low, high):
                labels[index[k]] = made
            made += 1
            continue
        axis, longest = 0, -1.0
        for a in range(d):
            least, most = x[index[low], a], x[index[low], a]
            for k in range(low, high):
                least = min(least, x[index[k], a])
                most = max(most, x[index[k], a])
            if most - least > longest:
                axis, longest = a, most - least
        for k in range(low, high):
            key[index[k]] = x[index[k], axis]
        left = share // 2
        middle = low + int((high - low) * left / share + 0.5)
        middle = min(max(middle, low + left), high - (share - left))
        select(index, key, low, high, middle)
        stack[depth] = np.array([low, middle, left])
        stack[depth + 1] = np.array([middle, high, share - left])
        depth += 2
    return labels


@compiled
def centres_of(p: Array, labels: Array, clusters: int, centre: Array, count: Array) -> None:
    """Fill in (K, 3) means and (K,) numbers of the points of each cluster."""
    centre[:] = 0.0
    count[:] = 0
    for i in range(len(p)):
        c = labels[i]
        count[c] += 1
        for k in range(3):
            centre[c, k] += p[i, k]
    for c in range(clusters):
        if count[c] > 0:
            for k in range(3):
                centre[c, k] /= count[c]


@compiled
def sort_centres(centre: Array, low: Array, cell: float, shape: Array) -> tuple[Array, Array]:
    """Return the first entry of each cell, and the centres in the order of their cells."""
    clusters = len(centre)
    number = np.empty(clusters, np.int64)
    start = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for c in range(clusters):
        n = 0
        for k in range(3):
            n = n * shape[k] + min(max(int((centre[c, k] - low[k]) / cell), 0), shape[k] - 1)
        number[c] = n
        start[n + 1] += 1
    for n in range(start.size - 1):
        start[n + 1] += start[n]
    place = start[:-1].copy()
    held = np.empty(clusters, np.int64)
    for c in range(clusters):
        held[place[number[c]]] = c
        place[number[c]] += 1
    return start, held


@compiled
def cell_range(x: float, reach: float, low: float, cell: float, cells: int) -> tuple[int, int]:
    """Return the first and the last cell that x - reach .. x + reach touches in one direction."""
    a = min(max(int(np.floor((x - reach - low) / cell)), 0), cells - 1)
    b = min(max(int(np.floor((x + reach - low) / cell)), 0), cells - 1)
    return a, b


@compiled
def to_nearest(
    p: Array, labels: Array, centre: Array, low: Array, cell: float, shape: Array
) -> float:
    """Give every point the label of its nearest centre; return the sum of squared distances."""
    start, held = sort_centres(centre, low, cell, shape)
    total = 0.0
    for i in range(len(p)):
        best = labels[i]
        least = distance2(p, i, centre, best)
        reach = np.sqrt(least)
        a0, b0 = cell_range(p[i, 0], reach, low[0], cell, shape[0])
        a1, b1 = cell_range(p[i, 1], reach, low[1], cell, shape[1])
        a2, b2 = cell_range(p[i, 2], reach, low[2], cell, shape[2])
        for x in range(a0, b0 + 1):
            for y in range(a1, b1 + 1):
                line = (x * shape[1] + y) * shape[2]
                for k in range(start[line + a2], start[line + b2 + 1]):
                    d2 = distance2(p, i, centre, held[k])
                    if d2 < least:
                        best, least = held[k], d2
        labels[i] = best
        total += least
    return total


@compiled
def fill_empty(p: Array, labels: Array, centre: Array, count: Array) -> bool:
    """Move the point farthest from its centre into each empty cluster; return if one was empty."""
    filled = False
    for c in range(len(count)):
        if count[c] == 0:
            farthest, most = -1, -1.0
            for i in range(len(p)):
                d2 = distance2(p, i, centre, labels[i])
                if count[labels[i]] > 1 and d2 > most:
                    farthest, most = i, d2
            count[labels[farthest]] -= 1
            labels[farthest] = c
            count[c] = 1
            for k in range(3):
                centre[c, k] = p[farthest, k]
            filled = True
    return filled


@compiled
def move_single_points(
    p: Array, labels: Array, centre: Array, count: Array, low: Array, cell: float, shape: Array
) -> float:
    """Do one sweep of moves of single points that lower the inertia; return by how much.

    A point that leaves cluster a (n_a points) for b lowers the inertia by
    n_a / (n_a - 1) d_a^2 - n_b / (n_b + 1) d_b^2. Where clusters hold few points these factors
    matter and Lloyd's iteration, which leaves them out, stops early.
    """
    start, held = sort_centres(centre, low, cell, shape)
    gained = 0.0
    for i in range(len(p)):
        a = labels[i]
        if count[a] < 2:
            continue
        loss = count[a] / (count[a] - 1.0) * distance2(p, i, centre, a)
        # n_b / (n_b + 1) is at least 1/2, so no centre farther than this can gain.
        reach = np.sqrt(2.0 * loss)
        best, least = a, loss * (1.0 - 1e-12)
        a0, b0 = cell_range(p[i, 0], reach, low[0], cell, shape[0])
        a1, b1 = cell_range(p[i, 1], reach, low[1], cell, shape[1])
        a2, b2 = cell_range(p[i, 2], reach, low[2], cell, shape[2])
        for x in range(a0, b0 + 1):
            for y in range(a1, b1 + 1):
                line = (x * shape[1] + y) * shape[2]
                for k in range(start[line + a2], start[line + b2 + 1]):
                    b = held[k]
                    if b != a:
                        cost = count[b] / (count[b] + 1.0) * distance2(p, i, centre, b)
                        if cost < least:
                            best, least = b, cost
        if best != a:
            gained += loss - least
            for k in range(3):
                centre[a, k] -= (p[i, k] - centre[a, k]) / (count[a] - 1.0)
                centre[best, k] += (p[i, k] - centre[best, k]) / (count[best] + 1.0)
            count[a] -= 1
            count[best] += 1
            labels[i] = best
    return gained


@compiled
def lloyd(
    p: Array, labels: Array, clusters: int, gain: float, iterations: int, sweeps: int
) -> float:
    """Improve the labels of (N, 3) points in place; return the inertia."""
    low, high = np.empty(3), np.empty(3)
    for k in range(3):
        low[k], high[k] = p[:, k].min(), p[:, k].max()
    volume, d = 1.0, 0
    for k in range(3):
        if high[k] > low[k]:
            volume *= high[k] - low[k]
            d += 1
    cell = (volume / clusters) ** (1.0 / max(d, 1))
    shape = np.empty(3, np.int64)
    for k in range(3):
        shape[k] = int((high[k] - low[k]) / cell) + 1
    centre = np.empty((clusters, 3))
    count = np.empty(clusters, np.int64)
    before = np.inf
    centres_of(p, labels, clusters, centre, count)
    for _ in range(iterations):
        inertia = to_nearest(p, labels, centre, low, cell, shape)
        centres_of(p, labels, clusters, centre, count)
        if fill_empty(p, labels, centre, count):
            centres_of(p, labels, clusters, centre, count)
        elif before - inertia <= gain * inertia:
            break
        before = inertia
    for _ in range(sweeps):
        gained = move_single_points(p, labels, centre, count, low, cell, shape)
        if gained <= 0.1 * gain * before:
            break
    centres_of(p, labels, clusters, centre, count)
    total = 0.0
    for i in range(len(p)):
        total += distance2(p, i, centre, labels[i])
    return total
