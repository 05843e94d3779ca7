"""The compiled loops of `pairs`: each visits the pairs i < j of sorted particles within a distance.

All have the same first arguments: positions (N, 3); start, shape, low and cell of the cell list;
squared edges (B+1,); and `first` and `scale`, a table from distance to the first possible bin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.heterogeneity.compiled import compiled

Array = Any


@compiled
def distance2(p: Array, i: int, centre: Array, c: int) -> float:
    """Return the squared distance between a point and a centre."""
    x, y, z = p[i, 0] - centre[c, 0], p[i, 1] - centre[c, 1], p[i, 2] - centre[c, 2]
    d2: float = x * x + y * y + z * z
    return d2


@compiled
def rows(
    i: int, p: Array, start: Array, shape: Array, low: Array, cell: float, reach2: float, out: Array
) -> int:
    """Fill `out` (n, 2) with runs of sorted rows that may have partners of i; return the number."""
    reach = np.sqrt(reach2)
    a, b, c = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for k in range(3):
        a[k] = min(max(int(np.floor((p[i, k] - reach - low[k]) / cell)), 0), shape[k] - 1)
        b[k] = min(max(int(np.floor((p[i, k] + reach - low[k]) / cell)), 0), shape[k] - 1)
        c[k] = min(max(int((p[i, k] - low[k]) / cell), 0), shape[k] - 1)
    found = 0
    # Cells before the particle's own only hold smaller rows, from which these pairs were visited.
    for x in range(c[0], b[0] + 1):
        for y in range(a[1] if x > c[0] else c[1], b[1] + 1):
            line = (x * shape[1] + y) * shape[2]
            begin = max(start[line + a[2]], i + 1)
            end = start[line + b[2] + 1]
            if end > begin:
                out[found, 0] = begin
                out[found, 1] = end
                found += 1
    return found


@compiled
def bin_of(d2: float, edges2: Array, first: Array, scale: float) -> int:
    """Return the bin of a squared distance, or -1."""
    last = edges2.size - 1
    if d2 >= edges2[last] or d2 < edges2[0]:
        return -1
    b: int = first[int(np.sqrt(d2) * scale)]
    while d2 >= edges2[b + 1]:
        b += 1
    return b


@compiled
def most_rows(shape: Array, cell: float, reach2: float) -> int:
    """Return an upper bound of the number of runs that `rows` finds."""
    span = 2 * int(np.ceil(np.sqrt(reach2) / cell)) + 3
    most: int = min(span, shape[0]) * min(span, shape[1])
    return most


@compiled
def moments(
    p: Array,
    start: Array,
    shape: Array,
    low: Array,
    cell: float,
    edges2: Array,
    first: Array,
    scale: float,
    v: Array,
    block: Array,
    blocks: int,
    begin: int,
    end: int,
) -> Array:
    """Return (5, G, G, B) sums over the pairs whose first particle is in begin .. end-1."""
    sums = np.zeros((5, blocks, blocks, edges2.size - 1))
    reach2 = edges2[-1]
    runs = np.empty((most_rows(shape, cell, reach2), 2), np.int64)
    for i in range(begin, end):
        for run in range(rows(i, p, start, shape, low, cell, reach2, runs)):
            for j in range(runs[run, 0], runs[run, 1]):
                d2 = distance2(p, i, p, j)
                b = bin_of(d2, edges2, first, scale)
                if b >= 0:
                    g, h = block[i], block[j]
                    sums[0, g, h, b] += 1.0
                    sums[1, g, h, b] += np.sqrt(d2)
                    sums[2, g, h, b] += v[i] + v[j]
                    sums[3, g, h, b] += v[i] ** 2 + v[j] ** 2
                    sums[4, g, h, b] += v[i] * v[j]
    return sums


@compiled
def counts(
    p: Array,
    start: Array,
    shape: Array,
    low: Array,
    cell: float,
    edges2: Array,
    first: Array,
    scale: float,
) -> Array:
    """Return (N, B) the number of pairs of each particle."""
    found = np.zeros((len(p), edges2.size - 1), np.int32)
    reach2 = edges2[-1]
    runs = np.empty((most_rows(shape, cell, reach2), 2), np.int64)
    for i in range(len(p)):
        for run in range(rows(i, p, start, shape, low, cell, reach2, runs)):
            for j in range(runs[run, 0], runs[run, 1]):
                d2 = distance2(p, i, p, j)
                b = bin_of(d2, edges2, first, scale)
                if b >= 0:
                    found[i, b] += 1
                    found[j, b] += 1
    return found


@compiled
def products(
    p: Array,
    start: Array,
    shape: Array,
    low: Array,
    cell: float,
    edges2: Array,
    first: Array,
    scale: float,
    marks: Array,
    begin: int,
    end: int,
) -> Array:
    """Return (B, M) sums of v_i v_j over the pairs whose first particle is in begin .. end-1."""
    bins, sets = edges2.size - 1, marks.shape[1]
    sums = np.zeros((bins, sets))
    # The partners' values are summed first, for one product per particle and bin, not per pair.
    partners = np.zeros((bins, sets), marks.dtype)
    touched = np.zeros(bins, np.bool_)
    reach2 = edges2[-1]
    runs = np.empty((most_rows(shape, cell, reach2), 2), np.int64)
    for i in range(begin, end):
        for run in range(rows(i, p, start, shape, low, cell, reach2, runs)):
            for j in range(runs[run, 0], runs[run, 1]):
                d2 = distance2(p, i, p, j)
                b = bin_of(d2, edges2, first, scale)
                if b >= 0:
                    touched[b] = True
                    for m in range(sets):
                        partners[b, m] += marks[j, m]
        for b in range(bins):
            if touched[b]:
                touched[b] = False
                for m in range(sets):
                    sums[b, m] += marks[i, m] * partners[b, m]
                    partners[b, m] = 0.0
    return sums


@compiled
def listed(
    p: Array,
    start: Array,
    shape: Array,
    low: Array,
    cell: float,
    edges2: Array,
    first: Array,
    scale: float,
    wanted: Array,
) -> Array:
    """Return (2, P) the wanted pairs, which are given by their numbers in order of visits."""
    found = np.empty((2, wanted.size), np.int32)
    met, taken = 0, 0
    reach2 = edges2[-1]
    runs = np.empty((most_rows(shape, cell, reach2), 2), np.int64)
    for i in range(len(p)):
        for run in range(rows(i, p, start, shape, low, cell, reach2, runs)):
            for j in range(runs[run, 0], runs[run, 1]):
                d2 = distance2(p, i, p, j)
                if edges2[0] <= d2 < reach2:
                    if taken < wanted.size and met == wanted[taken]:
                        found[0, taken] = i
                        found[1, taken] = j
                        taken += 1
                    met += 1
    return found[:, :taken]
