"""Volume terms assembled at known places are those that DOLFINx assembles from the same forms."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI

from helpers.cells import cell
from helpers.commands import command, environment
from helpers.linearisation import MIDDLE, SPREAD
from helpers.paths import ROOT
from heterode.materials.electrolytes import MODELS
from heterode.physics.balances import CELL
from heterode.solver.discretisation import cell_loops
from heterode.solver.discretisation.cell_loops import BilinearForm, LinearForm
from heterode.solver.discretisation.compilation import compiled
from heterode.solver.equations.forms import CellContext, weak_forms
from heterode.solver.equations.volume import VolumeTerms, WeakForms
from heterode.solver.model import CellModel

SAME = 1e-13
DISCS, SPHERES = "five_discs_2d", "spheres_3d"

NUMBERS = (
    'electrolyte.diffusivity="3e-10 m^2/s"',
    'electrolyte.conductivity="1 S/m"',
    "electrolyte.transference_number=0.4",
    "electrolyte.thermodynamic_factor=1.5",
)
IN_PARTICLES = (
    "active_material.diffusivity=oregan_nmc811",
    "active_material.electronic_conduction_in_particles=true",
    "active_material.electronic_conductivity=amin_nmc",
)


def electrolyte(name: str, folder: Path) -> tuple[str, ...]:
    """Return the settings of an electrolyte: a named one, numbers, or formulas and a table."""
    table = folder / "kappa.csv"
    table.write_text("concentration_mol_m3,conductivity_S_m\n100,0.3\n1000,0.95\n2000,0.8\n")
    functions = (
        "electrolyte.diffusivity=2e-10 * exp(-c / 2000) * exp(2000 * (1/298.15 - 1/T))",
        f'electrolyte.conductivity={{ table = "{table}" }}',
        "electrolyte.transference_number=0.3 + 0.1 * c / 1000",
        "electrolyte.thermodynamic_factor=nyman",
    )
    given = {"constant": NUMBERS, "functions": functions}
    return f"electrolyte.model={name}", *given.get(name, ())


def forms_of(model: CellModel) -> WeakForms:
    inner = model.system.volume._inner
    return weak_forms(CELL, CellContext(model.mesh, model.material, model._spaces, inner))


def at_random(model: CellModel, seed: int = 1) -> None:
    """Give the fields the values of a random state, also on their restrictions."""
    rng, vector = np.random.default_rng(seed), np.empty(model.layout.owned)
    for name, part in model.layout.slices.items():
        vector[part] = MIDDLE[name] + SPREAD[name] * rng.uniform(-1, 1, part.stop - part.start)
    model.layout.spread(vector)
    if model.system.volume._inner is not None:
        model.system.volume._inner.take()


def assembled(model: CellModel, volume: VolumeTerms) -> dict[str, np.ndarray]:
    """Return the residuals and the blocks of the Jacobian at the present state, by name."""
    spaces = {name: f.function_space for name, f in model.layout.functions.items()}
    sums = {name: fem.Function(space) for name, space in spaces.items()}
    volume.add_nonlinear(sums)
    volume.linearise()
    found = {name: function.x.array.copy() for name, function in sums.items()}
    return found | {
        f"{row}, {column}": np.array(volume._derivatives[row, column].values((row, column)))
        for row, column in volume._derivatives
    }


def differences(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the largest differences, as parts of the largest values."""
    assert one.keys() == other.keys()
    return {
        name: float(
            np.abs(values - other[name]).max(initial=0) / np.abs(values).max(initial=1e-300)
        )
        for name, values in one.items()
    }


def compared(mesh_name: str, changes: Sequence[str], patch: pytest.MonkeyPatch) -> dict[str, float]:
    """Return the differences between the loops and DOLFINx at a random state of a cell."""
    model = cell(mesh_name, changes)
    at_random(model)
    volume = model.system.volume
    assert all(group._residual._loop and group._derivative._loop for group in volume._nonlinear)
    with_loops = assembled(model, volume)
    patch.setattr(cell_loops, "_is_plain", lambda form, binary: False)
    plain = VolumeTerms(model.layout, forms_of(model), volume._inner)
    assert not any(group._residual._loop or group._derivative._loop for group in plain._nonlinear)
    found = differences(with_loops, assembled(model, plain))
    at_random(model, seed=2)
    moved = differences(with_loops, assembled(model, plain))
    # The comparison can fail.
    assert all(moved[name] > 1e-3 for name in ("y", "phi_l"))
    return found


