"""Checks that the lengths of a mesh are micrometres, by the extents that electrodes have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heterode.base.errors import InputError
from heterode.geometry.mesh_data import MeshData

COATING_UM = (0.5, 5000.0)
"""Thickness of a coating, micrometres: from thin films to far beyond the thickest electrodes."""

RADIUS_UM = (0.005, 250.0)
"""Median radius of the particles, micrometres: from nanoparticles to the coarsest powders."""

UNITS = {"metres": 1e6, "millimetres": 1e3, "nanometres": 1e-3, "centimetres": 1e4}
"""Micrometres in each unit."""

USUAL = ("metres", "millimetres", "nanometres")
"""Units in which programs write meshes; preferred where they give nearly the expected size."""

NEAR = 8.0
"""Largest ratio of a coating's thickness to the expected one that still counts as near."""


def refuse_other_units(mesh: MeshData, expected_um: float) -> None:
    """Refuse a mesh whose lengths, taken as micrometres, are not those of an electrode.

    Args:
        mesh: read from a file.
        expected_um: thickness of the coating in the input file.

    Raises:
        InputError: the error gives the wrong length, the likely unit, and the remedy in one line.
    """
    coating, radius = mesh.coating_thickness_um, float(np.median(mesh.particles.radius_um))
    for what, value, (low, high) in (
        ("coating is {} um thick", coating, COATING_UM),
        ("particles have a median radius of {} um", radius, RADIUS_UM),
    ):
        if not low <= value <= high:
            unit = _likely_unit(coating, expected_um)
            raise InputError(
                f"its {what.format(f'{value:.3g}')} (allowed: {low:g} to {high:g} um), so its"
                f" lengths are likely {unit}. A mesh file holds micrometres: multiply its"
                f" coordinates by {UNITS[unit]:g} (gmsh: Mesh.ScalingFactor = {UNITS[unit]:g} when"
                " it is written)"
            )


def refuse_pixels(edges_um: Sequence[float], pixels: int, path: Path) -> None:
    """Refuse a pixel size with which the image's coating is too thin or too thick for an electrode.

    Args:
        edges_um: edges of a pixel or voxel; the edge along the thickness comes last.
        pixels: number of pixels along the thickness.
        path: file of the image.

    Raises:
        InputError: the error gives the allowed edges in one line.
    """
    low, high = COATING_UM
    edge = edges_um[-1]
    if not low <= edge * pixels <= high:
        raise InputError(
            f"{path}: pixels of {edge:.3g} um make its coating {edge * pixels:.3g} um thick"
            f" (allowed: {low:g} to {high:g} um, so pixels of {low / pixels:.3g} to"
            f" {high / pixels:.3g} um). Give their edge as --pixel, with its unit"
        )


def _likely_unit(coating: float, expected_um: float) -> str:
    """Return the unit in which the coating's thickness is nearest to the expected one."""

    def apart(unit: str) -> float:
        return abs(math.log(UNITS[unit] * coating / expected_um))

    usual = min(USUAL, key=apart)
    return usual if apart(usual) < math.log(NEAR) else min(UNITS, key=apart)
