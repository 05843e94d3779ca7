"""Label images whose background is 1: converted where that is certain, else refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from helpers.paths import PRESET
from helpers.pictures import truth
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.optics.label_file import read_label_image, read_labels


def discs(count: int = 40, seed: int = 0) -> np.ndarray:
    """Particles 1 .. N on 0, some of them cut by the border, some touching."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.uint16)
    for row, column, radius in zip(
        *random.uniform(0, [[120], [160], [11]], (3, count)), strict=True
    ):
        labels[((y - row) ** 2 + (x - column) ** 2 < radius**2 + 16) & (labels == 0)] = 1
    whole, _ = ndimage.label(labels)
    return whole.astype(np.uint16)


def cells(points: np.ndarray, shape: tuple[int, ...] = (120, 160)) -> np.ndarray:
    """Each pixel the number of its nearest point, from 1: particles that leave no background."""
    places = np.stack(np.indices(shape), axis=-1).astype(float)
    away = np.stack([((places - point) ** 2).sum(axis=-1) for point in points])
    return (1 + away.argmin(axis=0)).astype(np.uint16)


def dense() -> np.ndarray:
    """Grains on a lattice that touch at their sides: the background lies in pockets."""
    y, x = np.mgrid[:120, :160]
    labels = np.zeros((120, 160), np.uint16)
    for k, (row, column) in enumerate((r, c) for r in range(3, 121, 12) for c in range(3, 161, 12)):
        labels[(y - row) ** 2 + (x - column) ** 2 <= 36] = k + 1
    return labels


def stack() -> np.ndarray:
    z, y, x = np.mgrid[:40, :40, :40]
    labels = np.zeros((40, 40, 40), np.uint8)
    for k, place in enumerate([(10, 10, 10), (30, 12, 28), (12, 30, 12), (28, 30, 30)]):
        labels[(z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2 < 64] = k + 1
    return labels


CERTAIN = {"discs": discs(), "three": stack()[10] + 3 * (stack()[28] == 4), "stack": stack()}
CERTAIN |= {"many": discs(90, 2)}


@pytest.mark.parametrize("name", CERTAIN)
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_a_background_of_1_is_taken_and_said(name: str, kind: str, tmp_path: Path) -> None:
    labels = CERTAIN[name]
    path = tmp_path / "l.tif"
    edges = (0.2,) * labels.ndim
    tifffile.imwrite(path, labels)
    plain = read_label_image(path, edges)
    tifffile.imwrite(path, (labels + 1).astype(kind))
    shifted = read_label_image(path, edges)
    assert any(
        note.startswith("1 is taken for the background: no pixel is 0") for note in shifted.notes
    )
    assert not any("background" in note for note in plain.notes)
    assert np.array_equal(shifted.labels, plain.labels)
    assert np.array_equal(shifted.numbers, plain.numbers + 1)


def test_a_background_in_pockets_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "l.tif"
    tifffile.imwrite(path, dense() + 1)
    found = read_label_image(path, (0.2, 0.2))
    assert np.array_equal(found.labels > 0, dense() > 0)


def band() -> np.ndarray:
    """A particle from corner to corner, between others: it touches all of them, and all borders."""
    y, x = np.mgrid[:120, :160]
    across = y / 120 - x / 160
    labels = np.where(across > 0.5, 2, np.where(across < -0.5, 3, 1))
    return np.where((labels == 2) & (x > 30), 4, labels).astype(np.uint16)


random = np.random.default_rng(3)
UNSURE = {
    "grains": (cells(random.uniform(0, [120, 160], (30, 2))), "not certain: "),
    "few grains": (cells(random.uniform(0, [120, 160], (4, 2))), "not certain: "),
    "a large grain amid small ones": (
        cells(np.array([(60, 80), *((r, c) for r in (4, 116) for c in range(5, 160, 12))])),
        "it does not lie along every border",
    ),
    "grains in 3D": (cells(random.uniform(0, 30, (12, 3)), (30, 30, 30)), "not certain: "),
    "a band from corner to corner": (
        band(),
        "it encloses none of the others and lies in one piece",
    ),
    "two numbers": (np.where(discs() > 0, 2, 1), "one other number alone"),
    "two numbers, the other way round": (np.where(discs() > 0, 1, 2), "it is not 1"),
    "a background of 7": (np.where(discs() > 0, discs() + 7, 7), "it is not 1"),
    "a large particle": (np.where(np.indices((120, 160))[1] > 90, 99, discs() + 1), "99 has"),
    "grains that do not touch it": (
        np.pad(cells(random.uniform(0, 40, (30, 2)), (40, 40)) + 1, 20, constant_values=1),
        "it touches only",
    ),
}


@pytest.mark.parametrize("name", UNSURE)
def test_what_is_not_certain_is_refused(name: str, tmp_path: Path) -> None:
    pixels, said = UNSURE[name]
    path = tmp_path / "l.tif"
    tifffile.imwrite(path, pixels.astype(np.uint16), photometric="minisblack")
    with pytest.raises(InputError, match="no pixel is 0, the background") as caught:
        read_label_image(path, (0.2,) * pixels.ndim)
    assert said in str(caught.value)
    assert str(caught.value).endswith("Set the background to 0")


def test_the_commands_say_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = truth()
    counts = (255 * picture.micrograph.intensity()).astype(np.uint8)
    Image.fromarray(counts).save(tmp_path / "p.png")
    shown = picture.labels + 1
    tifffile.imwrite(tmp_path / "l.tif", shown.astype(np.uint16))
    assert read_labels(tmp_path / "l.tif", shown.shape).labels.max() >= 20
    options = [
        "--labels",
        str(tmp_path / "l.tif"),
        "--pixel",
        "0.25um",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(["optics", str(tmp_path / "p.png"), *options]) == 0
    assert "warning: l.tif: 1 is taken for the background" in capsys.readouterr().out
    assert "1 is taken for the background" in (tmp_path / "o" / "summary.json").read_text()
    tifffile.imwrite(tmp_path / "g.tif", CERTAIN["discs"] + 1)
    mesh = ["mesh", str(PRESET), "--labels", str(tmp_path / "g.tif"), "--pixel", "0.3um"]
    assert main([*mesh, "-o", str(tmp_path / "m.msh")]) == 0
    assert "assumed: 1 is taken for the background" in capsys.readouterr().out
