"""Computes what is reported of a picture: brightness, ratios to pristine, lithium fractions.

`value` is the brightness of one channel, its ratio to the pristine state of the same particle where
there is a pristine picture, or the lithium fraction that a calibration gives for that ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.analysis import Options, Picture, whole_particles
from heterode.optics.calibration import Curve
from heterode.optics.channels import GREY, chosen_channel
from heterode.optics.measurement import MeasuredParticles
from heterode.optics.registration import Match, match_particles

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, Sequence[object] | npt.NDArray[np.generic]]

_PATCH_PX = 5.0
"""Edge of a patch whose pixels count as one sample: texture is correlated over a few pixels."""

_MATCHED = 0.7


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
    channels = picture.channels
    if pristine is not None and pristine.channels != channels:
        raise InputError(
            f"{picture.name} has the channels {', '.join(channels)}, its pristine picture"
            f" {pristine.name} {', '.join(pristine.channels)}. Take both with one camera"
        )
    channel = chosen_channel(picture.name, channels, options.channel)
    m = picture.measured
    count = len(m)
    why = picture.refused.copy()
    ratio, ratio_sd = np.full(m.colour.shape, np.nan), np.full(m.colour.shape, np.nan)
    sd = _standard_error(m)
    match = None
    warnings = [*picture.notes, *picture.warnings]
    if curve is not None and channels == GREY:
        warnings.append(
            "lithium fractions rest on one channel, grey: no second colour tells lithium from"
            " a change of the lamp or the exposure since the pristine picture"
        )
    if pristine is not None:
        match = match_particles(picture.field(), pristine.field())
        warnings += [f"pristine picture: {note}" for note in pristine.notes]
        warnings += _match_warnings(match)
        ratio[match.first], ratio_sd[match.first] = _ratios(
            m, sd, match.first, pristine.measured, match.second
        )
        unmatched = np.isnan(ratio[:, 0])
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
    value, value_sd, outside, kind = _values(
        channel, channels.index(channel), m.colour, sd, ratio, ratio_sd, curve
    )
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
    """Return (N, C) standard errors of the colours, from scatter and number of patches."""
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
    channel: str,
    index: int,
    colour: Floats,
    sd: Floats,
    ratio: Floats,
    ratio_sd: Floats,
    curve: Curve | None,
) -> tuple[Floats, Floats, Flags, str]:
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
    for index, channel in enumerate(picture.channels):
        columns[channel] = m.colour[:, index]
        columns[f"{channel}_mean"] = m.mean[:, index]
        columns[f"{channel}_sd"] = m.deviation[:, index]
    for index, channel in enumerate(picture.channels):
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
    whole = whole_particles(why)
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
    for index, channel in enumerate(picture.channels):
        summary[channel] = float(m.colour[accepted, index].mean())
        summary[f"{channel}_sd"] = float(m.colour[accepted, index].std())
    summary |= _how_found(picture)
    if match is not None:
        for index, channel in enumerate(picture.channels):
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


def _how_found(picture: Picture) -> dict[str, Any]:
    """Return how the particles were found, as numbers and as sentences under "chosen"."""
    if picture.choice is None:
        return {}
    said = list(picture.choice.said)
    if picture.dust_um:
        count = int((picture.refused == "dust").sum())
        said.append(
            f"{counted(count, 'particle')} below a radius of {picture.dust_um:.3g} um refused as"
            " dust, which the histogram of sizes sets apart (--smallest)"
        )
    return picture.choice.record | {"dust_um": picture.dust_um, "chosen": said}
