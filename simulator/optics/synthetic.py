"""Synthetic micrographs of known particles, which a segmentation must find.

A scene consists of discs with slightly rough outlines, each with its own colour and defocus; later
ones are on top. It is drawn with anti-aliasing, and each disc is blurred by its defocus. Texture,
the blur of the lens, uneven illumination, and the camera's noise and 8 or 16 bits are then added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from heterode.base.errors import InputError
from heterode.distributions.gaussian_field import gaussian_field
from heterode.geometry.relaxation import Box, SoftBalls, relax
from heterode.optics.micrograph import Labels, Micrograph

Floats = npt.NDArray[np.floating[Any]]

ROUGHNESS = (2, 3, 4, 5, 6)
"""Harmonics of a rough outline."""


@dataclass(frozen=True)
class Scene:
    """N particles in view; lengths in um, from the upper left corner of the picture.

    Attributes:
        x_um, y_um, radius_um: (N,) centres and radii.
        colour: (N, 3) brightness in red, green and blue, as shares of full scale.
        mark: (N,) quantity that the colour represents, such as the lithium fraction.
        defocus_um: (N,) sigma of each particle's own blur.
    """

    x_um: Floats
    y_um: Floats
    radius_um: Floats
    colour: Floats
    mark: Floats
    defocus_um: Floats

    def __len__(self) -> int:
        return int(self.x_um.size)

    def shifted(self, dx_um: float, dy_um: float, degrees: float = 0.0) -> Scene:
        """Return the scene, first rotated about the origin and then moved."""
        turned = (self.x_um + 1j * self.y_um) * np.exp(1j * np.radians(degrees))
        return replace(self, x_um=turned.real + dx_um, y_um=turned.imag + dy_um)


@dataclass(frozen=True)
class Camera:
    """Lens, light and camera.

    Attributes:
        shape: rows and columns.
        pixel_um: edge of a pixel.
        blur_px: standard deviation of the lens's blur, pixels.
        noise: standard deviation of the camera's noise, as a share of full scale.
        fall_off: decrease of the illumination from the centre to a corner.
        tilt: change of the illumination from left to right.
        texture: standard deviation of the brightness within particles.
        grain_um: size of that texture.
        roughness: standard deviation of the outline, as a share of the radius.
        matrix: brightness between particles in red, green and blue.
        bits: 8 or 16.
    """

    shape: tuple[int, int] = (1024, 1024)
    pixel_um: float = 0.2
    blur_px: float = 0.8
    noise: float = 0.03
    fall_off: float = 0.0
    tilt: float = 0.0
    texture: float = 0.04
    grain_um: float = 0.35
    roughness: float = 0.03
    matrix: tuple[float, float, float] = (0.2, 0.2, 0.2)
    bits: int = 16

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height of the field, um."""
        return self.shape[1] * self.pixel_um, self.shape[0] * self.pixel_um

    def illumination(self) -> Floats:
        """Return the light (H, W), which is 1 at the centre."""
        y, x = (np.linspace(-1.0, 1.0, n) for n in self.shape)
        light: Floats = 1.0 - 0.5 * self.fall_off * (y[:, None] ** 2 + x**2) + 0.5 * self.tilt * x
        return light


MOST_PARTICLES = 200_000
"""Most particles of a random packing; with that many it takes a minute."""


