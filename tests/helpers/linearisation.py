"""The Jacobian and its border against central differences of the residual, block by block.

For a direction d in one field, or in the scalar V or I,

    (R(u + e d) - R(u - e d)) / (2 e)   against   A d, R_V, R_I;   likewise h against its row.

Each (row, column) block is compared on its own, so that a small block cannot hide behind a large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heterode.physics.balances import CELL
from heterode.physics.kinetics import Flux
from heterode.solver.model import CellModel

Floats = npt.NDArray[np.float64]
Block = tuple[str, str]

MIDDLE = {"s": 0.6, "y": 1.0, "phi_l": 0.0, "phi_s": 0.0}
SPREAD = {"s": 0.05, "y": 0.1, "phi_l": 0.01, "phi_s": 0.01}
V, I, ALPHA = 3.9, 1e-5, 0.02
SCALARS = {"V": 0.01, "I": 1e-5}
STEP = 3e-4


def mismatches(model: CellModel, rng: np.random.Generator) -> dict[Block, float]:
    """Relative difference of each block at a random state in random directions (one rank).

    Rows are the fields and "h"; columns the fields, "V" and "I".
    """
    vector = np.empty(model.layout.owned)
    for name, part in model.layout.slices.items():
        vector[part] = MIDDLE[name] + SPREAD[name] * rng.uniform(-1, 1, part.stop - part.start)
    columns = {name: _direction(model, name, rng) for name in (*CELL.fields, *SCALARS)}
    numeric = {name: _central_difference(model, vector, d) for name, d in columns.items()}
    analytic = _analytic(model, vector, columns)
    return {
        (row, name): _difference(part(analytic[name]), part(numeric[name]))
        for name in columns
        for row, part in _rows(model).items()
    }


@dataclass(frozen=True)
class _Direction:
    field: Floats
    V: float = 0.0
    I: float = 0.0


def _direction(model: CellModel, name: str, rng: np.random.Generator) -> _Direction:
    field = np.zeros(model.layout.owned)
    if name in SCALARS:
        return _Direction(field, **{name: SCALARS[name]})
    part = model.layout.slices[name]
    field[part] = SPREAD[name] * rng.uniform(-1, 1, part.stop - part.start)
    return _Direction(field)


def _rows(model: CellModel) -> dict[str, Any]:
    parts = {name: (lambda both, p=part: both[0][p]) for name, part in model.layout.slices.items()}
    return {**parts, "h": lambda both: np.array([both[1]])}


def _central_difference(model: CellModel, vector: Floats, d: _Direction) -> tuple[Floats, float]:
    sides = []
    for e in (STEP, -STEP):
        u = vector + e * d.field
        v = V + e * d.V
        sides.append(model.system.residual(u, ALPHA * u, v, I + e * d.I, ALPHA * v))
    plus, minus = sides
    return (
        (plus.vector - minus.vector) / (2 * STEP),
        (plus.constraint - minus.constraint) / (2 * STEP),
    )


def _analytic(
    model: CellModel, vector: Floats, columns: dict[str, _Direction]
) -> dict[str, tuple[Floats, float]]:
    fluxes = model.system.residual(vector, ALPHA * vector, V, I, ALPHA * V).fluxes
    border = model.system.border(fluxes, ALPHA)
    matrix = model.system.jacobian(fluxes, ALPHA).petsc
    zero = np.zeros_like(vector)
    found = {}
    for name, d in columns.items():
        x, product = matrix.createVecs()
        x.array[:] = d.field
        matrix.mult(x, product)
        R = np.array(product.array_r)
        R += d.V * border.columns.get("V", zero) + d.I * border.columns.get("I", zero)
        found[name] = (R, float(border.row @ d.field) + border.corner * d.I)
    return found


def _difference(found: Floats, expected: Floats) -> float:
    size = max(float(np.linalg.norm(found)), float(np.linalg.norm(expected)))
    return float(np.linalg.norm(found - expected)) / size if size > 0 else 0.0


@dataclass(frozen=True)
class FlippedDerivative:
    """A current density with the right value and the wrong sign of one derivative."""

    law: Any
    flipped: str

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(self.law.fields)

    def __call__(self, values: Any, V: float, I: float) -> Flux:
        flux = self.law(values, V, I)
        derivatives = {**flux.derivatives, self.flipped: -flux.derivatives[self.flipped]}
        return Flux(flux.value, lambda: derivatives, lambda: flux.largest_exponent)
