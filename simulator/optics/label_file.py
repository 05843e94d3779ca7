"""Label images: segmentations from elsewhere with a number in each pixel, and how they are read.

    0                     background
    -1, where there is no 0    background too, with a note
    another number instead of 0    background if nothing else is possible, noted (background.py)
    one number            a mask: each connected piece is a particle, with a note
    a number in several pieces    as many particles, noted; pieces of a few pixels are left out
    an indexed image      the indices are the numbers
    real numbers          if they are whole

Images are refused if they have lossy compression (which changes numbers), colours, no background, a
particle that reaches every border or encloses others (it is the background, or many in one), a few
numbers with many pieces each (phases, not particles) or numbers counted from white, or if they were
scaled with interpolation, smoothed or compressed with loss before. In the latter case all edges
have crumbs, small pieces with numbers between those of two neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.optics.background import without_zero
from heterode.optics.image_file import ImageFile, read_image_file
from heterode.optics.phases import Split, split_phase, typical_diameter
from heterode.optics.pixel_size import NOT_SQUARE, squareness

Labels = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]

LEAST_PIECE = {2: 12, 3: 30}
"""Least pixels, by dimension, of a piece that is a particle beside a larger one of its number."""

MOST_PHASES = 3
"""Most numbers in an image of phases: pores, active material, carbon binder."""

MANY_PIECES = 4
"""Pieces of a number that make it a phase where there are MOST_PHASES numbers or fewer."""

FEW_CRUMBS = 20
"""Number of pieces too small to be particles that an image may have beyond its particle count."""

_MOST_COUNTED = 2**26


@dataclass(frozen=True, eq=False)
class LabelImage:
    """A segmented image, or a stack of them.

    Attributes:
        labels: (H, W) or (pages, H, W); 0 is the matrix, particles 1 .. N are in one piece each.
        edges_um: edges of a pixel along x, y (and z); empty where they were not requested.
        numbers: (N,) number of each particle in the file.
        pieces: (N,) which piece of that number each particle is, counted from 1.
        notes: assumptions that the user should read.
    """

    labels: Labels
    edges_um: tuple[float, ...]
    numbers: Numbers
    pieces: Numbers
    notes: tuple[str, ...] = ()


def read_label_image(
    path: Path | str, edges_um: Sequence[float] | None = None, split: Split | None = None
) -> LabelImage:
    """Read a label image, or a stack of them, without a micrograph.

    Args:
        path: TIFF or PNG file; the pages of a TIFF are a stack.
        edges_um: edges of a pixel, one for all or along x, y, z; None takes the file's metadata.
        split: how to part a phase into particles; None where each has a number.

    Raises:
        InputError: as in `read_labels`; or no pixel size is known, or a pixel is not square.
    """
    image = read_image_file(path)
    file = image.path
    pixels, notes = _plane_numbers(image, (2, 3))
    if pixels.ndim == 2 or (edges_um is not None and len(edges_um) == 1):
        notes += squareness(file, image.aspect, given=edges_um is not None)
    if edges_um is None and image.pixel_um is not None:
        page = image.page_um if pixels.ndim == 3 else image.pixel_um
        height = image.pixel_um * image.aspect
        edges_um = None if page is None else (image.pixel_um, height, page)
    if edges_um is None:
        what = "voxel" if pixels.ndim == 3 else "pixel"
        raise InputError(
            f"{file}: its metadata does not say how large a {what} is. Pass --pixel, as in"
            " --pixel 0.1um" + (" or --pixel 0.1um,0.1um,0.2um" if pixels.ndim == 3 else "")
        )
    edges = tuple(edges_um) if len(edges_um) == 3 else (edges_um[0],) * 3
    if pixels.ndim == 2 and abs(edges[1] / edges[0] - 1.0) > NOT_SQUARE:
        raise InputError(f"{file}: an image needs square pixels. Pass one length as --pixel")
    if split is not None:
        return _split_image(file, pixels, edges[: pixels.ndim], notes, split)
    return _label_image(file, pixels, edges[: pixels.ndim], notes)


def read_labels(path: Path | str, shape: tuple[int, int]) -> LabelImage:
    """Read a label image of a micrograph that was made elsewhere (Cellpose, Fiji).

    Args:
        path: TIFF or PNG file of whole numbers.
        shape: rows and columns of the micrograph.

    Raises:
        InputError: the file cannot be read, has another shape, or is refused (see the module).
    """
    image = read_image_file(path)
    pixels = np.squeeze(image.pixels)
    if pixels.ndim == 2 and pixels.shape != shape:
        raise InputError(
            f"{image.path}: the label image has {pixels.shape[0]} x {pixels.shape[1]} pixels, the"
            f" micrograph {shape[0]} x {shape[1]}. Labels of the same picture are needed"
        )
    pixels, notes = _plane_numbers(image, (2,))
    made = _label_image(image.path, pixels, (), notes)
    if np.array_equal(made.numbers, np.arange(1, len(made.numbers) + 1)):
        return made
    note = "its numbers are not 1, 2, 3, ...: tables renumber its particles, as does _labels.tif"
    return replace(made, notes=(*made.notes, note))


# -- numbers ----------------------------------------------------------------------------------


def _plane_numbers(
    image: ImageFile, dimensions: tuple[int, ...]
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return the file's number in each pixel, and notes on what is assumed of its pages."""
    file = image.path
    if image.lossy:
        raise InputError(
            f"{file}: is compressed with loss ({image.lossy}), which changes the numbers of labels."
            " Save them as TIFF or PNG without loss"
        )
    if min(image.pixels.shape, default=0) == 0 or np.squeeze(image.pixels).ndim < 2:
        raise InputError(
            f"{file}: has the shape {image.pixels.shape}: too few pixels to show particles"
        )
    if image.white_is_zero:
        raise InputError(
            f"{file}: counts from white (TIFF's photometric 0), so that programs differ in what is"
            " background. Save it with black as 0"
        )
    axes = image.axes
    if axes and len(axes) == image.pixels.ndim:
        # With one channel, time or sample there is nothing to choose.
        axes = "".join(a for a, n in zip(axes, image.pixels.shape, strict=True) if n > 1)
    pixels = np.squeeze(image.pixels)
    samples = pixels.ndim == 3 and (axes.endswith("S") or (not axes and pixels.shape[2] in (2, 4)))
    samples = samples or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if samples and not np.ptp(pixels[..., : 3 if pixels.shape[2] > 2 else 1], axis=2).any():
        beyond = pixels[..., 3 if pixels.shape[2] > 2 else 1 :]
        if not beyond.size or not np.ptp(beyond):
            # This is grey saved as red, green and blue, or with an even transparency.
            pixels, samples = pixels[..., 0], False
    if samples or "C" in axes or pixels.ndim not in dimensions:
        raise InputError(
            f"{file}: a label image has one number a pixel; this one has the shape"
            f" {image.pixels.shape}" + (f" ({axes})" if axes else "") + ". Save the numbers of"
            " the particles, without colours, transparency or further channels"
        )
    times = pixels.ndim == 3 and axes.startswith("T")
    return pixels, ["its pages, moments by the file, are taken for slices"] if times else []


