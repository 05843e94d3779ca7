"""Tables of particles: what can be read, and the one line for each that cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.report_cases import SIDE_UM, optical_table, scattered, smooth_values, write_table
from heterode.base.errors import InputError
from heterode.cli import main
from heterode.points.csv_points import Reading, read_table

PLACES = scattered(40)
VALUE = smooth_values(PLACES)
X, Y = PLACES.T


def read(path: Path, **reading: object):
    return read_table(path, Reading(**reading))  # type: ignore[arg-type]


# -- what can be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "value", "scale"),
    [
        ("x", "y", "value", 1.0),
        ("x_um", "y_um", "lithium_fraction", 1.0),
        ("X (µm)", "Y (µm)", "SOC", 1.0),
        ("x_nm", "y_nm", "mark", 1e3),
        ("Centroid X [mm]", "Centroid Y [mm]", "Mean", 1e-3),
        ("pos_x", "pos_y", "Li-fraction", 1.0),
    ],
)
def test_names_and_units_of_columns(
    tmp_path: Path, x: str, y: str, value: str, scale: float
) -> None:
    columns = {x: X * scale, y: Y * scale, "other": VALUE + 1, value: VALUE}
    table = read(write_table(tmp_path / "t.csv", **columns))
    (field,) = table.fields
    assert field.positions_um == pytest.approx(PLACES, rel=1e-12)
    assert np.array_equal(field.value, VALUE)
    assert field.radius_um is None
    assert table.columns == {"x": x, "y": y, "value": value}


def test_pixels_and_the_unit_of_what_does_not_say_it(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "t.csv", x_px=X * 10, y_px=Y * 10, area_px2=X * 0 + 300, value=VALUE
    )
    (field,) = read(path, pixel_um=0.1).fields
    assert field.positions_um == pytest.approx(PLACES, rel=1e-12)
    assert field.radius_um == pytest.approx(np.sqrt(3.0 / np.pi) * np.ones(40), rel=1e-12)
    bare = write_table(
        tmp_path / "bare.csv", x=X * 1e3, y=Y * 1e3, diameter=X * 0 + 4e3, value=VALUE
    )
    (field,) = read(bare, unit="nm").fields
    assert field.positions_um == pytest.approx(PLACES, rel=1e-12)
    assert field.radius_um == pytest.approx(2.0 * np.ones(40), rel=1e-12)
    # Read as micrometres, the same table would be 20 cm wide.
    with pytest.raises(InputError, match="not between 1 um and 10 cm"):
        read(bare)


def test_a_bare_x_beside_x_um_is_no_place(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", x=VALUE, x_um=X, y_um=Y)
    (field,) = read(path, value="x").fields
    assert np.array_equal(field.positions_um, PLACES)
    assert np.array_equal(field.value, VALUE)


def test_semicolons_decimal_commas_comments_and_other_alphabets(tmp_path: Path) -> None:
    lines = ["# Gerät 2", "x (µm);y (µm);value"]
    lines += [
        f"{x:.4f};{y:.4f};{v:.6f}".replace(".", ",") for x, y, v in zip(X, Y, VALUE, strict=True)
    ]
    path = tmp_path / "t.csv"
    path.write_bytes("\r\n".join(lines).encode("latin-1"))
    (field,) = read(path).fields
    assert field.positions_um == pytest.approx(PLACES, abs=1e-4)
    assert field.value == pytest.approx(VALUE, abs=1e-6)


def test_z_and_fields(tmp_path: Path) -> None:
    flat = write_table(tmp_path / "flat.csv", x_um=X, y_um=Y, z_um=0 * X, value=VALUE)
    assert read(flat).fields[0].dimension == 2
    solid = write_table(tmp_path / "solid.csv", x_um=X, y_um=Y, z_um=X[::-1], value=VALUE)
    assert read(solid).fields[0].dimension == 3
    image = ["left"] * 25 + ["right"] * 15
    several = read(write_table(tmp_path / "s.csv", image=image, x=X, y=Y, value=VALUE))
    assert [(field.name, len(field)) for field in several.fields] == [("left", 25), ("right", 15)]


def test_a_window_is_kept_and_else_holds_all_particles(tmp_path: Path) -> None:
    path = optical_table(tmp_path / "t.csv")
    window = np.array([[0.0, SIDE_UM], [0.0, SIDE_UM]])
    assert np.array_equal(read(path, window_um=window).fields[0].window_um, window)
    (field,) = read(path).fields
    assert np.all(field.window_um[:, 0] < field.positions_um.min(axis=0))
    assert np.all(field.window_um[:, 1] > field.positions_um.max(axis=0))


def test_incomplete_rows_can_be_left_out(tmp_path: Path) -> None:
    value = [*VALUE[:-2], "nan", ""]
    path = write_table(tmp_path / "t.csv", x=X, y=Y, value=value)
    table = read(path, drop_missing=True)
    assert (len(table.fields[0]), table.rows, table.dropped) == (38, 40, 2)


# -- what cannot ------------------------------------------------------------------------------


def ten(**changed: object) -> dict[str, object]:
    return {"x": X, "y": Y, "value": VALUE} | changed


def with_one(values: np.ndarray, row: int, cell: object) -> list[object]:
    return [cell if k == row else v for k, v in enumerate(values)]


BAD = {
    "no-value": ({"x": X, "y": Y, "grey": VALUE}, "no column 'value' (it has: x, y, grey)"),
    "no-x": ({"a": X, "y": Y, "value": VALUE}, "no column 'x'"),
    "no-y": ({"x": X, "value": VALUE}, "no column 'y'"),
    "nan": (ten(value=with_one(VALUE, 4, "nan")), "line 6, column 'value' = nan is not finite"),
    "empty-cell": (ten(x=with_one(X, 0, "")), "line 2, column 'x' is empty"),
    "word": (ten(y=with_one(Y, 1, "far")), "line 3, column 'y' = far is not a number"),
    "infinite": (
        ten(value=with_one(VALUE, 2, "inf")),
        "line 4, column 'value' = inf is not finite",
    ),
    "duplicate": (
        ten(x=with_one(X, 7, X[3]), y=with_one(Y, 7, Y[3])),
        "rows 5 and 9 are at the same place",
    ),
    "constant": (ten(value=0 * X + 0.5), "all 40 values equal 0.5 in double precision"),
    "subnormal": (
        ten(value=5e-324 * (1 + np.arange(len(X)) % 3)),
        "lie between 5e-324 and 1.5e-323: they cannot be distinguished in double precision",
    ),
    "one digit apart": (
        ten(value=1.0 + 2.3e-16 * (np.arange(len(X)) % 3)),
        "lie between 1.0 and 1.0000000000000004: they cannot be distinguished in double precision",
    ),
    "few": ({"x": X[:9], "y": Y[:9], "value": VALUE[:9]}, "9 particles, too few to cluster"),
    "too-small": (ten(x=X * 1e-6, y=Y * 1e-6), "not between 1 um and 10 cm"),
    "too-large": (ten(x=X * 1e3, y=Y * 1e3), "not between 1 um and 10 cm"),
    "line": (ten(y=0 * Y), "all particles lie on one line"),
    "size": (ten(radius=0 * X), "sizes are positive"),
    "pixels": ({"x_px": X, "y_px": Y, "value": VALUE}, "is in pixels. Pass --pixel-size"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_end_with_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns, expected = BAD[name]
    path = write_table(tmp_path / "bad.csv", **columns)
    refused(path, expected, capsys)
    # The table it was made from is fine.
    assert read(write_table(tmp_path / "good.csv", **ten())).rows == 40


FILES = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n# only a remark\n", "is empty"),
    "header": (b"x,y,value\n", "has no rows below its heading"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a CSV table"),
    "prose": (
        b"dear reader\nthis is a letter\n",
        "has one column: its heading has no comma, semicolon or tab",
    ),
    "ragged": (b"x,y,value\n1,2,3\n4,5\n", "has 2 cells in line 3, but 3 in its heading"),
    "twice": (b"x,y,x,value\n1,2,3,4\n", "has two columns of the same name, 'x'"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_table_ends_with_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, expected = FILES[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    refused(path, expected, capsys)


def refused(path: Path, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(path.parent.rglob("*"))
    assert main(["report", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"heterode: error: {path}")
    assert expected in err
    assert set(path.parent.rglob("*")) == before


def test_units_that_contradict_are_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", x_um=X, y_um=Y, value=VALUE)
    assert read(path, unit="um").rows == 40
    with pytest.raises(InputError, match="unit = 'nm', but column 'x_um' is in um"):
        read(path, unit="nm")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read(tmp_path / "none.csv")
