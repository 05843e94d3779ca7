"""The paper's analysis of a picture (Figs. S7-S11): flat field, particles, focus, colour ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.optics.calibration import CHANNELS, Curve
from heterode.optics.illumination import Flatten, corrected, flat_gain, self_gain, unevenness
from heterode.optics.measurement import MeasuredParticles, measure_particles
from heterode.optics.micrograph import Labels, Micrograph
from heterode.optics.registration import Field, Match, match_particles
from heterode.optics.segmentation import Segmentation, segment

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, Sequence[object] | npt.NDArray[np.generic]]

FOCUS_PX = 4.0
"""Standard deviation of an edge's blur, in pixels, above which a particle is out of focus."""

LARGEST_BLUR = 0.25
"""Share of the radius above which a particle's blur is out of focus as well: no core is left, and
the edge appears narrower than it is."""

_PATCH_PX = 5.0
"""Edge of a patch whose pixels count as one sample: texture is correlated over a few pixels."""

_UNEVEN, _FEW, _IN_FOCUS, _MATCHED = 0.1, 30, 0.5, 0.7


@dataclass(frozen=True)
class Options:
    """Options of the analysis of a picture.

    Attributes:
        segmentation: how particles are found.
        channel: "red", "green" or "blue", the channel that becomes `value`.
        focus_px: largest standard deviation of an edge in focus; None keeps all particles.
        flatten: what of the picture corrects its own illumination; None for no correction.
        bits: bits of the camera in 16-bit files; None takes what the files say.
    """

    segmentation: Segmentation = field(default_factory=Segmentation)
    channel: str = "green"
    focus_px: float | None = FOCUS_PX
    flatten: Flatten | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise ArgumentError(
                "{channel} is unknown (allowed: red, green, blue)", channel=self.channel
            )
        if self.focus_px is not None and not self.focus_px > 0.0:
            raise ArgumentError(
                "{focus_px} must be above 0 (pixels), or 'off'", focus_px=self.focus_px
            )


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with its particles.

    Attributes:
        name: name of the file.
        pixel_um: edge of a pixel.
        intensity: (H, W, 3) corrected brightness, as shares of full scale.
        labels: (H, W) particles 1 .. N.
        measured: what was measured of all N particles.
        refused: (N,) why a particle does not count, "border" or "out_of_focus"; "" if it does.
        warnings: warnings for the user.
        notes: assumptions about its files, for the user.
    """

    name: str
    pixel_um: float
    intensity: npt.NDArray[np.float32]
    labels: Labels
    measured: MeasuredParticles
    refused: npt.NDArray[np.str_]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def field(self) -> Field:
        """Return the places of all its particles, um."""
        m, pixel = self.measured, self.pixel_um
        return Field(
            self.labels > 0,
            pixel,
            (m.column + 0.5) * pixel,
            (m.row + 0.5) * pixel,
            m.radius() * pixel,
            ~m.at_border,
        )


def analyse(
    micrograph: Micrograph,
    options: Options,
    *,
    flat: Micrograph | None = None,
    labels: Labels | None = None,
) -> Picture:
    """Find and measure the particles of a picture.

    Args:
        micrograph: the picture.
        options: see `Options`.
        flat: picture of an even surface taken with the same camera and lens.
        labels: (H, W) a segmentation from elsewhere, used instead of this one.

    Raises:
        InputError: the flat field has another size, or no particle is found.
    """
    gain = flat_gain(flat, micrograph) if flat is not None else None
    intensity = corrected(micrograph, gain)
    warnings: list[str] = []
    if options.flatten is not None:
        first = labels
        if first is None:
            first = segment(intensity.mean(axis=2), micrograph.pixel_um, options.segmentation)
        intensity = intensity * self_gain(intensity, first > 0, options.flatten)
        warnings.append(
            f"illumination corrected by the {options.flatten} of the picture itself: a real slow"
            " change of brightness across the field is removed with the lamp's"
        )
    if labels is None:
        labels = segment(intensity.mean(axis=2), micrograph.pixel_um, options.segmentation)
    measured = measure_particles(intensity, labels)
    if not len(measured):
        raise InputError(
            f"{micrograph.name}: no particles found. Check --pixel, --polarity and --threshold"
        )
    refused = _refused(measured, options)
    warnings += _warnings(measured, refused, labels, intensity, flat is not None)
    return Picture(
        micrograph.name,
        micrograph.pixel_um,
        intensity,
        labels,
        measured,
        refused,
        tuple(warnings),
    )


def _refused(measured: MeasuredParticles, options: Options) -> npt.NDArray[np.str_]:
    why: npt.NDArray[np.str_] = np.full(len(measured), "", dtype="U16")
    if options.focus_px is not None:
        # Without a free edge the focus is unknown: the particle is kept and flagged.
        limit = np.minimum(options.focus_px, LARGEST_BLUR * measured.radius())
        why[measured.focus > limit] = "out_of_focus"
    why[measured.at_border] = "border"
    return why


def _warnings(
    measured: MeasuredParticles,
    refused: npt.NDArray[np.str_],
    labels: Labels,
    intensity: npt.NDArray[np.float32],
    has_flat: bool,
) -> list[str]:
    found = []
    uneven = unevenness(intensity, labels > 0)
    if uneven > _UNEVEN:
        remedy = "the flat field does not fit" if has_flat else "pass a flat field (--flat)"
        found.append(
            f"brightness between particles varies by {uneven:.0%} over the field: {remedy}"
        )
    clipped = float(measured.clipped.mean())
    if clipped > 0.01:
        found.append(f"{clipped:.0%} of the particles are saturated: expose less")
    whole = refused != "border"
    sharp = float((refused[whole] == "").mean()) if whole.any() else 0.0
    if sharp < _IN_FOCUS:
        found.append(f"only {sharp:.0%} of the particles are in focus")
    if int((refused == "").sum()) < _FEW:
        found.append(f"only {counted(int((refused == '').sum()), 'particle', 'counts')}")
    covered = float((labels > 0).mean())
    if not 0.02 < covered < 0.92:
        found.append(f"{covered:.0%} of the picture is particle: check --threshold and --polarity")
    return found


@dataclass(frozen=True, eq=False)
class Result:
    """The results of a picture.

    Attributes:
        table: columns of the particles that count; `heterode report` reads it.
        refused: the same columns for the other particles, with the reason in `refused`.
        accepted: (N,) True for the particles that count.
        summary: numbers and texts that describe the picture.
        match: match with the pristine picture, if there is one.
    """

    table: Columns
    refused: Columns
    accepted: Flags
    summary: dict[str, Any]
    match: Match | None


def evaluate(
    picture: Picture,
    options: Options,
    *,
    pristine: Picture | None = None,
    curve: Curve | None = None,
) -> Result:
    """Compute colours, ratios to the pristine state and lithium fractions of the particles.

    Args:
        picture: picture of the state.
        options: the channel that becomes `value`.
        pristine: the same place before cycling; its particles are matched, and lens and camera may
            differ.
        curve: calibration of the channel's ratio; it requires `pristine`.

    Raises:
        InputError: there is a curve without a pristine picture, or no particle counts.
    """
    if curve is not None and pristine is None:
        raise InputError("--calibration maps ratios to the pristine state: pass --pristine as well")
    m = picture.measured
    count = len(m)
    why = picture.refused.copy()
    ratio, ratio_sd = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    sd = _standard_error(m)
    match = None
    warnings = [*picture.notes, *picture.warnings]
    if pristine is not None:
        match = match_particles(picture.field(), pristine.field())
        warnings += [f"pristine picture: {note}" for note in pristine.notes]
        warnings += _match_warnings(match)
        ratio[match.first], ratio_sd[match.first] = _ratios(
            m, sd, match.first, pristine.measured, match.second
        )
        unmatched = np.isnan(ratio[:, 1])
        blurred = np.zeros(count, dtype=bool)
        blurred[match.first] = pristine.refused[match.second] != ""
        why[(why == "") & blurred] = "pristine_unfit"
        why[(why == "") & unmatched] = "unmatched"
    accepted = why == ""
    if not accepted.any():
        raise InputError(
            f"{picture.name}: none of {counted(count, 'particle')} counts "
            f"({_reasons(why)}). Raise --focus, or"
            " take a larger field"
        )
    value, value_sd, outside, kind = _values(options.channel, m.colour, sd, ratio, ratio_sd, curve)
    columns = _columns(picture, value, value_sd, ratio, outside)
    table: Columns = {"particle": np.arange(int(accepted.sum()))}
    table |= {name: _take(column, accepted) for name, column in columns.items()}
    others: Columns = {name: _take(column, ~accepted) for name, column in columns.items()}
    others["refused"] = why[~accepted].tolist()
    if curve is not None and float(outside[accepted].mean()) > 0.05:
        warnings.append(
            f"{float(outside[accepted].mean()):.0%} of the particles lie outside the calibration"
        )
    summary = _summary(picture, accepted, why, ratio, kind, value, match) | {"warnings": warnings}
    return Result(table, others, accepted, summary, match)


def _standard_error(m: MeasuredParticles) -> Floats:
    """Return (N, 3) standard errors of the colours, from scatter and number of patches."""
    patches = np.maximum(m.area * 0.4 / _PATCH_PX**2, 1.0)
    error: Floats = m.deviation / np.sqrt(patches)[:, None]
    return error


def _ratios(
    state: MeasuredParticles,
    sd: Floats,
    i: npt.NDArray[np.int64],
    pristine: MeasuredParticles,
    j: Any,
) -> tuple[Floats, Floats]:
    before = np.maximum(pristine.colour[j], 1e-3)
    ratio = state.colour[i] / before
    relative = np.hypot(
        sd[i] / np.maximum(state.colour[i], 1e-3), _standard_error(pristine)[j] / before
    )
    return ratio, ratio * relative


def _values(
    channel: str, colour: Floats, sd: Floats, ratio: Floats, ratio_sd: Floats, curve: Curve | None
) -> tuple[Floats, Floats, Flags, str]:
    index = CHANNELS.index(channel)
    inside: Flags = np.zeros(len(colour), dtype=bool)
    if np.isnan(ratio).all():
        return colour[:, index], sd[:, index], inside, f"{channel} intensity"
    if curve is None:
        return ratio[:, index], ratio_sd[:, index], inside, f"{channel} ratio to pristine"
    known = np.isfinite(ratio[:, index])
    value, error = np.full(len(colour), np.nan), np.full(len(colour), np.nan)
    value[known], error[known], inside[known] = curve.lithium_of(
        ratio[known, index], ratio_sd[known, index]
    )
    return value, error, inside, "lithium fraction"


def _columns(
    picture: Picture, value: Floats, value_sd: Floats, ratio: Floats, outside: Flags
) -> Columns:
    m, pixel = picture.measured, picture.pixel_um
    place = picture.field()
    columns: Columns = {
        "label": np.arange(1, len(m) + 1),
        "x_um": place.x_um,
        "y_um": place.y_um,
        "radius_um": place.radius_um,
        "area_um2": m.area * pixel**2,
        "value": value,
        "value_sd": value_sd,
    }
    for index, channel in enumerate(CHANNELS):
        columns[channel] = m.colour[:, index]
        columns[f"{channel}_mean"] = m.mean[:, index]
        columns[f"{channel}_sd"] = m.deviation[:, index]
    for index, channel in enumerate(CHANNELS):
        columns[f"{channel}_ratio"] = ratio[:, index]
    columns["focus_px"] = m.focus
    flags = {
        "saturated": m.clipped,
        "focus_unknown": np.isnan(m.focus),
        "outside_calibration": outside,
    }
    columns["flags"] = [
        " ".join(name for name, set_ in flags.items() if set_[i]) for i in range(len(m))
    ]
    return columns


def _take(column: Any, chosen: Flags) -> Any:
    if isinstance(column, np.ndarray):
        return column[chosen]
    return [entry for entry, taken in zip(column, chosen, strict=True) if taken]


def _match_warnings(match: Match) -> list[str]:
    found = []
    if match.share < _MATCHED:
        found.append(f"only {match.share:.0%} of the particles were found in the pristine picture")
    if abs(match.scale - 1.0) > 0.02:
        found.append(
            f"the pristine picture is {match.scale:.3f} times as large: check the pixel sizes"
        )
    return found


def _reasons(why: npt.NDArray[np.str_]) -> str:
    names, counts = np.unique(why[why != ""], return_counts=True)
    return ", ".join(f"{n} {name}" for name, n in zip(names, counts, strict=True))


def _summary(
    picture: Picture,
    accepted: Flags,
    why: npt.NDArray[np.str_],
    ratio: Floats,
    kind: str,
    value: Floats,
    match: Match | None,
) -> dict[str, Any]:
    m = picture.measured
    whole = why != "border"
    area = picture.labels.size * picture.pixel_um**2
    summary: dict[str, Any] = {
        "image": picture.name,
        "pixel_um": picture.pixel_um,
        "field_um2": area,
        "particles_found": len(m),
        "particles": int(accepted.sum()),
        "refused": _reasons(why),
        "area_fraction": float((picture.labels > 0).mean()),
        "in_focus": float((picture.refused[whole] == "").mean()) if whole.any() else 0.0,
        "median_radius_um": float(np.median(m.radius()[accepted]) * picture.pixel_um),
        "value": kind,
        "value_mean": float(value[accepted].mean()),
        "value_sd": float(value[accepted].std()),
    }
    for index, channel in enumerate(CHANNELS):
        summary[channel] = float(m.colour[accepted, index].mean())
        summary[f"{channel}_sd"] = float(m.colour[accepted, index].std())
    if match is not None:
        for index, channel in enumerate(CHANNELS):
            summary[f"{channel}_ratio"] = float(ratio[accepted, index].mean())
            summary[f"{channel}_ratio_sd"] = float(ratio[accepted, index].std())
        summary |= {
            "matched": match.share,
            "shift_x_um": match.shift_um[0],
            "shift_y_um": match.shift_um[1],
            "rotation_deg": match.rotation_deg,
            "scale": match.scale,
            "residual_um": match.residual_um,
        }
    return summary