def _whole(file: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.dtype.kind not in "iufb":
        raise InputError(
            f"{file}: has pixels of type {pixels.dtype} (allowed: whole numbers). Save it as those"
        )
    if pixels.dtype.kind == "f" and not (
        np.isfinite(pixels).all() and np.array_equal(pixels, np.round(pixels))
    ):
        raise InputError(f"{file}: labels must be whole numbers")
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize < 8:
        return pixels
    # Beyond 2^53, different whole numbers can be equal as real numbers.
    largest = max(abs(float(pixels.max())), abs(float(pixels.min())))
    if largest > 2**53:
        raise InputError(
            f"{file}: holds numbers of {largest:.3g} (allowed: up to 2^53 = 9.01e15). Number the"
            " particles from 1"
        )
    return pixels.astype(np.int64)


def _label_image(
    file: Path, pixels: npt.NDArray[Any], edges: tuple[float, ...], notes: list[str]
) -> LabelImage:
    whole, said = _with_background(file, _whole(file, pixels))
    notes += said
    labels, numbers = _closed_up(whole)
    if len(numbers) == 1:
        _refuse_phase(file, labels, edges, int(numbers[0]))
        labels = np.asarray(ndimage.label(labels)[0], dtype=np.int32)
        count = int(labels.max())
        notes.append(
            f"the only number is {numbers[0]}: a mask, and each of its {count} connected pieces"
            " is taken for a particle"
        )
        numbers = np.arange(1, count + 1)
        pieces: Numbers = np.ones(count, dtype=np.int64)
    else:
        labels, numbers, pieces, said = _split(file, labels, numbers, edges)
        notes += said
    _require_particles(file, labels, numbers)
    return LabelImage(labels, edges, numbers, pieces, tuple(notes))


def _refuse_phase(file: Path, labels: Labels, edges: tuple[float, ...], number: int) -> None:
    """Refuse a stack of one number most of whose pieces hold several particles."""
    if labels.ndim == 3 and edges and typical_diameter(labels > 0, edges) is not None:
        raise InputError(
            f"{file}: holds only the number {number}, most of it in pieces of several particles"
            " that touch: a phase, not particles (allowed: a number a particle, or a mask of"
            f" separate ones).{_how_to_split(labels, np.array([number]), edges)}"
        )


def _how_to_split(labels: Labels, numbers: Numbers, edges: tuple[float, ...]) -> str:
    """Say how a phase is split into particles; "" where the command cannot."""
    if not edges:
        return ""
    hints = [typical_diameter(labels == k + 1, edges) for k in range(len(numbers))]
    size = next((hint for hint in hints if hint is not None), None)
    which = "" if len(numbers) == 1 else f" --phase {numbers[0]}"
    example = f"{size:.2g}um" if size is not None else "5um"
    why = [f"distances to outlines hint at {example}"] if size is not None else []
    if which:
        why.append("--phase is the number of the active material")
    said = f" ({'; '.join(why)})" if why else ""
    return (
        f" Split it into particles of a typical diameter by --split{which and ' and --phase'},"
        f" as in --split {example}{which}{said}"
    )


def _split_image(
    file: Path,
    pixels: npt.NDArray[Any],
    edges: tuple[float, ...],
    notes: list[str],
    split: Split,
) -> LabelImage:
    """Part one phase of an image into particles; everything else is background."""
    whole = _whole(file, pixels)
    held = np.unique(whole)
    phase = split.phase
    if phase is None:
        solid = held[held != 0]
        if len(solid) != 1:
            listed = ", ".join(str(n) for n in held[:6]) + (", ..." if len(held) > 6 else "")
            raise InputError(
                f"{file}: holds the numbers {listed}: --split needs the number of the active"
                " material. Pass it as --phase, as in --phase 1"
            )
        phase = int(solid[0])
    if phase not in held:
        listed = ", ".join(str(n) for n in held[:6]) + (", ..." if len(held) > 6 else "")
        raise InputError(f"{file}: --phase {phase} is not in it. Pass one of {listed}")
    largest = float(max(n * e for n, e in zip(whole.shape[::-1], edges, strict=True)))
    if not 2.0 * min(edges) <= split.diameter_um <= largest:
        raise InputError(
            f"{file}: --split {split.diameter_um:g}um is no diameter of particles in it (allowed:"
            f" {2.0 * min(edges):.3g}um, two pixels, to {largest:.3g}um, its extent)"
        )
    labels = split_phase(whole == phase, edges, split.diameter_um)
    labels = _without_crumbs(labels)
    count = int(labels.max())
    if count == 0:
        raise InputError(f"{file}: --split leaves no particle of a size that can be meshed")
    sizes = np.bincount(labels.ravel())[1:] * float(np.prod(edges))
    middle = float(np.median(sizes))
    diameter = np.cbrt(6.0 * middle / np.pi) if whole.ndim == 3 else np.sqrt(4.0 * middle / np.pi)
    notes.append(
        f"phase {phase} is split into {counted(count, 'particle')} by a watershed for a diameter of"
        f" {split.diameter_um:g} um (half of them above {diameter:.3g} um); they are numbered from"
        " the deepest on, and the rest is background"
    )
    ones: Numbers = np.ones(count, dtype=np.int64)
    return LabelImage(labels, edges, np.arange(1, count + 1), ones, tuple(notes))


def _without_crumbs(labels: Labels) -> Labels:
    """Keep the largest piece of each particle, and particles of enough pixels, numbered anew."""
    kept = np.zeros_like(labels)
    count = 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        found, _ = ndimage.label(labels[window] == index)
        sizes = np.bincount(found.ravel())
        sizes[0] = 0
        if sizes.max() >= LEAST_PIECE[labels.ndim]:
            count += 1
            kept[window][found == int(np.argmax(sizes))] = count
    return kept


def _with_background(file: Path, whole: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], list[str]]:
    """Return the numbers with 0 for the background, and notes on what is assumed."""
    lowest, highest = int(whole.min()), int(whole.max())
    if lowest == highest == 0:
        raise InputError(f"{file}: holds no particles (0 is background, particles count from 1)")
    if lowest < 0:
        negative = np.unique(whole[whole < 0])
        if len(negative) > 1 or lowest != -1 or (whole == 0).any():
            held = ", ".join(str(n) for n in negative[:3])
            raise InputError(
                f"{file}: holds {held}"
                + (" beside 0" if (whole == 0).any() else "")
                + " (allowed: 0 for the background, or -1 in its place; particles count from 1)."
                " Set the background to 0"
            )
        if highest < 0:
            raise InputError(f"{file}: holds no particles, -1 all over")
        return np.where(whole < 0, 0, whole), ["-1 is taken for the background: no pixel is 0"]
    return without_zero(file, whole) if lowest > 0 else (whole, [])


