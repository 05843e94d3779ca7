"""The constant and the state-dependent volume terms, and their values in the Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem

from heterode.solver.discretisation.cell_loops import BilinearForm, LinearForm
from heterode.solver.discretisation.constant_matrix import (
    ConstantMatrix,
    global_columns,
    owned_pattern,
)
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.restriction import ParticleRestriction

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Block = tuple[str, str]


@dataclass(frozen=True)
class WeakForms:
    """The cell's volume terms in UFL, by field.

    Attributes:
        storage: bilinear forms whose products with du/dt are residuals.
        lumped: parts of the storage whose matrices are lumped.
        constant: bilinear forms whose products with u are residuals.
        nonlinear: residuals that depend on the state.
        derivatives: derivatives of `nonlinear`, by (row, column).
        without_sources: whether no volume term except storage holds a test function itself, so that
            their integrals vanish for a constant one.
    """

    storage: dict[str, Any] = field(default_factory=dict)
    lumped: dict[str, Any] = field(default_factory=dict)
    constant: dict[str, Any] = field(default_factory=dict)
    nonlinear: dict[str, Any] = field(default_factory=dict)
    derivatives: dict[Block, Any] = field(default_factory=dict)
    without_sources: bool = True


class _Together:
    """Residuals of fields in one space and their derivatives, each assembled in one pass.

    Common parts of the fields' equations (coefficients, gradients, access to the cells' data) are
    then computed once. The residuals are the components of one form, whose vector is numbered by
    node, and the derivatives are the blocks of another, whose matrix has a small dense matrix for
    each pair of nodes.

    Args:
        forms: residuals of the fields.
        derivatives: derivatives of these residuals with respect to fields of the same space.
        space: the common space.
    """

    def __init__(
        self,
        forms: Mapping[str, Any],
        derivatives: Mapping[Block, Any],
        space: fem.FunctionSpace,
    ) -> None:
        self._names = list(forms)
        self._fields = list(dict.fromkeys([*forms, *(column for _, column in derivatives)]))
        self._residual = LinearForm(
            sum(
                ufl.replace(form, {form.arguments()[0]: test})
                for form, test in zip(
                    forms.values(),
                    _components(ufl.TestFunction(_together(space, len(forms)))),
                    strict=True,
                )
            )
        )
        index_map = space.dofmap.index_map
        self._vector = np.zeros(len(forms) * (index_map.size_local + index_map.num_ghosts))
        self.blocks = list(derivatives)
        if derivatives:
            self._derivative = BilinearForm(self._whole(derivatives, space))
            self.matrix = self._derivative.matrix

    def _whole(self, derivatives: Mapping[Block, Any], space: fem.FunctionSpace) -> Any:
        """Return the sum of the derivatives as one form of all fields."""
        together = _together(space, len(self._fields))
        tests, trials = (
            dict(zip(self._fields, _components(argument), strict=True))
            for argument in (ufl.TestFunction(together), ufl.TrialFunction(together))
        )
        whole = []
        for (row, column), form in derivatives.items():
            found = ufl.algorithms.expand_derivatives(form)
            test, trial = found.arguments()
            whole.append(ufl.replace(found, {test: tests[row], trial: trials[column]}))
        return sum(whole)

    def add_to(self, accumulators: Mapping[str, fem.Function]) -> None:
        """Add the residuals to local vectors, before ghost rows go to their owners."""
        self._vector[:] = 0.0
        self._residual.add_to(self._vector)
        for k, name in enumerate(self._names):
            accumulators[name].x.array[:] += self._vector[k :: len(self._names)]

    def linearise(self) -> None:
        """Compute the derivatives. Collective."""
        if self.blocks:
            self._derivative.assemble()

    def values(self, block: Block) -> Floats:
        """Return (entries,) the values of a block in its owned rows."""
        row, column = (self._fields.index(name) for name in block)
        count = len(self._fields)
        entries = owned_pattern(self.matrix)[1].size
        return np.asarray(self.matrix.data).reshape(-1, count, count)[:entries, row, column]


def _together(space: fem.FunctionSpace, count: int) -> fem.FunctionSpace:
    """Return the space of several fields of a space, which are numbered by node."""
    if count == 1:
        return space
    degree = space.element.basix_element.degree
    together = fem.functionspace(space.mesh, ("Lagrange", degree, (count,)))
    if not np.array_equal(together.dofmap.list, space.dofmap.list):
        raise RuntimeError("scalar and vector functions number the nodes differently")
    return together


def _components(function: Any) -> list[Any]:
    """Return the components of a vector function, or the function itself."""
    return [function[k] for k in range(len(function))] if function.ufl_shape else [function]


def _by_space(
    forms: Mapping[str, Any], functions: Mapping[str, fem.Function]
) -> list[tuple[dict[str, Any], fem.FunctionSpace]]:
    """Return the forms in each space."""
    groups: list[tuple[dict[str, Any], fem.FunctionSpace]] = []
    for name, form in forms.items():
        space = functions[name].function_space
        group = next((g for g, of in groups if of == space), None)
        if group is None:
            groups.append(({name: form}, space))
        else:
            group[name] = form
    return groups


class VolumeTerms:
    """Residual and Jacobian of the volume terms, whose forms are compiled once, here.

    Args:
        layout: positions of the fields.
        forms: the weak forms.
        inner: phi_s on the particles, if forms contain it.

    Attributes:
        without_sources: as in `WeakForms`.
    """

    def __init__(
        self, layout: FieldLayout, forms: WeakForms, inner: ParticleRestriction | None = None
    ) -> None:
        self._layout, self._inner = layout, inner
        self.without_sources = forms.without_sources
        functions = dict(layout.functions)
        if inner is not None:
            functions[inner.name] = inner.function
        self._storage = {f: ConstantMatrix(a) for f, a in forms.storage.items()}
        for name, form in forms.lumped.items():
            self._storage[name].add_lumped(form)
        self._constant = {f: ConstantMatrix(a) for f, a in forms.constant.items()}
        self._nonlinear = [
            _Together(
                group, {(r, c): a for (r, c), a in forms.derivatives.items() if r in group}, space
            )
            for group, space in _by_space(forms.nonlinear, functions)
        ]
        self._derivatives = {block: group for group in self._nonlinear for block in group.blocks}
        diagonal = dict.fromkeys([(f, f) for f in (*self._storage, *self._constant)])
        self.blocks: list[Block] = list(diagonal | dict.fromkeys(forms.derivatives))

    def entries(self, block: Block) -> tuple[Ints, Ints]:
        """Return (row, column) of a block's entries, as positions in the global vector."""
        row, column = block
        if block in self._derivatives:
            matrix = self._derivatives[block].matrix
        else:
            matrix = (self._storage.get(row) or self._constant[row]).matrix
        counts = np.diff(owned_pattern(matrix)[0])
        return np.repeat(self._owned_positions(row), counts), self._columns(column, matrix)

    def _owned_positions(self, name: str) -> Ints:
        if self._inner is not None and name == self._inner.name:
            return self._inner.owned_positions
        part = self._layout.slices[name]
        return self._layout.global_of[name][: part.stop - part.start]

    def _columns(self, name: str, matrix: Any) -> Ints:
        if self._inner is not None and name == self._inner.name:
            return self._inner.columns(matrix)
        return self._layout.positions(name, global_columns(matrix))

    def stored(self, name: str, vector: Floats) -> Floats:
        """Return (owned,) the storage matrix of field `name` times its part of an owned vector."""
        return self._storage[name].times(vector[self._layout.slices[name]])

    def add_nonlinear(self, accumulators: Mapping[str, fem.Function]) -> None:
        """Add state-dependent residuals to local vectors, before ghost rows go to their owners."""
        if self._inner is None:
            for group in self._nonlinear:
                group.add_to(accumulators)
            return
        self._inner.take()
        for group in self._nonlinear:
            group.add_to({**accumulators, self._inner.name: self._inner.accumulator})
        self._inner.give(accumulators[self._inner.field])

    def add_linear(self, residual: Floats, vector: Floats, rate: Floats) -> None:
        """Add the constant terms to an owned residual.

        Args:
            residual: (owned,) residual, which is changed in place.
            vector: (owned,) state.
            rate: (owned,) du/dt.
        """
        slices = self._layout.slices
        for name in self._storage:
            residual[slices[name]] += self.stored(name, rate)
        for name, matrix in self._constant.items():
            residual[slices[name]] += matrix.times(vector[slices[name]])

    def linearise(self) -> None:
        """Assemble the derivatives of the state-dependent terms at the current state."""
        for group in self._nonlinear:
            group.linearise()

    def block_values(self, block: Block, leading: float) -> Floats:
        """Return the values of a block of the Jacobian, in the order of `entries`.

        State-dependent terms have the values of the last `linearise`.

        Args:
            leading: d(du/dt)/du of the time scheme, s^-1.
        """
        row, column = block
        parts = []
        if row == column and row in self._storage:
            parts.append(leading * self._storage[row].data)
        if row == column and row in self._constant:
            parts.append(self._constant[row].data)
        if block in self._derivatives:
            parts.append(self._derivatives[block].values(block))
        total: Floats = sum(parts[1:], start=parts[0])
        return total