def random_positions(
    size_um: tuple[float, float],
    random: np.random.Generator,
    *,
    median_radius_um: float = 2.5,
    spread: float = 0.3,
    area_fraction: float = 0.5,
    overlap: float = 0.0,
) -> tuple[Floats, Floats, Floats]:
    """Return x, y and radii (um) of a packing that extends beyond the picture on all sides.

    Args:
        size_um: width and height of the picture.
        random: generator to draw from.
        median_radius_um, spread: median and spread of lognormal radii.
        area_fraction: area fraction of the discs, 0.05 to 0.8; neighbours touch.
        overlap: share of the median radius by which neighbours may overlap in the picture.

    Raises:
        InputError: the area fraction is out of range, or there would be too many particles.
    """
    if not 0.05 <= area_fraction <= 0.8:
        raise InputError(f"area fraction {area_fraction:g} is outside 0.05 to 0.8")
    margin = 4.0 * median_radius_um
    size = np.array(size_um) + 2.0 * margin
    mean_area = np.pi * median_radius_um**2 * np.exp(2.0 * spread**2)
    count = max(1, round(area_fraction * float(np.prod(size)) / mean_area))
    if count > MOST_PARTICLES:
        raise InputError(
            f"a picture of {size_um[0]:g} x {size_um[1]:g} um shows {count} particles (allowed: up "
            f"to {MOST_PARTICLES}). Lower --size or --pixel"
        )
    radii = median_radius_um * np.exp(spread * random.standard_normal(count))
    radii = np.clip(radii, 0.4 * median_radius_um, 2.5 * median_radius_um)
    box = Box(size, periodic=np.ones(2, dtype=bool))
    balls = SoftBalls(box, radii, -overlap * median_radius_um)
    centres, _ = relax(balls, random.random((count, 2)) * size, 0.01 * median_radius_um, 2000)
    centres = box.wrap(centres) - margin
    inside = np.all(
        (centres > -radii[:, None] - 1.0) & (centres < np.array(size_um) + radii[:, None] + 1.0),
        axis=1,
    )
    return centres[inside, 0], centres[inside, 1], radii[inside]


def correlated_marks(
    x_um: Floats, y_um: Floats, random: np.random.Generator, *, length_um: float = 0.0
) -> Floats:
    """Draw (N,) standard normal marks that are correlated as exp(-distance / length)."""
    return gaussian_field(np.column_stack([x_um, y_um]), random, length=length_um)


def random_scene(
    camera: Camera,
    random: np.random.Generator,
    *,
    brightness: float = 0.62,
    brightness_sd: float = 0.04,
    length_um: float = 0.0,
    defocus_um: Callable[[np.random.Generator, int], Floats] | None = None,
    **packing: float,
) -> Scene:
    """Make a scene of randomly packed particles with normally distributed brightness.

    Args:
        camera: gives the size of the field.
        random: generator, which has a child for each purpose.
        brightness, brightness_sd: mean and standard deviation of the green channel; red is 5 %
            brighter and blue 10 % darker.
        length_um: correlation length of the brightness; 0 for none.
        defocus_um: draws (N,) standard deviations of the blur; None puts all into focus.
        packing: arguments of `random_positions`.
    """
    placing, marking, focusing = random.spawn(3)
    x, y, radius = random_positions(camera.size_um, placing, **packing)
    mark = correlated_marks(x, y, marking, length_um=length_um)
    green = brightness + brightness_sd * mark
    colour = np.clip(green[:, None] * np.array([1.05, 1.0, 0.9]), 0.0, 1.0)
    defocus = np.zeros(x.size) if defocus_um is None else defocus_um(focusing, x.size)
    return Scene(x, y, radius, colour, green, defocus)


@dataclass(frozen=True, eq=False)
class Truth:
    """A synthetic picture with what is in it.

    Attributes:
        micrograph: the picture.
        labels: (H, W) number, from 1, of the particle on top; 0 is matrix.
        scene: the scene that was drawn.
        flat: the picture of an even surface under the same light.
    """

    micrograph: Micrograph
    labels: Labels
    scene: Scene
    flat: Micrograph