def _closed_up(whole: npt.NDArray[Any]) -> tuple[Labels, Numbers]:
    """Return labels 1 .. N, and the numbers that they have in the file."""
    highest = int(whole.max())
    if highest < _MOST_COUNTED:
        # Stacks are large, and sorting them would take long.
        numbers = np.flatnonzero(np.bincount(whole.ravel()))
        numbers = numbers[numbers > 0]
        lookup = np.zeros(highest + 1, dtype=np.int32)
        lookup[numbers] = np.arange(1, len(numbers) + 1)
        return lookup[whole], numbers
    numbers, inverse = np.unique(whole, return_inverse=True)
    return inverse.reshape(whole.shape).astype(np.int32), numbers[1:].astype(np.int64)


# -- pieces -----------------------------------------------------------------------------------


def _split(
    file: Path, labels: Labels, numbers: Numbers, edges: tuple[float, ...]
) -> tuple[Labels, Numbers, Numbers, list[str]]:
    """Separate the connected pieces; pixels that only share a corner are not connected."""
    labels = labels.copy()
    least = LEAST_PIECE[labels.ndim]
    names, which = list(numbers), [1] * len(numbers)
    several: list[int] = []
    crumbs = crumbled = most = 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        part = labels[window]
        found, count = ndimage.label(part == index)
        if count == 1:
            continue
        sizes = np.bincount(found.ravel())[1:]
        order = np.argsort(-sizes, kind="stable")
        large = [k for k in order if sizes[k] >= least or k == order[0]]
        lost = np.isin(found, 1 + np.setdiff1d(order, large))
        crumbs, crumbled = crumbs + int(lost.sum()), crumbled + count - len(large)
        part[lost] = 0
        most = max(most, len(large))
        for piece, k in enumerate(large[1:], start=2):
            names.append(numbers[index - 1])
            which.append(piece)
            part[found == k + 1] = len(names)
        if len(large) > 1:
            several.append(index)
    if crumbled > FEW_CRUMBS + len(names):
        raise InputError(
            f"{file}: {crumbled} pieces of fewer than {least} pixels lie about, beside {len(names)}"
            " larger ones: the numbers were changed by interpolation, smoothing or compression with"
            " loss (allowed: pieces of one number a particle). Scale labels to the nearest number,"
            " and save them as TIFF or PNG at once; else remove the specks"
        )
    if len(numbers) <= MOST_PHASES and (len(several) == len(numbers) or most >= MANY_PIECES):
        each = "each in several pieces" if len(several) == len(numbers) else "one in many pieces"
        raise InputError(
            f"{file}: holds only the numbers {', '.join(str(n) for n in numbers)}, {each}: phases,"
            " not particles (allowed: a number a particle, or a mask of one number)."
            + (_how_to_split(labels, numbers, edges) or " Label the particles first")
        )
    notes = []
    if several:
        listed = ", ".join(str(numbers[i - 1]) for i in several[:5])
        more = ", ..." if len(several) > 5 else ""
        notes.append(
            f"numbers in several pieces ({listed}{more}) are taken for as many particles:"
            f" {counted(len(names), 'particle')} of {counted(len(numbers), 'number')}"
        )
    if crumbled:
        notes.append(
            f"{crumbled} pieces of fewer than {least} pixels beside a larger one of their number"
            f" are left out ({crumbs} pixels)"
        )
    return labels, np.array(names, dtype=np.int64), np.array(which, dtype=np.int64), notes


def _require_particles(file: Path, labels: Labels, numbers: Numbers) -> None:
    """Refuse labels that are not particles because they reach every border or enclose others."""
    least = LEAST_PIECE[labels.ndim]
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if all(s.start == 0 and s.stop == n for s, n in zip(window, labels.shape, strict=True)):
            raise InputError(
                f"{file}: particle {numbers[index - 1]} reaches every border of the image: it is"
                " the background, or many particles that touch (allowed: a number a particle)."
                " Part the particles by a watershed, or leave a margin round a single one"
            )
        part = labels[window]
        mine = part == index
        inner = part[ndimage.binary_fill_holes(mine) & ~mine]
        held = np.bincount(inner)[1:]
        if held.size and held.max() >= least:
            other = numbers[int(np.argmax(held))]
            raise InputError(
                f"{file}: particle {numbers[index - 1]} encloses particle {other}: is it the"
                " background? (allowed: particles side by side, 0 between them). Set the background"
                " to 0, or give both one number"
            )
