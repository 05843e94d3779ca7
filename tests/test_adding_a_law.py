"""docs/developing/adding-a-law.md: its code does what it says, in the tests and in a cell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.cells import cell, parameters, run
from helpers.exchange_laws import assert_law_is_sound, law_named, settings
from heterode.base.dual_numbers import derivatives
from heterode.base.errors import InputError
from heterode.forecast.regimes import exchange_current
from heterode.homogenised.electrode import not_represented
from heterode.materials.exchange_currents import EXCHANGE_CURRENTS, ExchangeLaw, smooth_power
from heterode.validity.ranges import valid_ranges

PAGE = (Path(__file__).parents[1] / "docs" / "developing" / "adding-a-law.md").read_text("utf-8")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's code defines; the law is registered for one test."""
    monkeypatch.setitem(EXCHANGE_CURRENTS, "bell", EXCHANGE_CURRENTS["power_law"])  # put back after
    # Dataclasses look their module up by its name.
    names: dict[str, Any] = {"__name__": __name__}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "adding-a-law.md", "exec", dont_inherit=True), names)
    return names


def test_the_law_passes_the_test_of_all_laws(page: dict[str, Any]) -> None:
    assert EXCHANGE_CURRENTS["bell"].formula is page["bell"]
    assert_law_is_sound(law_named("bell"))


def test_the_law_runs_and_is_what_the_page_says(page: dict[str, Any], tmp_path: Path) -> None:
    own = (*settings("bell", tmp_path), "active_material.initial_lithium_fraction=0.8")
    expected = 2.0 * np.exp(-((0.2 / 0.25) ** 2))
    assert exchange_current(parameters(own), 0.8) == pytest.approx(expected, rel=1e-12)
    model = cell("single_disc_2d", (*own, 'protocol.steps=["charge at 1C for 1 min"]'))
    samples, _ = run(model)
    assert samples[-1].lithium_fraction_mean < 0.8
    other = cell("single_disc_2d", ('protocol.steps=["charge at 1C for 1 min"]', own[-1]))
    assert abs(run(other)[0][-1].voltage_V - samples[-1].voltage_V) > 1e-4


def test_the_parameter_file_follows_the_row(page: dict[str, Any]) -> None:
    law = "active_material.exchange_current=bell"
    with pytest.raises(
        InputError, match=r"exchange_current_prefactor is missing.*\"bell\" needs it"
    ):
        parameters((law,))
    prefactor = "active_material.exchange_current_prefactor=2 A/m^2"
    with pytest.raises(InputError, match="rate_constant"):
        parameters((law, prefactor, "active_material.rate_constant=1e-10 m/s"))
    found = {r.code: r for r in valid_ranges(parameters((law, prefactor)))}
    assert (found["exchange_current_function"].low, found["exchange_current_function"].high) == (
        0.25,
        0.95,
    )
    assert "exchange_current_function" not in {r.code for r in valid_ranges(parameters())}


def test_without_the_row_the_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"bell.*power_law, table, autocatalytic"):
        parameters(("active_material.exchange_current=bell",))


def test_the_other_examples(page: dict[str, Any]) -> None:
    z = np.array([-0.4, 0.0, 0.5])
    slope = derivatives(lambda z: page["softened"](z, 0.1), {"z": z})["z"]
    numeric = (page["softened"](z + 1e-6, 0.1) - page["softened"](z - 1e-6, 0.1)) / 2e-6
    np.testing.assert_allclose(slope, numeric, rtol=1e-7)
    flux = page["LinearMetal"](0.5)({"y": np.full(2, 1.5), "phi_l": np.full(2, 0.1)}, 3.9, 0.0)
    np.testing.assert_allclose(flux.value, [0.3, 0.3])
    np.testing.assert_allclose(flux.derivatives["y"], [0.2, 0.2])
    np.testing.assert_allclose(flux.derivatives["phi_l"], [3.0, 3.0])


def test_a_homogenised_counterpart_says_what_it_assumes_of_the_salt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """twin.py takes exchange currents as powers of the salt, which a law need not be."""

    def saturating(s: Any, y: Any, numbers: Any) -> Any:
        return numbers.scale * smooth_power(1 - s, 0.5) * smooth_power(y, 0.5) / (1 + y)

    law = ExchangeLaw(saturating, needs="rate_constant")
    monkeypatch.setitem(EXCHANGE_CURRENTS, "saturating", law)
    lines = not_represented(parameters(("active_material.exchange_current=saturating",)))
    assert any("exchange current saturating depends on the salt" in line for line in lines)
    assert not any("salt" in line for line in not_represented(parameters()))
