"""Registered laws of the exchange current: with numbers, chosen by overrides, and their check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from helpers.differences import excess, steps
from heterode.base.dual_numbers import Dual, derivatives
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, ExchangeCurrent
from heterode.materials.tabulated import TabulatedFunction

POINTS = ((0.25, 0.4, 0.5, 0.7, 0.95), (3.0, 2.5, 2.5, 0.4, 0.02))
Floats = npt.NDArray[np.float64]
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


def states(seed: int = 1) -> dict[str, Floats]:
    """Fractions and salt within what a run meets, at the very ends, and beyond them.

    Beyond by no more than three widths of `smooth_power`: further out its value is made of
    roundings alone, with which differences tell nothing.
    """
    rng = np.random.default_rng(seed)
    near = 10 ** rng.uniform(-11, -2, 200)
    beyond = 10 ** rng.uniform(-11, -8.5, 100)
    ends = np.array([0.0, 1.0])
    s = np.concatenate([rng.uniform(0.01, 0.99, 1000), near, 1 - near, -beyond, 1 + beyond, ends])
    y = rng.permutation(
        np.concatenate(
            [rng.uniform(0.05, 3.0, 1100), 10 ** rng.uniform(-11, -1, 400), -beyond, ends]
        )
    )
    return {"s": s, "y": y}


def excesses(law: Callable[[Any, Any], Any], at: Mapping[str, Floats]) -> dict[str, float]:
    """Error over tolerance of d i0 / ds and d i0 / dy."""
    found = derivatives(law, at)
    shape, size = at["s"].shape, np.abs(law(**at))
    return {
        name: excess(
            law,
            at,
            name,
            np.broadcast_to(found.get(name, 0.0), shape),
            step=steps(name, at[name]),
            size=size,
        )
        for name in at
    }


def assert_law_is_sound(law: Callable[[Any, Any], Any]) -> None:
    """All that Newton's method and the regime numbers take for granted about a law."""
    at = states()
    before = {name: values.copy() for name, values in at.items()}
    i0 = law(**at)
    assert all(np.array_equal(at[name], before[name]) for name in at), "it changes what it is given"
    assert np.shape(i0) == at["s"].shape
    assert np.all(np.isfinite(i0)), (
        f"not finite at {[v[~np.isfinite(i0)][:3] for v in at.values()]}"
    )
    inside = (at["s"] > 0) & (at["s"] < 1) & (at["y"] > 0)
    assert np.all(i0[inside] > 0), "not positive between empty and full"
    # Newton's iterates stray farther: there all must stay finite.
    astray = {
        "s": np.array([-0.3, 1.4, 0.5, -9.0, 9.0]),
        "y": np.array([1.0, 1.0, -0.5, -9.0, 9.0]),
    }
    assert np.all(np.isfinite(law(**astray)))
    for where in (at, astray):
        for name, slope in derivatives(law, where).items():
            assert np.all(np.isfinite(slope)), f"d i0 / d{name} is not finite"
    assert max(excesses(law, at).values()) < 1.0
    dual = law(**{name: Dual(values, {name: 1.0}) for name, values in at.items()})
    np.testing.assert_allclose(dual.value, i0, rtol=1e-14)
