"""Synthetic micrographs that several tests share, drawn once."""

from __future__ import annotations

from functools import cache

import numpy as np

from heterode.optics.synthetic import Camera, Truth, draw, random_scene

SMALL = Camera(shape=(320, 320), pixel_um=0.25)


@cache
def truth(seed: int = 5, **changes: float) -> Truth:
    """A field of 80 um with some 70 whole particles; changes are those of the camera."""
    from dataclasses import replace

    camera = replace(SMALL, **changes)  # type: ignore[arg-type]
    placing, drawing = np.random.default_rng(seed).spawn(2)
    return draw(random_scene(camera, placing), camera, drawing)
