"""With pymatgen: what heterode.optics reads from VASP's files. Asked in JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "setup" / "path"))

from heterode.base.errors import InputError
from heterode.optics.dielectric_tables import read_dielectric_table


def answer(file: str) -> dict[str, object]:
    """The table of one file, or what is wrong with it."""
    try:
        table = read_dielectric_table(file)
    except InputError as error:
        return {"error": str(error)}
    return {
        "energy_eV": table.energy_eV.tolist(),
        "eps2_ab": table.eps2_ab.tolist(),
        "eps2_c": table.eps2_c.tolist(),
    }


if __name__ == "__main__":
    print(json.dumps({file: answer(file) for file in json.load(sys.stdin)["files"]}))
