"""Properties of the active material and the electrolyte that a file may give as functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heterode.materials.electrolytes import ELECTROLYTES
from heterode.materials.electronic_conduction import ELECTRONIC_CONDUCTIVITIES
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS
from heterode.materials.galleries import GALLERIES
from heterode.materials.solid_diffusion import DIFFUSIVITIES
from heterode.parameters.fields import Physical
from heterode.parameters.functions import MaterialFunction, Quantity

OPEN_CIRCUIT = Quantity(
    "material",
    Physical("V", at_least=-1, up_to=10),
    "potential_V",
    positive=False,
    names=GALLERIES,
)
ENTROPY = Quantity(
    "entropic coefficient",
    Physical("V/K", shown="mV/K", at_least=-10, up_to=10, example="-0.1 mV/K"),
    "entropic_coefficient_V_K",
    positive=False,
)
SOLID_DIFFUSIVITY = Quantity(
    "diffusivity",
    Physical("m^2/s", at_least=1e-22, up_to=1e-6, example="3e-15 m^2/s"),
    "diffusivity_m2_s",
    names=DIFFUSIVITIES,
)
SOLID_CONDUCTIVITY = Quantity(
    "conductivity",
    Physical("S/m", at_least=1e-9, up_to=1e8, example="1e-2 S/m"),
    "conductivity_S_m",
    names=ELECTRONIC_CONDUCTIVITIES,
)
EXCHANGE = Quantity(
    "exchange current",
    Physical("A/m^2", at_least=1e-9, up_to=1e6, example="2 A/m^2"),
    "exchange_current_A_m2",
    names=EXCHANGE_CURRENTS,
    salt=True,
)

SALT_DIFFUSIVITY = Quantity(
    "diffusivity",
    Physical("m^2/s", at_least=1e-22, up_to=1e-6, example="3e-10 m^2/s"),
    "diffusivity_m2_s",
    argument="c",
    names=ELECTROLYTES,
)
SALT_CONDUCTIVITY = Quantity(
    "conductivity",
    Physical("S/m", at_least=1e-9, up_to=1e8, example="1 S/m"),
    "conductivity_S_m",
    argument="c",
    names=ELECTROLYTES,
)
TRANSFERENCE = Quantity(
    "transference number",
    Physical(at_least=1e-6, up_to=1 - 1e-6, example="0.26"),
    "transference_number",
    argument="c",
    positive=False,
    names=ELECTROLYTES,
)
THERMODYNAMIC = Quantity(
    "thermodynamic factor",
    Physical(at_least=1e-3, up_to=1e3, example="2.0"),
    "thermodynamic_factor",
    argument="c",
    names=ELECTROLYTES,
)


def kept_function(kept: dict[str, Any]) -> MaterialFunction:
    """Return the table that a manifest keeps of [active_material] or [electrolyte]."""
    every = (OPEN_CIRCUIT, ENTROPY, SOLID_DIFFUSIVITY, SOLID_CONDUCTIVITY, EXCHANGE)
    salt = (SALT_DIFFUSIVITY, SALT_CONDUCTIVITY, TRANSFERENCE, THERMODYNAMIC)
    (quantity,) = (
        each for each in (*every, *salt) if each.column in kept and each.column_of_argument in kept
    )
    rows = tuple(zip(kept[quantity.column_of_argument], kept[quantity.column], strict=True))
    ends = rows[0][0], rows[-1][0]
    return MaterialFunction(
        quantity, *ends, kept.get("source", ""), file=Path(kept["file"]), rows=rows
    )
