"""The user's choices for a movie: what it shows, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap

from heterode.base.errors import ArgumentError
from heterode.results.sample import Floats
from heterode.viewing import style
from heterode.viewing.movie.timeline import STEPS, Steps

Quantity = Literal["lithium_fraction", "extracted"]
Format = Literal["mp4", "gif"]
QUANTITIES: tuple[Quantity, ...] = ("lithium_fraction", "extracted")
FORMATS: tuple[Format, ...] = ("mp4", "gif")

_CUT = re.compile(r"([xyz])\s*=\s*(-?\d+(?:\.\d*)?)\s*(?:um|µm)?\Z")
_LEAST_HEIGHT, _LARGEST_HEIGHT = 240, 2160


@dataclass(frozen=True)
class Cut:
    """What is removed from a cell in 3D to show its inside.

    Attributes:
        kind: "corner" removes the quarter nearest to the camera, "plane" all on its near side,
            "none" nothing.
        axis: normal of a plane: 0, 1 or 2 for x, y or z.
        place_um: position of the plane, um; None places it in the middle.
    """

    kind: Literal["corner", "plane", "none"] = "corner"
    axis: int = 1
    place_um: float | None = None


def read_cut(text: str) -> Cut:
    """Read a cut in the form that commands take: "corner", "none", "y" or "y=11.5".

    Raises:
        ArgumentError: the text has none of these forms.
    """
    if text in ("corner", "none"):
        return Cut(kind="corner" if text == "corner" else "none")
    if text in ("x", "y", "z"):
        return Cut("plane", "xyz".index(text))
    match = _CUT.match(text)
    if match is None:
        raise ArgumentError(
            "{cut} is not known (allowed: corner, none, x, y, z, or like y=11.5)", cut=text
        )
    return Cut("plane", "xyz".index(match[1]), float(match[2]))


def _known(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ArgumentError(
            f"{{{argument}}} is not known (allowed: {', '.join(allowed)})", **{argument: value}
        )


@dataclass(frozen=True)
class View:
    """How a movie looks.

    Attributes:
        quantity: what colours the particles: the lithium fraction x, or the extracted share 1 - x.
        steps: what is equal between frames.
        frames: the number of frames.
        fps: frames per second.
        height: height of the picture, pixels; the width is 16/9 of it.
        cut: what is removed from a cell in 3D.
        orbit_deg: angle through which the camera orbits a cell in 3D, degrees.
        section: whether to show the plane y = const of a cell in 3D in the same way as a cell in
            2D.
        section_um: position of that plane, um; None places it in the middle.
        formats: formats of the files.
    """

    quantity: Quantity = "lithium_fraction"
    steps: Steps = "charge"
    frames: int = 240
    fps: float = 24.0
    height: int = 1080
    cut: Cut = Cut()
    orbit_deg: float = 50.0
    section: bool = False
    section_um: float | None = None
    formats: tuple[Format, ...] = FORMATS

    def __post_init__(self) -> None:
        low, high = _LEAST_HEIGHT, _LARGEST_HEIGHT
        _known("quantity", self.quantity, QUANTITIES)
        _known("steps", self.steps, STEPS)
        if not low <= self.height <= high or self.height % 2:
            raise ArgumentError(
                f"{{height}} is not an even number of pixels from {low} to {high}",
                height=self.height,
            )
        if not 1 <= self.frames <= 100_000:
            raise ArgumentError(
                "{frames} is not a number of frames (1 to 100000)", frames=self.frames
            )
        if not 0.1 <= self.fps <= 120:
            raise ArgumentError("{fps} lies outside 0.1 to 120 frames per second", fps=self.fps)
        if not abs(self.orbit_deg) <= 3600:
            raise ArgumentError(
                "{orbit_deg} lies outside -3600 to 3600 degrees", orbit_deg=self.orbit_deg
            )
        if not self.formats:
            raise ArgumentError("{formats} is empty (allowed: mp4, gif)", formats=...)
        for ending in self.formats:
            _known("formats", ending, FORMATS)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, both even."""
        return 2 * round(self.height * 8 / 9), self.height

    def shown(self, lithium_fraction: Floats) -> Floats:
        """Return the values that are coloured, from lithium fractions."""
        return 1.0 - lithium_fraction if self.quantity == "extracted" else lithium_fraction

    @property
    def label(self) -> str:
        """The coloured quantity, for axes."""
        if self.quantity == "extracted":
            return "extracted lithium $1 - x$"
        return "lithium fraction $x$"

    @property
    def symbol(self) -> str:
        """The coloured quantity, for a line of text."""
        return "1 - x" if self.quantity == "extracted" else "x"

    @property
    def colours(self) -> Colormap:
        """The colour map, in which yellow is full whichever of the two quantities is shown."""
        name = style.FRACTION_COLOURS
        return colormaps[f"{name}_r" if self.quantity == "extracted" else name]

    def range(self, *lithium_fractions: Floats) -> tuple[float, float]:
        """Return the range of the colours: the values' range, rounded outwards to hundredths."""
        shown = [self.shown(values) for values in lithium_fractions]
        low = np.floor(100 * min(float(values.min()) for values in shown) + 1e-9) / 100
        high = np.ceil(100 * max(float(values.max()) for values in shown) - 1e-9) / 100
        return float(low), float(max(high, low + 0.01))
