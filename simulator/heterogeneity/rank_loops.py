"""Compiled loops for rank coefficients over symmetrised pairs, which count in both orders.

Values are given as levels: 0 for the least value, 1 for the next larger one, equal for ties.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from heterode.heterogeneity.compiled import compiled

Array = Any


@compiled
def midranks(levels: Array, count: Array, distinct: int, out: Array, begin: int, end: int) -> None:
    """Compute standardised midranks of the particles in the symmetrised pairs of one bin.

    Since `count` has the number of ordered pairs of each particle, no pair needs sorting: the
    counts are the weights of the ranks. Spearman's coefficient is then the sum of R_i R_j / P over
    pairs.

    Args:
        levels: (M, N) levels of M sets of values.
        count: (N,) number of pairs of each particle in the bin.
        distinct: number of levels.
        out: (N, M); columns begin .. end-1 are filled, with mean 0 and variance 1 over the ordered
            pairs; NaN where all values of the bin are tied.
    """
    size = count.size
    total = 0.0
    for i in range(size):
        total += count[i]
    middle = np.empty(distinct)
    weight = np.empty(distinct)
    for m in range(begin, end):
        weight[:] = 0.0
        for i in range(size):
            weight[levels[m, i]] += count[i]
        before, variance = 0.0, 0.0
        for k in range(distinct):
            middle[k] = before + 0.5 * (weight[k] - total)
            before += weight[k]
            variance += weight[k] * middle[k] ** 2
        norm = np.sqrt(total / variance) if variance > 0.0 else np.nan
        for i in range(size):
            out[i, m] = middle[levels[m, i]] * norm


@compiled
def kendall(first: Array, second: Array, distinct: int) -> float:
    """Compute tau-b = (C - D) / (n_0 - n_tie) of P symmetrised pairs with a Fenwick tree.

    Args:
        first, second: (P,) levels of the pairs' particles.
        distinct: number of levels.
    """
    n = 2 * first.size
    head = np.zeros(distinct + 1, np.int64)
    for k in range(first.size):
        head[first[k] + 1] += 1
        head[second[k] + 1] += 1
    tied = 0.0
    for x in range(distinct):
        tied += 0.5 * head[x + 1] * (head[x + 1] - 1.0)
        head[x + 1] += head[x]
    partner = np.empty(n, np.int32)
    place = head[:-1].copy()
    for k in range(first.size):
        partner[place[first[k]]] = second[k]
        place[first[k]] += 1
        partner[place[second[k]]] = first[k]
        place[second[k]] += 1
    tree = np.zeros(distinct + 1, np.int64)
    balance = 0.0
    for x in range(distinct):
        for k in range(head[x], head[x + 1]):
            less, at_most = 0, 0
            node = partner[k]
            while node > 0:
                less += tree[node]
                node -= node & -node
            node = partner[k] + 1
            while node > 0:
                at_most += tree[node]
                node -= node & -node
            balance += less - (head[x] - at_most)
        for k in range(head[x], head[x + 1]):
            node = partner[k] + 1
            while node <= distinct:
                tree[node] += 1
                node += node & -node
    untied = 0.5 * n * (n - 1.0) - tied
    return balance / untied if untied > 0.0 else np.nan


@compiled
def kendall_by_table(
    first: Array,
    second: Array,
    levels: Array,
    distinct: int,
    grade: Array,
    number: int,
    begin: int,
    end: int,
) -> Array:
    """Compute tau-b of the same pairs for many sets of values, with C - D from a table of grades.

    Pairs of pairs within one grade are left out of C - D, where they hardly differ, but not of
    n_0 - n_tie: without that the coefficient would be too large by one part in `number`.

    Args:
        first, second: (P,) numbers of the pairs' particles.
        levels: (M, N) levels of each set.
        distinct: number of levels.
        grade: (distinct,) grade of each level.
        number: number of grades.
        begin, end: range of the sets.

    Returns:
        (end - begin,) coefficients.
    """
    found = np.empty(end - begin)
    table = np.empty((number, number), np.int64)
    above = np.empty(number, np.int64)
    n = 2.0 * first.size
    count = np.zeros(levels.shape[1], np.int64)
    for k in range(first.size):
        count[first[k]] += 1
        count[second[k]] += 1
    held = np.empty(distinct, np.int64)
    own = np.empty(levels.shape[1], np.uint8)
    for m in range(begin, end):
        held[:] = 0
        for i in range(own.size):
            held[levels[m, i]] += count[i]
            own[i] = grade[levels[m, i]]
        squares = 0.0
        for level in range(distinct):
            squares += float(held[level]) * held[level]
        table[:] = 0
        for k in range(first.size):
            table[own[first[k]], own[second[k]]] += 1
        above[:] = 0
        balance, rows_above = 0.0, 0
        for a in range(number):
            less, row = 0, 0
            for b in range(number):
                both = table[a, b] + table[b, a]
                row += both
                balance += float(both) * (less - (rows_above - less - above[b]))
                less += above[b]
            for b in range(number):
                above[b] += table[a, b] + table[b, a]
            rows_above += row
        untied = 0.5 * (n * n - squares)
        found[m - begin] = balance / untied if untied > 0.0 else np.nan
    return found
