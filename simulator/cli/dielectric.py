"""heterode dielectric: optical constants and colours from eps2 or electronic structure."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError
from heterode.base.ranks import on_root
from heterode.cli.endings import DONE
from heterode.cli.outputs import with_overwrite
from heterode.cli.values import any_number, direction, number, numbers, positive_number

if TYPE_CHECKING:
    from heterode.reporting.dielectric import Settings


_OF_BANDS = {
    "fermi": "fermi_eV",
    "temperature": "temperature_K",
    "broadening": "broadening_eV",
    "line": "line",
    "polarisation": "polarisation",
}
"""Options that only equation (1) uses, with their names in `Settings`."""


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    text = "optical constants and colours from eps2 (CSV, VASP) or electronic structure (NPZ, HDF5)"
    command = commands.add_parser("dielectric", help=text, description=text)
    command.set_defaults(command=_dielectric)
    command.add_argument(
        "tables",
        type=Path,
        nargs="+",
        metavar="TABLE",
        help="CSV with energy_eV and eps2 (or eps2_ab, eps2_c; or n, k), vasprun.xml, OUTCAR, or"
        " .npz / .h5 with band energies and momentum matrix elements",
    )
    command.add_argument(
        "--out", type=Path, default=Path("results/dielectric"), metavar="DIR", help="folder"
    )
    with_overwrite(command)
    command.add_argument(
        "--lithium",
        type=float,
        nargs="+",
        metavar="X",
        help="lithium fraction of each table: also writes colours.csv and calibration.csv",
    )
    command.add_argument(
        "--rule", default="maclaurin", help="Kramers-Kronig by maclaurin (default) or subtracted"
    )
    command.add_argument(
        "--no-tail", action="store_true", help="eps2 is 0 beyond the table, instead of C / w^3"
    )
    command.add_argument(
        "--drude",
        type=numbers(2, form="plasma energy,damping in eV"),
        metavar="WP,GAMMA",
        help="free electrons: plasma energy and damping, eV, added to eps2",
    )
    command.add_argument(
        "--drude-in-table", action="store_true", help="eps2 holds the free electrons already"
    )
    command.add_argument("--medium", type=any_number, default=1.0, help="refractive index in front")
    command.add_argument(
        "--lamp", default="3200 K", help="colour temperature, equal, or CSV: wavelength_nm, power"
    )
    command.add_argument(
        "--camera", default="nominal", help="nominal, or CSV: wavelength_nm, red, green, blue"
    )
    command.add_argument(
        "--volume", type=positive_number, metavar="A3", help="of the cell, cubic angstrom"
    )
    command.add_argument(
        "--electrons", type=positive_number, metavar="N", help="valence electrons per cell"
    )
    bands = command.add_argument_group("equation (1), for .npz and .h5")
    bands.add_argument(
        "--fermi", type=any_number, metavar="EV", help="Fermi level; else occupations"
    )
    bands.add_argument(
        "--temperature", type=number(0.0, 1e6), metavar="K", help="of electrons (default: 0)"
    )
    bands.add_argument(
        "--broadening", type=positive_number, metavar="EV", help="of a transition (default: 0.1)"
    )
    bands.add_argument("--line", help="gaussian (default) or lorentzian")
    bands.add_argument(
        "--polarisation",
        type=direction,
        metavar="X,Y,Z",
        help="one direction instead of ab and c",
    )


def _dielectric(options: argparse.Namespace, comm: Any) -> int:
    def make() -> None:
        from heterode.reporting.dielectric import outputs_of, report
        from heterode.results.written import writing

        with writing(
            outputs_of(options.tables, options.out, with_colours=options.lithium is not None),
            inputs=[*options.tables, Path(options.lamp), Path(options.camera)],
            overwrite=options.overwrite,
            option="--out",
        ):
            lines = report(options.tables, _settings(options), options.out, options.lithium)
        print("\n".join([*lines, f"results: {options.out}"]))

    on_root(comm, make)
    return DONE


def _settings(options: argparse.Namespace) -> Settings:
    from heterode.optics.colour import Illumination
    from heterode.optics.oscillators import Drude
    from heterode.reporting.dielectric import BANDS, Settings

    of_bands = {name: getattr(options, name) for name in _OF_BANDS}
    given = {name: value for name, value in of_bands.items() if value is not None}
    if given and not any(table.suffix.lower() in BANDS for table in options.tables):
        raise InputError(
            f"--{next(iter(given))}: is for tables of band energies ({', '.join(BANDS)}), and "
            "there is none among the tables. Leave it out"
        )
    drude = None
    if options.drude is not None:
        if not min(options.drude) > 0.0:
            raise InputError("--drude: plasma energy and damping must be above 0")
        drude = Drude(*options.drude)
    elif options.drude_in_table:
        raise InputError("--drude-in-table says where the free electrons are: pass --drude as well")
    return Settings(
        rule=options.rule,
        tail=not options.no_tail,
        drude=drude,
        drude_in_table=options.drude_in_table,
        illumination=Illumination.build(options.lamp, options.camera, options.medium),
        volume_A3=options.volume,
        valence_electrons=options.electrons,
        **{_OF_BANDS[name]: value for name, value in given.items()},
    )
