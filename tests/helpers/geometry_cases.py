"""Stand-ins for the [geometry] of a parameter file, for tests of packing and meshing alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

LOGNORMAL = SimpleNamespace(
    distribution="lognormal", median=5e-6, sigma=0.4, minimum=1e-6, maximum=10e-6
)
MONODISPERSE = SimpleNamespace(distribution="monodisperse", diameter=5e-6)


def mesh_settings(**changes: Any) -> SimpleNamespace:
    values = {
        "surface_size_factor": 0.35,
        "minimum_size": 0.15e-6,
        "maximum_size": 3e-6,
        "separator_size": 4e-6,
        "gap_elements": 1.0,
        "order": 2,
    }
    return SimpleNamespace(**(values | changes))


def geometry(**changes: Any) -> SimpleNamespace:
    values = {
        "dimension": 2,
        "coating_thickness": 46e-6,
        "separator_thickness": 25e-6,
        "width": None,
        "particles": 40,
        "active_fraction": 0.5,
        "minimum_gap": 0.1e-6,
        "walls": "inside",
        "particle_size": LOGNORMAL,
        "mesh_file": None,
        "mesh": mesh_settings(),
    }
    return SimpleNamespace(**(values | changes))


def parameters(seed: int = 1, **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        source_file=Path("demo.toml"),
        geometry=geometry(**changes),
        active_material=SimpleNamespace(electronic_conduction_in_particles=False),
        seeds=SimpleNamespace(packing=seed, penalty=1),
    )
