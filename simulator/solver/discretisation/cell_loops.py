"""Assembles a form by calling its compiled function at known places of a vector or a matrix.

DOLFINx finds the place of each number by a search in its row, which takes three times as long as
computing the electrolyte's numbers. The loops here (cell_loops.c) call the same compiled function
of the form, but with places that were found once. They serve forms that are one integral over all
cells, of scalar functions that need no transformation from the reference cell; DOLFINx assembles
all others. In both cases the form defines what is computed. For the 134,998 cells of the
electrolyte in params/cube_200.toml, where salt and charge are one form, a cell takes in ns

                                       DOLFINx    here
    residual of both fields                150     130
    their four derivatives, one form      1275     330    (as four forms: 2500)
    of which the form's own function       250     250

Why C and not numba: a loop in numba calls the same function, gives the same bits and takes the same
time (379 ns beside 356 to 401). But numba and its compiler take 106 MB of every rank's memory and
half a second of every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dolfinx import fem, la
from mpi4py import MPI

from heterode.solver.discretisation.compat import cell_nodes
from heterode.solver.discretisation.compilation import compiled, compiled_library

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]

_SOURCE = Path(__file__).with_suffix(".c")
"""The loops; their interface is in the header beside it."""

_ARGUMENTS = 6
"""Number of arguments of a compiled form's function; later versions of FFCx have one more."""


def loops(comm: MPI.Comm) -> Any:
    """Return the loops, in `lib`, and CFFI's interface to them, `ffi`. Collective."""
    return compiled_library(comm, _SOURCE)


class _CellLoop:
    """The compiled function of a form, and the arrays that it reads. Construction is collective.

    Args:
        form: a form that `_is_plain`.
        binary: the compiled form.
    """

    def __init__(self, form: Any, binary: fem.Form) -> None:
        space = form.arguments()[0].ufl_function_space()
        mesh = space.mesh
        library = loops(mesh.comm)
        self.ffi, self.lib = library.ffi, library.lib
        self._form, self._binary = form, binary
        self.cells = int(mesh.topology.index_map(mesh.topology.dim).size_local)
        self.dofs: Indices = np.ascontiguousarray(space.dofmap.list[: self.cells], dtype=np.int32)
        self._arrays: list[Any] = []
        integral = self.ffi.new("cell_integral *")
        function = binary.ufcx_form.form_integrals[0].tabulate_tensor_float64
        forms_ffi = binary.module.ffi
        integral.function = int(forms_ffi.cast("uintptr_t", function))
        integral.with_data = len(forms_ffi.typeof(function).args) > _ARGUMENTS
        integral.cells, integral.dofs = self.cells, self.dofs.shape[1]
        integral.fields = space.dofmap.index_map_bs
        nodes = cell_nodes(mesh)
        integral.nodes = nodes.shape[1]
        integral.node_of = self.pointer("int32_t", nodes)
        integral.points = self.pointer("double", mesh.geometry.x)
        self._take_coefficients(integral)
        self.integral = integral

    def _take_coefficients(self, integral: Any) -> None:
        ufcx, given = self._binary.ufcx_form, self._form.coefficients()
        used = [given[ufcx.original_coefficient_positions[k]] for k in range(ufcx.num_coefficients)]
        dofs = [np.asarray(u.function_space.dofmap.list, dtype=np.int32) for u in used]
        values = self.ffi.new("const double *[]", [self.pointer("double", u.x.array) for u in used])
        dof_of = self.ffi.new("const int32_t *[]", [self.pointer("int32_t", d) for d in dofs])
        sizes = self.ffi.new("int32_t[]", [d.shape[1] for d in dofs])
        self._arrays += [used, values, dof_of, sizes]
        integral.coefficients = len(used)
        integral.values, integral.dof_of, integral.sizes = values, dof_of, sizes

    def pointer(self, kind: str, array: npt.NDArray[Any]) -> Any:
        """Return a pointer to an array's numbers, which are kept as long as this object."""
        whole = np.ascontiguousarray(array)
        self._arrays.append(whole)
        return self.ffi.cast(f"{kind} *", whole.ctypes.data)

    def run(self, function: Any, places: Indices, into: Floats) -> None:
        """Add the integrals to an array.

        Args:
            function: `add_vector` or `add_matrix` of the library.
            places: where the numbers of each cell go.
            into: the array, which is changed in place.
        """
        values = [np.ravel(constant.value) for constant in self._form.constants()]
        constants = np.concatenate([np.empty(0), *values])
        ffi = self.ffi
        self.integral.constants = ffi.cast("double *", constants.ctypes.data)
        if not function(
            self.integral,
            ffi.cast("int32_t *", places.ctypes.data),
            ffi.cast("double *", into.ctypes.data),
        ):
            raise MemoryError("no memory for one cell's element matrix")


