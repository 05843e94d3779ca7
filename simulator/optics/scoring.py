"""Scores how well a segmentation found the particles that are known to be in a picture.

A particle is found if the overlap with one of the labels is at least half of their union. Particles
do not count if the picture's border cuts them or others cover more than half of them, and labels
that belong to such particles are not counted as mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.optics.micrograph import Labels

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Comparison with the truth.

    Attributes:
        recall: share of the true particles that were found.
        precision: share of the labels that are true particles.
        truth, found: (M,) numbers (from 0) of the particle and the label in each pair.
        iou: (M,) ratio of overlap to union in each pair.
    """

    recall: float
    precision: float
    truth: Ints
    found: Ints
    iou: Floats


def score(truth: Labels, found: Labels, kept: Flags | None = None, least: float = 0.5) -> Score:
    """Compare labels with the true ones.

    Args:
        truth: (H, W) true particles 1 .. T.
        found: (H, W) particles 1 .. N.
        kept: (N,) True for labels that count; None counts those that are not at the border.
        least: least ratio of overlap to union in a pair; from 0.5 on, pairs are unique.
    """
    count_true, count_found = int(truth.max()), int(found.max())
    there = _inside(truth, count_true) & _visible(truth, count_true)
    counted = _inside(found, count_found) if kept is None else kept
    i, j, iou, main = _overlaps(truth, found, count_true, count_found)
    pair = (iou >= least) & counted[j]
    # Labels on particles that do not count are not mistakes.
    excused = np.zeros(count_found, dtype=bool)
    belongs = main >= 0
    excused[belongs] = ~there[main[belongs]]
    right = pair & there[i]
    wrong = int((counted & ~excused).sum()) - int(right.sum())
    return Score(
        recall=float(right.sum() / max(int(there.sum()), 1)),
        precision=float(right.sum() / max(int(right.sum()) + max(wrong, 0), 1)),
        truth=i[right],
        found=j[right],
        iou=iou[right],
    )


def _inside(labels: Labels, count: int) -> Flags:
    inside = np.ones(count + 1, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        inside[edge] = False
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    found: Flags = (inside & (areas > 0))[1:]
    return found


def _visible(labels: Labels, count: int) -> Flags:
    """Find particles at least half of which are visible, by the area and the box round it."""
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns] - 1
    area = np.bincount(owner, minlength=count)
    extent = np.ones(count)
    for place in (rows, columns):
        low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
        np.minimum.at(low, owner, place)
        np.maximum.at(high, owner, place)
        extent = np.maximum(extent, high - low + 1.0)
    visible: Flags = area >= 0.5 * np.pi / 4.0 * extent**2
    return visible


def _overlaps(
    truth: Labels, found: Labels, count_true: int, count_found: int
) -> tuple[Ints, Ints, Floats, Ints]:
    """Return overlapping pairs i, j, their overlap over union, and each j's main particle."""
    both = (truth > 0) & (found > 0)
    code = (truth[both].astype(np.int64) - 1) * count_found + found[both] - 1
    pairs, shared = np.unique(code, return_counts=True)
    i, j = pairs // max(count_found, 1), pairs % max(count_found, 1)
    area_true = np.bincount(truth.ravel(), minlength=count_true + 1)[1:]
    area_found = np.bincount(found.ravel(), minlength=count_found + 1)[1:]
    iou = shared / (area_true[i] + area_found[j] - shared)
    main = np.full(count_found, -1, dtype=np.int64)
    order = np.argsort(shared, kind="stable")
    main[j[order]] = i[order]
    return i, j, iou, main
