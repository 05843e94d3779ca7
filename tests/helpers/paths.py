"""Where things lie in the project."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
HELPERS = TESTS / "helpers"
PARAMS = ROOT / "params"
MESHES = ROOT / "meshes"
PACKAGE_PATH = ROOT / "scripts" / "setup" / "path"
"""Where Python finds the package."""
LOCKS = ROOT / "scripts" / "verification" / "locks"
"""Lock files of the other programs that claims and tests ask."""
PRESET = PARAMS / "quickstart.toml"
FIVE_DISCS = MESHES / "five_discs_2d.msh"
