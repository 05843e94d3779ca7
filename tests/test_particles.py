"""ParticleTable: columns, exact round trip, errors that name what is wrong."""

import numpy as np
import pytest

from heterode.base.errors import InputError
from heterode.particles.table import COLUMNS, ParticleTable


def table(count=5):
    random = np.random.default_rng(3)
    values = {name: random.random(count) / 3.0 for name in COLUMNS if name != "particle"}
    return ParticleTable(particle=np.arange(count), **values)


def test_a_written_table_reads_back_bit_for_bit(tmp_path):
    written = table()
    written.write_csv(tmp_path / "particles.csv")
    header = (tmp_path / "particles.csv").read_text().splitlines()[0]
    assert header == "particle,x_um,y_um,z_um,radius_um,volume_um3,surface_um2,penalty"
    assert ParticleTable.read_csv(tmp_path / "particles.csv") == written
    assert len(written) == 5


def test_columns_may_stand_in_any_order_beside_others(tmp_path):
    written = table()
    rows = [",".join([*reversed(COLUMNS), "note"])]
    rows += [
        ",".join([*(repr(float(getattr(written, c)[i])) for c in reversed(COLUMNS)), "x"])
        for i in range(len(written))
    ]
    (tmp_path / "other.csv").write_text("\n".join(rows))
    assert ParticleTable.read_csv(tmp_path / "other.csv") == written


def test_penalty_is_replaced_and_nothing_else():
    changed = table().with_penalty(np.full(5, 0.25))
    assert np.all(changed.penalty == 0.25)
    assert changed.with_penalty(table().penalty) == table()
    assert changed != table()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "no such file"),
        ("", "is empty"),
        ("particle,x_um\n0,1\n", "y_um, z_um"),
        (",".join(COLUMNS) + "\n0,1,1,1,1,1,much,1\n", "much"),
        (",".join(COLUMNS) + "\n0,1,1\n", "has 3 cells in line 2, but 8"),
        (",".join(COLUMNS) + "\n4,1,1,1,1,1,1,1\n", "0 .. N-1"),
        (",".join(COLUMNS) + "\n0.5,1,1,1,1,1,1,1\n", "must be whole"),
    ],
)
def test_a_bad_table_is_one_clear_line(tmp_path, text, named):
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=named) as caught:
        ParticleTable.read_csv(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="penalty has shape"):
        table().with_penalty([1.0, 1.0])
