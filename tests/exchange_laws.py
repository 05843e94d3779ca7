"""Every registered law of the exchange current, with numbers, and the overrides that choose it."""

from __future__ import annotations

from pathlib import Path

from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, ExchangeCurrent
from heterode.materials.tabulated import TabulatedFunction

POINTS = ((0.25, 0.4, 0.5, 0.7, 0.95), (3.0, 2.5, 2.5, 0.4, 0.02))
TABLE = TabulatedFunction(*POINTS)
CSV = "stoichiometry,exchange_current_A_m2\n" + "".join(
    f"{x},{i}\n" for x, i in zip(*POINTS, strict=True)
)


def law_named(name: str, scale: float = 1.7, anodic: float = 0.4) -> ExchangeCurrent:
    """A registered law with numbers of its own."""
    formula = EXCHANGE_CURRENTS[name].formula
    return ExchangeCurrent(formula, scale, anodic, 1 - anodic, TABLE.value_and_slope)


def settings(name: str, folder: Path) -> tuple[str, ...]:
    """Overrides of quickstart.toml that choose a registered law; a table is written to `folder`."""
    table = folder / "i0.csv"
    table.write_text(CSV)
    own = {
        "rate_constant": (),
        "exchange_current_table": (f"active_material.exchange_current_table={table}",),
        "exchange_current_prefactor": ("active_material.exchange_current_prefactor=2 A/m^2",),
        None: (),
    }[EXCHANGE_CURRENTS[name].needs]
    return (f"active_material.exchange_current={name}", *own)