def draw(
    scene: Scene, camera: Camera, random: np.random.Generator, *, noise_stream: int = 0
) -> Truth:
    """Take the picture of a scene.

    Args:
        scene: a scene of at least one particle.
        camera: lens, light and noise.
        random: generator of outlines, texture and noise.
        noise_stream: another number gives other noise with the same outlines and texture.
    """
    shaping, texturing, noising = random.spawn(3)
    noising = noising.spawn(noise_stream + 1)[-1]
    height, width = camera.shape
    image = np.empty((height, width, 3))
    image[:] = camera.matrix
    labels: Labels = np.zeros(camera.shape, dtype=np.int32)
    grain = _texture(camera, texturing)
    amplitude, phase = _outlines(len(scene), camera.roughness, shaping)
    for index in range(len(scene)):
        _draw_particle(image, labels, grain, scene, camera, index, amplitude[index], phase[index])
    light = camera.illumination()
    for channel in range(3):
        image[..., channel] = gaussian_filter(image[..., channel], camera.blur_px) * light
    image += camera.noise * noising.standard_normal(image.shape)
    even = np.repeat((0.7 * light)[..., None], 3, axis=2)
    return Truth(
        Micrograph(_counts(image, camera.bits), camera.pixel_um, "synthetic"),
        labels,
        scene,
        Micrograph(_counts(even, camera.bits), camera.pixel_um, "flat"),
    )


def _texture(camera: Camera, random: np.random.Generator) -> Floats:
    if camera.texture <= 0.0:
        return np.zeros(camera.shape)
    grain = gaussian_filter(random.standard_normal(camera.shape), camera.grain_um / camera.pixel_um)
    scaled: Floats = camera.texture * grain / grain.std()
    return scaled


def _outlines(count: int, roughness: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    orders = np.array(ROUGHNESS)
    amplitude = random.standard_normal((count, orders.size)) / orders
    amplitude *= roughness / np.sqrt(0.5 * np.sum(1.0 / orders**2))
    return amplitude, random.uniform(0.0, 2.0 * np.pi, (count, orders.size))


def _draw_particle(
    image: Floats,
    labels: Labels,
    grain: Floats,
    scene: Scene,
    camera: Camera,
    index: int,
    amplitude: Floats,
    phase: Floats,
) -> None:
    pixel = camera.pixel_um
    column, row = scene.x_um[index] / pixel - 0.5, scene.y_um[index] / pixel - 0.5
    radius, sigma = scene.radius_um[index] / pixel, scene.defocus_um[index] / pixel
    reach = 1.4 * radius + 4.0 * sigma + 2.0
    top, left = max(int(row - reach), 0), max(int(column - reach), 0)
    bottom = min(int(row + reach) + 2, image.shape[0])
    right = min(int(column + reach) + 2, image.shape[1])
    if top >= bottom or left >= right:
        return
    y = np.arange(top, bottom)[:, None] - row
    x = np.arange(left, right)[None, :] - column
    angle = np.arctan2(y, x)
    outline = radius * (
        1.0
        + sum(
            a * np.cos(m * angle + p) for m, a, p in zip(ROUGHNESS, amplitude, phase, strict=True)
        )
    )
    cover = np.clip(outline - np.hypot(x, y) + 0.5, 0.0, 1.0)
    window = (slice(top, bottom), slice(left, right))
    labels[window][cover > 0.5] = index + 1
    shade = 1.0 + grain[window]
    if sigma > 0.0:
        # Light and cover are both blurred: a particle out of focus shows some of what is behind it.
        shade = gaussian_filter(shade * cover, sigma, mode="constant")
        cover = gaussian_filter(cover, sigma, mode="constant")
    else:
        shade = shade * cover
    image[window] *= (1.0 - cover)[..., None]
    image[window] += shade[..., None] * scene.colour[index]


def _counts(image: Floats, bits: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    if bits not in (8, 16):
        raise InputError(f"bits = {bits} (allowed: 8, 16)")
    full = 2**bits - 1
    kind = np.uint8 if bits == 8 else np.uint16
    counts: npt.NDArray[np.unsignedinteger[Any]] = np.round(np.clip(image, 0.0, 1.0) * full).astype(
        kind
    )
    return counts
