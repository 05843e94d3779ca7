"""The paper's analysis of a picture (Figs. S7-S11): flat field, particles, focus, colour ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.base.errors import ArgumentError, InputError
from heterode.base.words import counted
from heterode.optics.channels import ALL_CHANNELS, channels_of, chosen_channel
from heterode.optics.choice import Choice, choose
from heterode.optics.dust import dust_radius
from heterode.optics.illumination import Flatten, corrected, flat_gain, self_gain, unevenness
from heterode.optics.measurement import MeasuredParticles, measure_particles
from heterode.optics.micrograph import Labels, Micrograph
from heterode.optics.registration import Field
from heterode.optics.segmentation import Segmentation, segment

Floats = npt.NDArray[np.float64]

Flags = npt.NDArray[np.bool_]

FOCUS_PX = 4.0
"""Standard deviation of an edge's blur, in pixels, above which a particle is out of focus."""

LARGEST_BLUR = 0.25
"""Share of the radius above which a particle's blur is out of focus as well: no core is left, and
the edge appears narrower than it is."""

AUTOMATIC = Segmentation(threshold="auto", polarity="auto")
"""Polarity and threshold by what they find in the picture."""

_UNEVEN, _FEW, _IN_FOCUS = 0.1, 30, 0.5


@dataclass(frozen=True)
class Options:
    """Options of the analysis of a picture.

    Attributes:
        segmentation: how particles are found.
        dust: whether specks that the histogram of sizes sets apart are refused.
        channel: "red", "green", "blue" or "grey", the channel that becomes `value`; None takes
            green, or grey where that is all there is.
        focus_px: largest standard deviation of an edge in focus; None keeps all particles.
        flatten: what of the picture corrects its own illumination; None for no correction.
        bits: bits of the camera in 16-bit files; None takes what the files say.
    """

    segmentation: Segmentation = AUTOMATIC
    dust: bool = True
    channel: str | None = None
    focus_px: float | None = FOCUS_PX
    flatten: Flatten | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel not in ALL_CHANNELS:
            raise ArgumentError(
                f"{{channel}} is unknown (allowed: {', '.join(ALL_CHANNELS)})", channel=self.channel
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
        intensity: (H, W, C) corrected brightness of its C = 3 or 1 channels, as shares of full
            scale.
        labels: (H, W) particles 1 .. N.
        measured: what was measured of all N particles.
        refused: (N,) why a particle does not count, "border", "dust" or "out_of_focus"; "" if it
            does.
        warnings: warnings for the user.
        notes: assumptions about its files, for the user.
        choice: how particles were found; None for a segmentation from elsewhere.
        dust_um: radius below which particles are dust; 0 if there is none.
    """

    name: str
    pixel_um: float
    intensity: npt.NDArray[np.float32]
    labels: Labels
    measured: MeasuredParticles
    refused: npt.NDArray[np.str_]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    choice: Choice | None = None
    dust_um: float = 0.0

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its channels."""
        return channels_of(self.intensity.shape[2])

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
        InputError: the flat field has another size, the picture lacks the channel that is to
            become the value, or no particle is found.
    """
    chosen_channel(micrograph.name, micrograph.channels, options.channel)
    gain = flat_gain(flat, micrograph) if flat is not None else None
    intensity = corrected(micrograph, gain)
    warnings: list[str] = []
    choice = None
    if options.flatten is not None:
        first = labels
        if first is None:
            first, _ = _found(intensity, micrograph.pixel_um, options.segmentation)
        intensity = intensity * self_gain(intensity, first > 0, options.flatten)
        warnings.append(
            f"illumination corrected by the {options.flatten} of the picture itself: a real slow"
            " change of brightness across the field is removed with the lamp's"
        )
    if labels is None:
        labels, choice = _found(intensity, micrograph.pixel_um, options.segmentation)
        warnings += choice.warnings
    measured = measure_particles(intensity, labels)
    if not len(measured):
        raise InputError(
            f"{micrograph.name}: no particles found. Check --pixel, --polarity and --threshold"
        )
    limit_px = dust_radius(measured.radius()) if options.dust and choice is not None else 0.0
    refused = _refused(measured, options, limit_px)
    warnings += _warnings(measured, refused, labels, intensity, flat is not None)
    return Picture(
        micrograph.name,
        micrograph.pixel_um,
        intensity,
        labels,
        measured,
        refused,
        tuple(warnings),
        choice=choice,
        dust_um=limit_px * micrograph.pixel_um,
    )


def _found(
    intensity: npt.NDArray[np.float32], pixel_um: float, wanted: Segmentation
) -> tuple[Labels, Choice]:
    """Return the particles of a picture, and how they were found."""
    grey = intensity.mean(axis=2)
    choice = choose(grey, pixel_um, wanted)
    return segment(grey, pixel_um, choice.settings), choice


def _refused(measured: MeasuredParticles, options: Options, dust_px: float) -> npt.NDArray[np.str_]:
    why: npt.NDArray[np.str_] = np.full(len(measured), "", dtype="U16")
    if options.focus_px is not None:
        # Without a free edge the focus is unknown: the particle is kept and flagged.
        limit = np.minimum(options.focus_px, LARGEST_BLUR * measured.radius())
        why[measured.focus > limit] = "out_of_focus"
    why[measured.at_border] = "border"
    why[measured.radius() < dust_px] = "dust"
    return why


def whole_particles(refused: npt.NDArray[np.str_]) -> Flags:
    """Return (N,) True for particles that are neither cut by the border nor dust."""
    whole: Flags = ~np.isin(refused, ("border", "dust"))
    return whole


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
    whole = whole_particles(refused)
    sharp = float((refused[whole] == "").mean()) if whole.any() else 0.0
    if sharp < _IN_FOCUS:
        found.append(f"only {sharp:.0%} of the particles are in focus")
    if int((refused == "").sum()) < _FEW:
        found.append(f"only {counted(int((refused == '').sum()), 'particle', 'counts')}")
    covered = float((labels > 0).mean())
    if not 0.02 < covered < 0.92:
        found.append(f"{covered:.0%} of the picture is particle: check --threshold and --polarity")
    return found
