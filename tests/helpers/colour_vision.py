"""How far apart two colours are for eyes that lack a kind of cone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

# Simulation at full severity, on linear RGB: Machado, Oliveira, Fernandes, IEEE Trans. Vis. Comput.
# Graph. 15, 1291 (2009), https://doi.org/10.1109/TVCG.2009.113, their tables for severity 1.0.
CONES = {
    "all": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def seen(rgb: Sequence[float], eyes: str) -> np.ndarray:
    """What the eyes make of a colour of sRGB, 0 to 1."""
    value = np.asarray(rgb, dtype=float)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(CONES[eyes] @ linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def distance(one: Sequence[float], other: Sequence[float], eyes: str) -> float:
    """CIEDE2000 between two colours of sRGB; 2 is just noticed, 10 is seen at a glance."""
    return float(deltaE_ciede2000(rgb2lab(seen(one, eyes)), rgb2lab(seen(other, eyes))))


def least_distance(colours: Sequence[Sequence[float]]) -> dict[str, float]:
    """The nearest pair of some colours, by eyes."""
    pairs = [(a, b) for k, a in enumerate(colours) for b in colours[k + 1 :]]
    return {eyes: min(distance(a, b, eyes) for a, b in pairs) for eyes in CONES}
