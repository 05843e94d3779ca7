"""The Jacobian of the whole cell, its columns dR/dV and dR/dI and its row dh/du, against central
differences of the residual; with a derivative's sign flipped the comparison must fail.
"""

import numpy as np
import pytest

from helpers.linearisation import FlippedDerivative, mismatches
from helpers.manufactured import TWO_BLOCKS, bend, cell, replace_law
from helpers.mapped_grid import mapped_grid
from heterode.solver.model import CellModel

COLLECTORS = ("equipotential", "uniform_flux")
METALS = ("butler_volmer", "ideal")
TOLERANCE = 1e-7


def small_cell(collector: str = "equipotential", metal: str = "butler_volmer") -> CellModel:
    grid = mapped_grid(TWO_BLOCKS, per_um=1, order=2, bend=bend)
    return cell(grid, f"collector.connection={collector}", f"lithium_metal.kinetics={metal}")


@pytest.mark.parametrize("metal", METALS)
@pytest.mark.parametrize("collector", COLLECTORS)
def test_every_block_agrees_with_differences_of_the_residual(collector: str, metal: str) -> None:
    found = mismatches(small_cell(collector, metal), np.random.default_rng(1))
    wrong = {block: error for block, error in found.items() if error > TOLERANCE}
    assert not wrong, wrong
    # What is compared is there: all fields meet at the interface, and V drives its current.
    assert len(found) == 5 * 6


@pytest.mark.parametrize(
    ("surface", "column", "rows"),
    [
        ("interface", "s", {"y", "phi_l", "phi_s"}),
        ("interface", "y", {"s", "phi_s"}),
        ("interface", "phi_l", {"s", "phi_s"}),
        ("interface", "phi_s", {"s", "y", "phi_l"}),
        ("interface", "V", {"s", "y", "phi_l", "phi_s"}),
        ("lithium", "y", {"y", "phi_l"}),
        ("lithium", "phi_l", {"y", "phi_l"}),
        ("collector", "phi_s", {"phi_s", "h"}),
    ],
)
def test_a_flipped_derivative_is_seen(surface: str, column: str, rows: set[str]) -> None:
    model = small_cell()
    law = model.system.surfaces[surface].law
    replace_law(model, surface, FlippedDerivative(law, column))
    found = mismatches(model, np.random.default_rng(1))
    wrong = {row for (row, of), error in found.items() if of == column and error > TOLERANCE}
    assert wrong >= rows, found
    assert all(error < TOLERANCE for (_, of), error in found.items() if of != column)


def test_a_flipped_current_column_is_seen() -> None:
    model = small_cell("uniform_flux")
    law = model.system.surfaces["collector"].law
    replace_law(model, "collector", FlippedDerivative(law, "I"))
    found = mismatches(model, np.random.default_rng(1))
    assert {block for block, error in found.items() if error > TOLERANCE} == {("phi_s", "I")}


def test_a_flipped_volume_block_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_cell()
    volume = model.system.volume
    block_values = volume.block_values

    def flipped(block: tuple[str, str], leading: float) -> np.ndarray:
        values = block_values(block, leading)
        return -values if block == ("y", "phi_l") else values

    monkeypatch.setattr(volume, "block_values", flipped)
    found = mismatches(model, np.random.default_rng(1))
    assert {block for block, error in found.items() if error > TOLERANCE} == {("y", "phi_l")}