@pytest.mark.parametrize(
    ("mesh_name", "degree"), [(DISCS, 1), (DISCS, 2), (SPHERES, 1)], ids=["2D", "2D P2", "3D"]
)
@pytest.mark.parametrize("name", MODELS)
def test_every_electrolyte_is_that_of_its_forms(
    name: str, mesh_name: str, degree: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = (*electrolyte(name, tmp_path), f"solver.degree={degree}")
    found = compared(mesh_name, changes, monkeypatch)
    assert max(found.values()) < SAME, found


@pytest.mark.parametrize(("mesh_name", "degree"), [(DISCS, 2), (SPHERES, 1)])
def test_properties_of_particles_are_those_of_their_forms(
    mesh_name: str, degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Diffusivity and conductivity follow the lithium fraction, on the particles' own space."""
    found = compared(mesh_name, (*IN_PARTICLES, f"solver.degree={degree}"), monkeypatch)
    assert {"s, s", "phi_p, s", "phi_p, phi_p"} < found.keys()
    assert max(found.values()) < SAME, found


@pytest.mark.parametrize(
    ("mesh_name", "changes"),
    [
        (DISCS, ("electrolyte.model=landesfeind", *IN_PARTICLES)),
        (SPHERES, ("electrolyte.model=nyman", "solver.degree=2")),
    ],
    ids=["2D", "3D P2"],
)
def test_fields_together_are_those_of_each_form_by_itself(
    mesh_name: str, changes: tuple[str, ...]
) -> None:
    """One form of all fields of a space has the residuals and blocks of the separate forms."""
    model = cell(mesh_name, changes)
    at_random(model)
    together = assembled(model, model.system.volume)
    forms = forms_of(model)
    for name, form in forms.nonlinear.items():
        if name in model.layout.fields and name != "phi_s":
            alone = fem.assemble_vector(compiled(form)).array
            assert differences({name: alone}, {name: together[name]})[name] < SAME
    for block, form in forms.derivatives.items():
        matrix = fem.assemble_matrix(compiled(form))
        matrix.scatter_reverse()
        name = ", ".join(block)
        alone = matrix.to_scipy().data
        assert differences({name: alone}, {name: together[name]})[name] < SAME
        # Blocks are told apart.
        others = [b for b in together if "," in b and together[b].size == alone.size and b != name]
        assert all(np.abs(alone - together[other]).max() > 0 for other in others)


# -- forms that the loops compute, and forms that they leave to DOLFINx ------------------------

SQUARE = mesh.create_unit_square(MPI.COMM_SELF, 4, 4)
P1 = fem.functionspace(SQUARE, ("Lagrange", 1))
VECTORS = fem.functionspace(SQUARE, ("Lagrange", 1, (2,)))
EDGES = fem.functionspace(SQUARE, ("N1curl", 1))


def function(space: fem.FunctionSpace) -> fem.Function:
    found = fem.Function(space)
    found.x.array[:] = np.random.default_rng(3).uniform(1, 2, found.x.array.size)
    return found


def coarse_and_fine(u: Any, v: Any) -> Any:
    coarse, fine = (ufl.dx(SQUARE, metadata={"quadrature_degree": d}) for d in (1, 5))
    return u * v * coarse + function(P1) ** 3 * u * v * fine


def numbers(u: Any, v: Any) -> Any:
    first = fem.Constant(SQUARE, np.float64(2.0))
    second = fem.Constant(SQUARE, np.array([3.0, 4.0]))
    return first * ufl.inner(ufl.grad(u), second) * v * ufl.dx


def half() -> Any:
    cells = np.arange(10, dtype=np.int32)
    tags = mesh.meshtags(SQUARE, 2, cells, np.ones(10, dtype=np.int32))
    return ufl.Measure("dx", SQUARE, subdomain_data=tags)(1)


FORMS: dict[str, tuple[bool, fem.FunctionSpace, Callable[[Any, Any], Any]]] = {
    "product": (True, P1, lambda u, v: function(P1) * u * v * ufl.dx),
    "two rules": (True, P1, coarse_and_fine),
    "numbers": (True, P1, numbers),
    "vectors": (True, VECTORS, lambda u, v: ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx),
    "boundary": (False, P1, lambda u, v: u * v * ufl.dx + u * v * ufl.ds),
    "part": (False, P1, lambda u, v: u * v * half()),
    "flow": (False, P1, lambda u, v: ufl.dot(function(VECTORS), ufl.grad(u)) * v * ufl.dx),
    "edges": (False, EDGES, lambda u, v: ufl.inner(u, v) * ufl.dx),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_the_loops_do_not_compute_dolfinx_does(name: str) -> None:
    by_loop, space, make = FORMS[name]
    v = ufl.TestFunction(space)
    bilinear = BilinearForm(make(ufl.TrialFunction(space), v))
    linear = LinearForm(make(function(space), v))
    assert (bilinear._loop is not None) == by_loop
    # The function in the linear form is one of the vectors.
    assert (linear._loop is not None) == (by_loop and space is not VECTORS)
    bilinear.assemble()
    bilinear.assemble()
    expected = fem.assemble_matrix(bilinear._binary).data
    assert np.abs(bilinear.matrix.data - expected).max() < SAME * np.abs(expected).max()
    whole = fem.assemble_vector(linear._binary).array
    found = np.ones_like(whole)
    linear.add_to(found)
    assert np.abs(found - 1 - whole).max() < 1e-12 * max(np.abs(whole).max(), 1)


def test_numbers_and_functions_are_read_at_every_assembly() -> None:
    number, factor = fem.Constant(SQUARE, np.float64(2.0)), function(P1)
    linear = LinearForm(number * factor * ufl.TestFunction(P1) * ufl.dx)
    before, after = np.zeros((2, factor.x.array.size))
    linear.add_to(before)
    number.value = 6.0
    factor.x.array[:] *= 5.0
    linear.add_to(after)
    np.testing.assert_allclose(after, 15 * before, rtol=1e-13)


def test_a_matrix_without_the_places_is_refused() -> None:
    bilinear = BilinearForm(ufl.TrialFunction(P1) * ufl.TestFunction(P1) * ufl.dx)
    cells = fem.functionspace(SQUARE, ("DG", 0))
    mass = ufl.TrialFunction(cells) * ufl.TestFunction(cells) * ufl.dx
    bilinear.matrix = fem.create_matrix(compiled(mass))
    with pytest.raises(RuntimeError, match="lacks"):
        bilinear._find_slots(bilinear._loop)


def test_a_wrong_place_is_seen() -> None:
    bilinear = BilinearForm(function(P1) * ufl.TrialFunction(P1) * ufl.TestFunction(P1) * ufl.dx)
    bilinear.assemble()
    before = bilinear.matrix.data.copy()
    bilinear._slots[5, 0, [0, 1]] = bilinear._slots[5, 0, [1, 0]]
    bilinear.assemble()
    assert np.count_nonzero(np.abs(bilinear.matrix.data - before) > 1e-9) == 2


# -- ranks ------------------------------------------------------------------------------------

PROGRAM = """
import json
import numpy as np
import ufl
from dolfinx import fem, mesh
from mpi4py import MPI
from heterode.solver.discretisation.cell_loops import BilinearForm, LinearForm

comm = MPI.COMM_WORLD
square = mesh.create_unit_square(comm, 7, 6)
space = fem.functionspace(square, ("Lagrange", 2, (2,)))
scalar = fem.functionspace(square, ("Lagrange", 2))
factor = fem.Function(scalar)
factor.interpolate(lambda x: 1 + x[0] + x[1] ** 2)
u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
bilinear = BilinearForm(factor * (u[0] * v[1] + ufl.inner(ufl.grad(u), ufl.grad(v))) * ufl.dx)
bilinear.assemble()
expected = fem.assemble_matrix(bilinear._binary)
local = expected.data.copy()
expected.scatter_reverse()
difference = lambda values: float(np.abs(bilinear.matrix.data - values).max())
linear = LinearForm(factor * v[1] * ufl.dx)
vector = fem.assemble_vector(linear._binary).array.copy()
found = np.zeros_like(vector)
linear.add_to(found)
every = comm.gather(
    (bilinear._loop is not None, difference(expected.data), difference(local),
     float(np.abs(found - vector).max()))
)
if comm.rank == 0:
    print(json.dumps(every))
"""


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 3])
def test_rows_of_other_ranks_go_to_them(ranks: int) -> None:
    words = command(ranks, [])
    words[words.index("-m") :] = ["-c", PROGRAM]
    done = subprocess.run(
        words, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    every = json.loads(done.stdout.splitlines()[-1])
    assert len(every) == ranks
    assert all(loops for loops, *_ in every)
    assert max(max(matrix, vector) for _, matrix, _, vector in every) < SAME
    # Without the exchange rows would lack something.
    assert max(unsent for _, _, unsent, _ in every) > 0.01
