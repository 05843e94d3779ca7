"""Decides whether 1 is the background of a label image without a 0.

Some programs number classes from 1 (ilastik) and some labels were shifted by one, so that 1 is the
background. The number 1 is taken as the background where all of this holds:

    it lies along every border of the image, which no other number does
    it has more than twice the pixels of any other
    it touches nine in ten of the others
    it encloses others, or lies in many pieces between them: no particle does either
    there are two others or more

An image that particles cover completely, as grains do, has no such number: a grain touches few
neighbours, is in one piece and encloses none. If there are only two numbers, either may be the
background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.base.errors import InputError

Numbers = npt.NDArray[Any]

LARGER = 2.0
"""Least ratio of the background's pixels to those of the next largest number."""

TOUCHED = 0.9
"""Least share of the other numbers that touch the background."""

PIECES = 4
"""Number of pieces of the background from which they count as lying between the particles."""

LEAST_OTHERS = 2


def without_zero(file: Path, whole: Numbers) -> tuple[Numbers, list[str]]:
    """Return the numbers with 0 for the background, and notes on what was assumed.

    Args:
        file: the file that messages name.
        whole: (H, W) or (pages, H, W) numbers above 0.

    Raises:
        InputError: it is not certain which number is the background.
    """
    numbers, counts = np.unique(whole, return_counts=True)
    most = int(numbers[np.argmax(counts)])
    share = float(counts.max() / whole.size)
    doubt = "it is not 1" if most != 1 else _doubt(whole, numbers, counts)
    if doubt:
        raise InputError(
            f"{file}: no pixel is 0, the background; {most} has {share:.0%} of the pixels, and"
            f" whether it is the background is not certain: {doubt} (allowed: 0 for the background,"
            " particles count from 1). Set the background to 0"
        )
    note = (
        f"1 is taken for the background: no pixel is 0, and 1 has {share:.0%} of the pixels, along"
        " every border and between the particles"
    )
    return np.where(whole == 1, 0, whole), [note]


def _doubt(whole: Numbers, numbers: Numbers, counts: Numbers) -> str:
    """Return why it is uncertain that 1, the most frequent number, is the background, or ""."""
    if len(numbers) == 1:
        return "there is no other number"
    if len(numbers) <= LEAST_OTHERS:
        return "there is one other number alone"
    second = int(np.sort(counts)[-2])
    if counts.max() <= LARGER * second:
        other = int(numbers[np.argsort(counts)[-2]])
        return f"{other} has {second / whole.size:.0%}"
    ends = [
        set(np.unique(np.take(whole, k, axis=a)).tolist())
        for a in range(whole.ndim)
        for k in (0, -1)
    ]
    everywhere = set.intersection(*ends)
    if 1 not in everywhere:
        return "it does not lie along every border of the image"
    if len(everywhere) > 1:
        return f"{min(everywhere - {1})} lies along every border as well"
    mine = whole == 1
    touching = set(np.unique(whole[ndimage.binary_dilation(mine) & ~mine]).tolist())
    if len(touching) < TOUCHED * (len(numbers) - 1):
        return f"it touches only {len(touching)} of the {len(numbers) - 1} others"
    enclosed = ndimage.binary_fill_holes(mine) & ~mine
    if not enclosed.any() and int(ndimage.label(mine)[1]) < PIECES:
        return "it encloses none of the others and lies in one piece"
    return ""
