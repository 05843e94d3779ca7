"""A run in 3D from the parameter file to the picture, on the shipped mesh of spheres."""

import json
from pathlib import Path

import pandas as pd
from matplotlib.image import imread

from helpers.paths import MESHES, PARAMS
from heterode.cli import main
from heterode.results import read_history

CUBE = PARAMS / "cube_50.toml"


def test_spheres_are_charged_and_drawn(tmp_path: Path) -> None:
    out = tmp_path / "run"
    code = main(
        [
            "run",
            str(CUBE),
            "--quiet",
            "--out",
            str(out),
            "--set",
            f"geometry.mesh_file={MESHES / 'spheres_3d.msh'}",
            "--set",
            'protocol.steps=["charge at C/2 for 5 min"]',
        ]
    )
    assert code == 0
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "completed"
    assert max(abs(error) for error in manifest["balance"].values()) < 1e-6
    history = read_history(out)
    assert history["time_s"].iloc[-1] == 300.0
    assert history["lithium_fraction_mean"].iloc[-1] < history["lithium_fraction_mean"].iloc[0]
    particles = pd.read_csv(out / "particles.csv")
    assert len(particles) == 5
    assert (particles["z_um"] > 0.0).all()
    picture = imread(out / "report" / "lithium_fraction.png")
    assert picture[..., :3].std() > 0.01
