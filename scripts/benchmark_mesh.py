"""Pack and mesh spheres, or mesh stacks of labels, and print the cost.

    benchmark_mesh.py [CASE ...]
    benchmark_mesh.py --label-stacks [--draws 0:20] [--labels 200] [--kept FILE] [--page]

A case is N:FRACTION:WALLS, such as 1000:0.53:inside, or N:FRACTION:WALLS:SIZE with the edge length
on a particle's surface in radii (default: that of heterode). Seconds are wall-clock, so any number
that is kept needs a note of the machine, which must be idle.

Label stacks are made by watersheds (verification/label_stacks.py). A draw that --kept holds is not
meshed again, so that --draws 0:20, then 20:40, and so on add up to one table; --page puts it on
docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from heterode.geometry.meshing import build_mesh
from heterode.geometry.packing import pack
from heterode.geometry.quality import mesh_quality
from heterode.parameters.geometry import Geometry, MeshSettings
from heterode.parameters.sizes import LognormalSize
from verification import label_stacks
from verification.pages import markdown, put_on_page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

CASES = (
    "100:0.40:inside",
    "1000:0.53:inside",
    "1000:0.60:cut",
    "3000:0.55:inside:0.4",
    "3000:0.55:inside",
)

COLUMNS = (
    f"{'particles':>9}{'pieces':>8}{'fraction':>10}{'walls':>8}{'size':>6}"
    f"{'tets':>10}{'unknowns':>10}"
    f"{'pack s':>8}{'mesh s':>8}{'SICN':>7}{'gamma':>7}{'volume':>9}{'surface':>9}"
)


def geometry_of(case: str) -> Geometry:
    """Return the slab of the mesh table: 60 um thick, lognormal diameters near 5 um, gap 0.1 um."""
    count, fraction, walls, *factor = case.split(":")
    size = LognormalSize.model_construct(
        distribution="lognormal", median=5e-6, sigma=0.4, minimum=1e-6, maximum=10e-6
    )
    settings = MeshSettings().model_dump() | {"maximum_size": 1.5e-6}
    if factor:
        settings["surface_size_factor"] = float(factor[0])
    mesh = MeshSettings.model_construct(**settings)
    return Geometry.model_construct(
        dimension=3,
        coating_thickness=60e-6,
        separator_thickness=25e-6,
        width=None,
        particles=int(count),
        active_fraction=float(fraction),
        minimum_gap=0.1e-6,
        walls=walls,
        particle_size=size,
        mesh_file=None,
        mesh=mesh,
    )


def row(case: str) -> str:
    """Return one line of the table."""
    geometry = geometry_of(case)
    start = time.perf_counter()
    packing = pack(geometry, 1)
    packed = time.perf_counter()
    mesh = build_mesh(packing, geometry)
    meshed = time.perf_counter()
    quality = mesh_quality(mesh, packing.volumes_um3())
    whole = packing.volumes_um3() > 4.188 * packing.radii_um**3
    sphere = 4.0 * np.pi * packing.radii_um[whole] ** 2
    surface = np.abs(mesh.particles.surface_um2[whole] / sphere - 1.0).max()
    return (
        f"{packing.whole:>9}{quality.particles:>8}{packing.active_fraction():>10.4f}"
        f"{packing.walls:>8}{geometry.mesh.surface_size_factor:>6.2f}"
        f"{len(mesh.cells):>10}{quality.unknowns:>10}"
        f"{packed - start:>8.1f}{meshed - packed:>8.1f}"
        f"{min(d.sicn_min for d in quality.domains):>7.3f}"
        f"{min(d.gamma_min for d in quality.domains):>7.3f}"
        f"{quality.area_error_max:>9.0e}{surface:>9.1e}"
    )


def stacks(arguments: list[str]) -> None:
    """Mesh draws of label stacks and print the table of all that are kept."""
    parser = argparse.ArgumentParser(prog="benchmark_mesh.py --label-stacks")
    parser.add_argument("--draws", default="0:20", help="first:last, without the last")
    parser.add_argument("--labels", type=int, default=200, help="in a stack, about")
    parser.add_argument("--kept", type=Path, default=Path("results/label_stacks.csv"))
    parser.add_argument("--page", action="store_true", help="put the table on the page")
    options = parser.parse_args(arguments)
    first, last = (int(text) for text in options.draws.split(":"))
    kept = label_stacks.kept_rows(options.kept)
    if not kept.keys() >= set(range(first, last)):
        label_stacks.meshed(0, 3)  # compiles the loops
    for draw in range(first, last):
        if draw not in kept:
            kept[draw] = label_stacks.meshed(draw, options.labels)
            label_stacks.keep(options.kept, kept[draw])
            print(" ".join(kept[draw].cells_of_table()), flush=True)
    table = markdown(label_stacks.HEADING, [kept[draw].cells_of_table() for draw in sorted(kept)])
    print(table)
    if options.page:
        put_on_page(PAGE, "label stacks", table)


def main() -> None:
    """Print the table of the named cases, or of all cases, or that of label stacks."""
    if sys.argv[1:2] == ["--label-stacks"]:
        stacks(sys.argv[2:])
        return
    print(COLUMNS)
    for case in sys.argv[1:] or CASES:
        print(row(case), flush=True)


if __name__ == "__main__":
    main()
