"""Maps of the value over the field: the density of D, and its ratio to the density of particles."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.heterogeneity.marks import Floats, MarkedPoints


@dataclass(frozen=True, eq=False)
class DensityMap:
    """Smoothed maps on a regular grid.

    Attributes:
        name: of the field.
        x_um, y_um: (nx,), (ny,) cell centres along the map's two directions.
        axes: names of these directions, such as ("x", "z").
        particle_density: (ny, nx) sum K / edge, um^-2 (um^-3 in 3D).
        value_density: (ny, nx) sum v K / sum v, um^-2 (um^-3), as published, not edge-corrected.
        ratio: (ny, nx) sum v K / sum K: the local mean value; edges cancel.
        edge: (ny, nx) mass of the kernel inside the window, in (0, 1].
        bandwidth_um: standard deviation of the Gaussian kernel.
        plane_um: position of the map's plane along the third direction (3D), or None.
    """

    name: str
    x_um: Floats
    y_um: Floats
    axes: tuple[str, str]
    particle_density: Floats
    value_density: Floats
    ratio: Floats
    edge: Floats
    bandwidth_um: float
    plane_um: float | None


def density_map(
    points: MarkedPoints,
    *,
    bandwidth_um: float | None = None,
    grid: int = 256,
    normal: int = 1,
    plane_um: float | None = None,
) -> DensityMap:
    """Kernel maps of one field.

    Args:
        bandwidth_um: twice the mean spacing by default.
        grid: cells along the longer side.
        normal: 3D: direction the map's plane is normal to (0, 1, 2).
        plane_um: 3D: where it cuts; half-way by default.
    """
    raise NotImplementedError