def _is_plain(form: Any, binary: fem.Form) -> bool:
    """Return whether a form is one integral over all cells that the loops can compute."""
    everywhere = all(
        integral.integral_type() == "cell" and integral.subdomain_id() == "everywhere"
        for integral in form.integrals()
    )
    offsets = binary.ufcx_form.form_integral_offsets
    if not everywhere or offsets[1] - offsets[0] != 1 or binary.dtype != np.float64:
        return False
    spaces = [argument.ufl_function_space() for argument in form.arguments()]
    scalars = [coefficient.function_space for coefficient in form.coefficients()]
    return (
        all(space == spaces[0] for space in spaces)
        and all(space.mesh is spaces[0].mesh for space in scalars)
        and all(space.dofmap.index_map_bs == 1 for space in scalars)
        and all(_is_nodal(space) for space in (*spaces, *scalars))
    )


def _is_nodal(space: fem.FunctionSpace) -> bool:
    """Return whether a space has the reference cell's functions, for each component by itself."""
    dofmap = space.dofmap
    return dofmap.bs == dofmap.index_map_bs and not space.element.needs_dof_transformations


def _loop(form: Any, binary: fem.Form) -> _CellLoop | None:
    """Return the loop of a form, or None if DOLFINx assembles it. Collective."""
    return _CellLoop(form, binary) if _is_plain(form, binary) else None


class LinearForm:
    """A compiled form with one argument. Construction is collective.

    Args:
        form: UFL form.
    """

    def __init__(self, form: Any) -> None:
        self._binary = compiled(form)
        self._loop = _loop(form, self._binary)

    def add_to(self, vector: Floats) -> None:
        """Add the form's values for this rank's cells to a vector of local values.

        Args:
            vector: (nodes x fields,) values, ghosts included.
        """
        if self._loop is None:
            fem.assemble_vector(vector, self._binary)
        else:
            self._loop.run(self._loop.lib.add_vector, self._loop.dofs, vector)


class BilinearForm:
    """A compiled form with two arguments, and its matrix. Construction is collective.

    Args:
        form: UFL form.

    Attributes:
        matrix: the matrix of the last `assemble`; fields of one space are its blocks.
    """

    def __init__(self, form: Any) -> None:
        self._binary = compiled(form)
        self.matrix: la.MatrixCSR = fem.create_matrix(self._binary)
        self._loop = _loop(form, self._binary)
        if self._loop is not None:
            self._slots = self._find_slots(self._loop)

    def _find_slots(self, loop: _CellLoop) -> Indices:
        """Return (cells, dofs, dofs) the place of each cell's entries in the matrix's values."""
        n, matrix = loop.dofs.shape[1], self.matrix
        slots = np.empty((loop.cells, n, n), dtype=np.int32)
        firsts = np.ascontiguousarray(matrix.indptr, dtype=np.int64)
        columns = np.ascontiguousarray(matrix.indices, dtype=np.int32)
        arrays = ((loop.dofs, "int32_t"), (firsts, "int64_t"), (columns, "int32_t"))
        pointers = [loop.ffi.cast(f"{kind} *", array.ctypes.data) for array, kind in arrays]
        into = loop.ffi.cast("int32_t *", slots.ctypes.data)
        missing = loop.lib.find_slots(loop.cells, n, *pointers, into)
        if missing:
            raise RuntimeError(f"the matrix of a form lacks {missing} of its entries")
        return slots

    def assemble(self) -> None:
        """Compute the matrix at the present values of the form's functions. Collective."""
        self.matrix.set_value(0.0)
        if self._loop is None:
            fem.assemble_matrix(self.matrix, self._binary)
        else:
            self._loop.run(self._loop.lib.add_matrix, self._slots, self.matrix.data)
        self.matrix.scatter_reverse()
