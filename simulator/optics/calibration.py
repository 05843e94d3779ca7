r"""Brightness to lithium fraction, through reference states.

A calibration is a table with a row for each state of known lithium fraction (from the voltage at
rest, or from theory: heterode.optics.colour), and the ratio of each channel to the pristine state:

    composition, direction, lens, lithium_fraction, red, green, blue [, red_sd, green_sd, blue_sd]

or grey [, grey_sd] for the colours, made of grey pictures. The first three may be missing or empty,
and then match any picture. Each channel of each series
gets a monotone (isotonic) fit, weighted by 1 / sd^2 where sd is given. Neighbouring states to which
the fit gives equal values merge at their mean, and straight lines join the rest. The inverse is

    x = x(I),    sigma_x = sigma_I / |dI/dx|,    sigma_I^2 = sigma_measured^2 + sigma_fit^2

clipped to the reference states and flagged outside them. Since the map is monotone, ranks of
brightness and of lithium are the same: Spearman's and Kendall's coefficients need no calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from heterode.base.csv_table import read_csv_table
from heterode.base.csv_text import TableError
from heterode.base.errors import InputError
from heterode.optics.channels import ALL_CHANNELS, CHANNELS
from heterode.optics.csv_columns import write_csv

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

KEYS = ("composition", "direction", "lens")


@dataclass(frozen=True)
class Curve:
    """A monotone map between ratio and lithium fraction.

    Attributes:
        lithium: (K,) increasing lithium fractions.
        ratio: (K,) ratios, strictly monotone over them.
        error: standard deviation of the reference ratios about the fit.
    """

    lithium: Floats
    ratio: Floats
    error: float

    @classmethod
    def fit(cls, lithium: Floats, ratio: Floats, sd: Floats | None = None) -> Curve:
        """Fit an isotonic curve, rising or falling, whichever is closer.

        Args:
            lithium: (R,) lithium fractions of reference states in any order; states may recur.
            ratio: (R,) ratios to the pristine state.
            sd: (R,) standard deviations, above 0.

        Raises:
            InputError: there are fewer than two states, or the ratio does not depend on lithium.
        """
        order = np.argsort(lithium, kind="stable")
        x, y = np.asarray(lithium)[order], np.asarray(ratio)[order]
        weight = np.ones_like(y) if sd is None else 1.0 / np.asarray(sd)[order] ** 2
        if np.unique(x).size < 2:
            raise InputError(
                "a calibration needs reference states of at least two lithium fractions"
            )
        fits = [
            IsotonicRegression(increasing=rising).fit_transform(x, y, sample_weight=weight)
            for rising in (True, False)
        ]
        misfit = [float(np.sum(weight * (y - fit) ** 2)) for fit in fits]
        fitted = fits[int(np.argmin(misfit))]
        levels, block = np.unique(fitted, return_inverse=True)
        if levels.size < 2:
            raise InputError("its reference states do not brighten or darken with lithium")
        mass = np.bincount(block, weight)
        centre = np.bincount(block, weight * x) / mass
        # The first and last states bound the range, even where the fit merges them with others.
        order = np.argsort(centre)
        centre, levels = centre[order], levels[order]
        free = max(y.size - levels.size, 1)
        error = float(np.sqrt(np.sum((y - fitted) ** 2) / free))
        return cls(centre, levels, error)

    def lithium_of(self, ratio: Floats, sd: Floats) -> tuple[Floats, Floats, Flags]:
        """Return lithium fractions, standard deviations and flags outside the range, (N,) each.

        Args:
            ratio: (N,) measured ratios.
            sd: (N,) their standard deviations.
        """
        rising = self.ratio[-1] > self.ratio[0]
        level, lithium = (
            (self.ratio, self.lithium) if rising else (self.ratio[::-1], self.lithium[::-1])
        )
        found = np.interp(ratio, level, lithium)
        outside: Flags = (ratio < level[0]) | (ratio > level[-1])
        slopes = np.diff(lithium) / np.diff(level)
        piece = np.clip(np.searchsorted(level, ratio) - 1, 0, slopes.size - 1)
        error: Floats = np.hypot(sd, self.error) * np.abs(slopes[piece])
        return np.asarray(found, dtype=np.float64), error, outside

    def ratio_of(self, lithium: Floats) -> Floats:
        """Return (N,) ratios at lithium fractions, constant beyond the reference states."""
        found: Floats = np.asarray(np.interp(lithium, self.lithium, self.ratio), dtype=np.float64)
        return found


@dataclass(frozen=True)
class Calibration:
    """All curves of a table.

    Attributes:
        source: name of the file.
        curves: curves by (composition, direction, lens, channel); "" where the table has none.
        unfit: why a channel of a series has no curve.
    """

    source: str
    curves: dict[tuple[str, str, str, str], Curve]
    unfit: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def curve(
        self, channel: str, composition: str = "", direction: str = "", lens: str = ""
    ) -> Curve:
        """Return the one curve that matches a picture.

        Raises:
            InputError: no curve matches, or several do and the picture does not say which.
        """
        wanted = (composition, direction, lens)
        there = dict.fromkeys(key[3] for key in (*self.curves, *self.unfit))
        if channel not in there:
            remedy = (
                "A grey picture's brightness is no colour of a colour camera: make a calibration"
                " of grey pictures (--write-calibration)"
                if channel == "grey"
                else "Choose a channel that it has (--channel)"
            )
            raise InputError(
                f"{self.source}: no calibration of {channel} (there is: {', '.join(there)})."
                f" {remedy}"
            )
        fitting = [
            key
            for key in (*self.curves, *self.unfit)
            if key[3] == channel
            and all(not a or not b or a == b for a, b in zip(key[:3], wanted, strict=True))
        ]
        if len(fitting) == 1 and fitting[0] in self.unfit:
            raise InputError(self.unfit[fitting[0]])
        if len(fitting) == 1:
            return self.curves[fitting[0]]
        known = "; ".join(sorted({_said(key[:3]) for key in self.curves}))
        asked = _said(wanted)
        if not fitting:
            raise InputError(f"{self.source}: no calibration for {asked} (there is: {known})")
        raise InputError(
            f"{self.source}: several calibrations fit {asked} (there is: {known}). Say which by"
            " --composition, --direction and --lens"
        )


def _said(key: Sequence[str]) -> str:
    words = [f"{name} {value}" for name, value in zip(KEYS, key, strict=True) if value]
    return ", ".join(words) or "any sample"


def read_calibration(path: Path | str) -> Calibration:
    """Read and fit a calibration table.

    Raises:
        InputError: the file is not such a table, a lithium fraction is outside [0, 1], or no
            channel depends on it monotonically.
    """
    table = read_csv_table(path)
    heading = table.columns
    channels = [c for c in ALL_CHANNELS if c in heading]
    if "lithium_fraction" not in heading or not channels:
        raise TableError(
            path,
            table.described,
            allowed="lithium_fraction with red, green or blue, all needed, or with grey; besides"
            f" {', '.join(KEYS)}, red_sd, green_sd, blue_sd, grey_sd",
        )
    lithium = table.numbers("lithium_fraction")
    if lithium.min() < 0.0 or lithium.max() > 1.0:
        worst = lithium[np.argmax(np.abs(lithium - 0.5))]
        raise InputError(f"{path}: lithium_fraction = {worst:g} is outside [0, 1]")
    empty = [""] * lithium.size
    texts = [table.texts(name) if name in heading else empty for name in KEYS]
    keys = list(zip(*texts, strict=True))
    curves: dict[tuple[str, str, str, str], Curve] = {}
    unfit: dict[tuple[str, str, str, str], str] = {}
    for key in dict.fromkeys(keys):
        chosen = np.array([k == key for k in keys])
        for channel in channels:
            ratio = table.numbers(channel)
            sd = None
            if f"{channel}_sd" in heading:
                sd = table.numbers(f"{channel}_sd")
                if sd.min() <= 0.0:
                    raise InputError(f"{path}: {channel}_sd must be above 0 in every row")
                sd = sd[chosen]
            name = (key[0], key[1], key[2], channel)
            try:
                curves[name] = Curve.fit(lithium[chosen], ratio[chosen], sd)
            except InputError as error:
                # Other channels may still have a curve.
                unfit[name] = f"{path}: {_said(key)}, {channel}: {error}"
    if not curves:
        raise InputError(next(iter(unfit.values())))
    return Calibration(str(path), curves, unfit)


def calibration_table(
    lithium: Floats,
    colour: Floats,
    deviation: Floats | None = None,
    keys: Sequence[tuple[str, str, str]] | None = None,
    channels: Sequence[str] = CHANNELS,
) -> bytes:
    """Return the CSV file of reference states as bytes.

    Args:
        lithium: (R,) lithium fractions.
        colour: (R, channels) ratios to the pristine state.
        deviation: (R, channels) standard deviations; None leaves the columns out.
        keys: composition, direction and lens of each state; None leaves the columns out.
        channels: their names.
    """
    columns: dict[str, Sequence[object] | npt.NDArray[np.generic]] = {}
    if keys is not None:
        for index, name in enumerate(KEYS):
            columns[name] = [key[index] for key in keys]
    columns["lithium_fraction"] = lithium
    for index, channel in enumerate(channels):
        columns[channel] = colour[:, index]
    if deviation is not None:
        for index, channel in enumerate(channels):
            columns[f"{channel}_sd"] = deviation[:, index]
    return write_csv(columns)
