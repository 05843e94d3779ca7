"""The cases at which the accuracy of the voltage is measured: docs/accuracy.md has the table."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.paths import ROOT

DRIVE = ROOT / "docs" / "accuracy" / "drive.csv"


@dataclass(frozen=True)
class Case:
    """A run whose voltage is compared with a reference.

    Attributes:
        name: a short name, for tables and file names.
        text: the case in a few words.
        preset: the preset that it changes.
        changes: the changes to it.
        first_step_s: first time step, s, that a protocol step had before it followed from the
            accuracy: 1e-4 of a full charge at its rate, at most 1 s.
        allowed: error of the voltage that is allowed at an accuracy of 1 mV, V. At 3C the base
            mesh alone moves the voltage by 0.5 mV.
        unknowns: allowed ratio of the unknowns at 1 mV to those without layers.
        finer: how many times finer the mesh of the reference is.
    """

    name: str
    text: str
    preset: str
    changes: tuple[str, ...]
    first_step_s: float
    allowed: float = 1e-3
    unknowns: float = 1.6
    finer: int = 4

    @property
    def dimension(self) -> int:
        """Number of spatial dimensions."""
        return 3 if self.preset.startswith("cube") else 2


def _steps(*steps: str) -> str:
    return "protocol.steps=[" + ", ".join(f'"{step}"' for step in steps) + "]"


DISCS = ("geometry.particles=20",)
SPHERES = (
    "geometry.particles=16",
    "geometry.walls=inside",
    # 0.3 of the coating is active.
    "composition.areal_mass=3.335 mg/cm^2",
    "active_material.rate_constant=1e-9 m/s",
)
SLOW = "active_material.diffusivity=5e-16 m^2/s"
HALF_FULL = "active_material.initial_lithium_fraction=0.7"
NEARLY_FULL = "active_material.initial_lithium_fraction=0.9"

CASES = (
    Case("A", "1C for 5 min", "nmc532", (*DISCS, _steps("charge at 1C for 5 min")), 0.36),
    Case(
        "B",
        "2C for 2 min, D = 5e-16 m^2/s",
        "nmc532",
        (*DISCS, SLOW, _steps("charge at 2C for 2 min")),
        0.18,
        unknowns=2.1,
    ),
    Case(
        "C",
        "3C for 5 min from x = 0.9",
        "nmc532",
        (*DISCS, NEARLY_FULL, _steps("charge at 3C for 5 min")),
        0.12,
        allowed=1.5e-3,
        unknowns=1.9,
    ),
    Case("F", "C/2 to 4.5 V", "nmc532", (*DISCS, _steps("charge at C/2 until 4.5 V")), 0.72),
    Case(
        "drive",
        "drive cycle of +-45 A/m^2 from x = 0.7",
        "nmc532",
        (*DISCS, HALF_FULL, _steps(f"follow {DRIVE} stepwise")),
        0.13,
    ),
    Case(
        "gitt",
        "GITT, C/2 for 5 min and 20 min of rest",
        "nmc532",
        (*DISCS, _steps("gitt: charge at C/2 for 5 min, rest for 20 min, 3 times")),
        0.72,
    ),
    Case(
        "A-3d",
        "16 spheres, 1C for 5 min",
        "cube_50",
        (*SPHERES, _steps("charge at 1C for 5 min")),
        0.36,
        unknowns=1.8,
        finer=1,
    ),
    Case(
        "B-3d",
        "16 spheres, 2C for 2 min, D = 5e-16 m^2/s",
        "cube_50",
        (*SPHERES, SLOW, _steps("charge at 2C for 2 min")),
        0.18,
        unknowns=2.4,
        finer=1,
    ),
    Case(
        "C-3d",
        "16 spheres, 3C for 5 min from x = 0.9",
        "cube_50",
        (*SPHERES, NEARLY_FULL, _steps("charge at 3C for 5 min")),
        0.12,
        allowed=1.5e-3,
        unknowns=1.9,
        finer=1,
    ),
)

BY_NAME = {case.name: case for case in CASES}
