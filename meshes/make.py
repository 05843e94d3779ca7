"""Make the reference meshes of this folder anew: python3 meshes/make.py (needs gmsh).

Tests and golden values belong to the files as they are shipped: gmsh versions differ, so make them
anew only for a reason, and say so in CHANGELOG.md under "Results change".
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from heterode.geometry.meshing import mesh_slab
from heterode.geometry.meshing_3d import mesh_spheres
from heterode.geometry.msh import write_msh
from heterode.geometry.outline import MeshSizes, Slab
from heterode.geometry.packing import Packing

FOLDER = Path(__file__).parent

SINGLE_DISC = Slab(
    centres=np.array([[5.0, 5.0]]),
    radii=np.array([2.5]),
    coating=10.0,
    separator=5.0,
    width=10.0,
)
FIVE_DISCS = Slab(
    centres=np.array([[2.6, 2.7], [7.3, 2.4], [4.4, 7.6], [8.8, 6.3], [9.1, 9.6]]),
    radii=np.array([2.3, 1.9, 2.6, 1.4, 1.2]),
    coating=11.0,
    separator=5.0,
    width=11.0,
)
SPHERES = Packing(
    centres_um=np.array(
        [[2.9, 3.1, 2.6], [6.0, 6.2, 2.2], [2.6, 6.5, 6.2], [0.6, 2.2, 7.0], [9.1, 2.2, 7.0]]
    ),
    radii_um=np.array([2.0, 1.6, 1.7, 1.5, 1.5]),
    width_um=(8.5, 8.5),
    coating_thickness_um=9.0,
    minimum_gap_um=0.1,
    walls="cut",
    whole=4,
)


def main() -> None:
    """Write every reference mesh."""
    fine = MeshSizes(0.2, 0.5, 1.2, 0.02, 1.5, 2)
    coarse = MeshSizes(0.45, 0.5, 2.0, 0.02, 2.0, 2)
    write_msh(FOLDER / "single_disc_2d.msh", mesh_slab(SINGLE_DISC, fine))
    write_msh(FOLDER / "five_discs_2d.msh", mesh_slab(FIVE_DISCS, coarse))
    in_3d = SimpleNamespace(
        surface_size_factor=0.6, maximum_size=2e-6, minimum_size=1e-7, separator_size=3e-6
    )
    write_msh(FOLDER / "spheres_3d.msh", mesh_spheres(SPHERES, in_3d, 4.0))


if __name__ == "__main__":
    main()
