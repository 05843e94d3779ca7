r"""Manufactured solutions of the whole cell: every field, every interface, on curved submeshes.

Strong form, with du/dt = alpha u for the exact fields s, y, phi_l, phi_s (functions of position)
and loads f, g that make them exact:

    F c_max alpha s + div J_s   = f_s      J_s = -F c_max D_s(s) grad s              particles
    F eps c_0 alpha y + div J_y = f_y      J_y = -F c_0 D_l grad y + t+ i_l          electrolyte
    div i_l                     = f_phi_l  i_l = -kappa grad phi_l
                                               + kappa (2RT/F)(1 - t+) TDF grad ln y electrolyte
    div i_s                     = f_phi_s  i_s = -sigma grad phi_s                   carbon

    on a particle        J_s.n = i,     J_y.n = -i,    i_l.n = -i,    i_s.n = i      each plus g
    on the lithium metal                J_y.n = i_Li,  i_l.n = i_Li                  each plus g
    on the collector                                                  i_s.n = phi_s / R  plus g

Weak form of a row with storage S, flux J and the law's (J.n): for all v of its submesh,

    integral of S v - J . grad v dx + integral of (J.n)_law v ds = l(v).

l is this left-hand side at the exact fields: what f and g, integrated by parts, amount to. It is
written here a second time, in UFL on each submesh alone with its own outer facets, at a high
quadrature degree; nothing of simulator/physics or of the simulator's facet machinery is used.
The simulator solves the salt row less t_ref times the charge row, and so does l.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem
from dolfinx import mesh as dmesh
from mpi4py import MPI
from ufl import cos, dx, exp, grad, inner, sin

from helpers.mapped_grid import Blocks, MappedGrid
from helpers.paths import PARAMS
from heterode.base.constants import FARADAY, GAS_CONSTANT
from heterode.geometry import tags
from heterode.geometry.mesh_data import thickness_axis
from heterode.materials import diffusivity_of_fraction
from heterode.parameters import Parameters, load_parameters
from heterode.parameters.operation import Preset
from heterode.physics.balances import CELL
from heterode.solver.algebra.bordered import BorderedSolver
from heterode.solver.discretisation.electrode_mesh import Submesh, distribute, facet_vertices
from heterode.solver.model import CellModel
from heterode.solver.time.bdf import Rates
from heterode.solver.time.newton import Converged, Newton
from heterode.solver.time.terminal import TerminalControl

Floats = npt.NDArray[np.float64]
PRESET = PARAMS / "nmc532.toml"
MICROMETRE = 1e-6

V_EXACT = 3.9
"""Cell voltage of the manufactured solutions, V."""

ALPHA = 0.02
"""Their rate du/dt / u, s^-1: storage weighs as much as transport."""

# The conductivities and rates are such that every interface term matters at 20 mV and 1 um.
SETTINGS = (
    "electrolyte.model=nyman",
    "active_material.diffusivity=oregan_nmc811",
    "active_material.rate_constant=5e-8 m/s",
    "active_material.anodic_transfer=0.4",
    "active_material.cathodic_transfer=0.6",
    "active_material.reference_concentration=1200 mol/m^3",
    "carbon_binder.electrolyte_fraction=0.3",
    "carbon_binder.conductivity=0.2 S/m",
    "collector.contact_resistance=1 ohm cm^2",
    "solver.voltage_tolerance=1e-4 V",
    "solver.newton_tolerance=1e-6",
    "solver.newton_iterations=30",
)

WITHOUT = {
    "active_material.exchange_current": "active_material.rate_constant",
    "collector.connection": "collector.contact_resistance",
}
"""Choices, and the key of SETTINGS that has no effect with any of them but the default."""

DEFAULTS = ("active_material.exchange_current=power_law", "collector.connection=equipotential")


def settings_with(overrides: Sequence[str]) -> list[str]:
    """SETTINGS and overrides, without what these leave without effect."""
    chosen = {text.partition("=")[0] for text in overrides if text not in DEFAULTS}
    idle = {key for choice, key in WITHOUT.items() if choice in chosen}
    return [*(text for text in SETTINGS if text.partition("=")[0] not in idle), *overrides]


TWO_BLOCKS = Blocks(
    lengths=(6.0, 4.0),
    coating=4.0,
    # One touches the separator, the other the collector and a side wall: these patches are inert.
    particles=(((2.0, 1.0), (4.0, 2.0)), ((0.0, 3.0), (2.0, 4.0))),
)
PENALTY = np.array([0.8, 0.3])


def bend(points: Floats) -> Floats:
    """A smooth map of the slab TWO_BLOCKS onto itself that leaves no inner grid line straight."""
    x, y = points.T
    wave_x, wave_y = np.pi * x / 6.0, np.pi * y / 4.0
    return np.column_stack(
        [
            x + 0.25 * np.sin(wave_x) * np.cos(2 * wave_y),
            y + 0.2 * np.cos(3 * wave_x) * np.sin(wave_y),
        ]
    )


@dataclass(frozen=True)
class SmoothCurve:
    """An open-circuit potential that NumPy and UFL both know: U = 4.3 - 0.7 x + 0.05 sin(4 x)."""

    def potential_and_slope(self, x: Floats) -> tuple[Floats, Floats]:
        return 4.3 - 0.7 * x + 0.05 * np.sin(4 * x), -0.7 + 0.2 * np.cos(4 * x)

    def in_ufl(self, x: Any) -> Any:
        return 4.3 - 0.7 * x + 0.05 * sin(4 * x)


def exact_fields(mesh: dmesh.Mesh) -> dict[str, Any]:
    """The exact fields in UFL on any mesh of the electrode."""
    x = ufl.SpatialCoordinate(mesh)
    X, Y = x[0] / MICROMETRE, x[1] / MICROMETRE
    # Nothing in the plane; in space all fields vary along the third axis too.
    in_space = mesh.geometry.dim == 3
    depth = 0.4 * x[2] / MICROMETRE if in_space else 0.0
    # On the meshes that can be afforded there, the other fields' nodal values would outweigh the
    # error of a y that varies slowly, and fall with a higher order than it.
    n = 1.3 if in_space else 1.0
    return {
        "s": 0.6 + 0.08 * cos(1.1 * X + 0.3 + depth) * sin(0.9 * Y + 0.2),
        "y": 1.0 + 0.2 * sin(n * (0.6 * X + 0.4 + depth)) * cos(n * (0.7 * Y + 0.1)),
        "phi_l": 0.012 * cos(0.8 * X + 0.2 - depth) * cos(0.9 * Y - 0.4),
        "phi_s": 0.015 * sin(0.9 * X + 0.8 - depth) * cos(0.8 * Y + 0.3),
    }


def cell(grid: MappedGrid, *settings: str, degree: int = 1, preset: Preset = "direct") -> CellModel:
    """The simulator's own model of the electrode, with the smooth open-circuit potential."""
    parameters = load_parameters(PRESET, [*settings_with(settings), f"solver.degree={degree}"])
    mesh = distribute(MPI.COMM_WORLD, grid.data if MPI.COMM_WORLD.rank == 0 else None)
    penalty = np.resize(PENALTY, len(mesh.particle_table))
    model = CellModel(mesh, parameters, penalty, preset)
    interface = model.system.surfaces["interface"]
    replace_law(model, "interface", replace(interface.law, curve=SmoothCurve()))
    return model


def replace_law(model: CellModel, surface: str, law: Any) -> None:
    """Exchange the current density of a surface."""
    surfaces = model.system.surfaces
    surfaces[surface] = replace(surfaces[surface], law=law)


def replace_factor(model: CellModel, surface: str, field: str, factor: float) -> None:
    """Exchange the factor with which a surface's current enters the row of a field."""
    surfaces = model.system.surfaces
    factors = {**surfaces[surface].factors, field: factor}
    surfaces[surface] = replace(surfaces[surface], factors=factors)


# -- the equations, written a second time ---------------------------------------------------


def insertion_current(e: Mapping[str, Any], x: Any, p: Parameters) -> Any:
    """i, equations (12)-(14)."""
    m, f = p.active_material, FARADAY / (GAS_CONSTANT * p.temperature)
    aa, ac = m.anodic_transfer, m.cathodic_transfer
    c_s, c_max = m.maximum_concentration * e["s"], m.maximum_concentration
    c_l = p.electrolyte.initial_concentration * e["y"]
    rate = m.rate_constant_cathodic**aa * m.rate_constant_anodic**ac
    i0 = FARADAY * rate * (c_max - c_s) ** aa * c_s**ac * (c_l / m.reference_concentration) ** aa
    eta = e["phi_s"] + V_EXACT - e["phi_l"] - SmoothCurve().in_ufl(e["s"])
    # The second particle lies beyond this height, the first below, bent or not.
    penalty = ufl.conditional(ufl.lt(x[1], 2.5 * MICROMETRE), *map(float, PENALTY))
    return penalty * i0 * (exp(aa * f * eta) - exp(-ac * f * eta))


def lithium_current(e: Mapping[str, Any], p: Parameters) -> Any:
    """i_Li of the lithium metal."""
    metal, f = p.lithium_metal, FARADAY / (GAS_CONSTANT * p.temperature)
    m, a = metal.anodic_transfer, metal.symmetry
    c_l = p.electrolyte.initial_concentration * e["y"]
    i0 = metal.rate_constant * FARADAY * metal.lithium_concentration ** (1 - m) * c_l**m
    return i0 * (exp((1 - a) * f * e["phi_l"]) - exp(-a * f * e["phi_l"]))


@dataclass(frozen=True)
class Row:
    """Storage and flux of one equation on its submesh, and the law's J.n by facet tag."""

    storage: Any
    flux: Any
    laws: Mapping[int, Any]


def rows(model: CellModel) -> dict[str, Row]:
    """The exact fields put into the four equations."""
    p, mesh = model.parameters, model.mesh
    particles, liquid, carbon = (m.mesh for m in (mesh.particles, mesh.electrolyte, mesh.carbon))
    T, c_0, c_max = (
        p.temperature,
        p.electrolyte.initial_concentration,
        p.active_material.maximum_concentration,
    )
    e, x = exact_fields(particles), ufl.SpatialCoordinate(particles)
    D_s = diffusivity_of_fraction(p.active_material.diffusivity)(e["s"], T)
    lithium = Row(
        FARADAY * c_max * ALPHA * e["s"],
        -FARADAY * c_max * D_s * grad(e["s"]),
        {tags.INTERFACE: insertion_current(e, x, p)},
    )
    e, x = exact_fields(liquid), ufl.SpatialCoordinate(liquid)
    i, i_Li = insertion_current(e, x, p), lithium_current(e, p)
    eps = by_region(mesh.electrolyte, p.carbon_binder.electrolyte_fraction, p.separator.porosity)
    c, functions = c_0 * e["y"], p.electrolyte.functions
    t_plus = functions.transference_number(c, T)
    diffusion = 2 * GAS_CONSTANT * T / FARADAY * (1 - t_plus) * functions.thermodynamic_factor(c, T)
    kappa, D = (eps**1.5 * f(c, T) for f in (functions.conductivity, functions.diffusivity))
    i_l = -kappa * grad(e["phi_l"]) + kappa * diffusion * grad(ufl.ln(e["y"]))
    salt = Row(
        FARADAY * eps * c_0 * ALPHA * e["y"],
        -FARADAY * c_0 * D * grad(e["y"]) + t_plus * i_l,
        {tags.INTERFACE: -i, tags.LITHIUM: i_Li},
    )
    charge = Row(0, i_l, {tags.INTERFACE: -i, tags.LITHIUM: i_Li})
    e, x = exact_fields(carbon), ufl.SpatialCoordinate(carbon)
    sigma = p.carbon_binder.conductivity * (1 - p.carbon_binder.electrolyte_fraction) ** 1.5
    contact = e["phi_s"] / p.collector.contact_resistance
    electrons = Row(
        0,
        -sigma * grad(e["phi_s"]),
        {tags.INTERFACE: insertion_current(e, x, p), tags.COLLECTOR: contact},
    )
    return {"s": lithium, "y": salt, "phi_l": charge, "phi_s": electrons}


def by_region(part: Submesh, binder: float, separator: float) -> fem.Function:
    """A number for the carbon-binder domain and one for the separator."""
    function = fem.Function(fem.functionspace(part.mesh, ("DG", 0)))
    cells = np.asarray(function.function_space.dofmap.list).ravel()
    function.x.array[cells] = np.where(part.cell_tags == tags.CBD, binder, separator)
    return function


def submesh_of(model: CellModel, field: str) -> Submesh:
    """Where a field lives."""
    mesh = model.mesh
    return {"s": mesh.particles, "y": mesh.electrolyte, "phi_l": mesh.electrolyte}.get(
        field, mesh.carbon
    )


def outer_facets(grid: MappedGrid, mesh: dmesh.Mesh) -> dmesh.MeshTags:
    """The outer facets of a submesh that carry a current, told by the grid they come from."""
    dimension = mesh.topology.dim
    mesh.topology.create_connectivity(dimension - 1, dimension)
    mesh.topology.create_connectivity(dimension, dimension - 1)
    facets = dmesh.exterior_facet_indices(mesh.topology)
    to_cell = mesh.topology.connectivity(dimension - 1, dimension)
    to_facet = mesh.topology.connectivity(dimension, dimension - 1)
    cells = np.array([to_cell.links(f)[0] for f in facets], dtype=np.int32)
    local = np.array([list(to_facet.links(c)).index(f) for c, f in zip(cells, facets, strict=True)])
    vertices = facet_vertices(mesh, cells, local)[:, :, :dimension]
    sides = grid.facet_sides(vertices / MICROMETRE)
    axis = thickness_axis(dimension)
    middle = vertices.mean(axis=1)[:, axis] / MICROMETRE
    outside = sides[:, 0] == 0
    kind = np.zeros(facets.size, dtype=np.int32)
    kind[(sides[:, 0] == tags.CBD) & (sides[:, 1] >= tags.PARTICLE_OFFSET)] = tags.INTERFACE
    kind[outside & (sides[:, 1] == tags.CBD) & (middle < 1e-6)] = tags.COLLECTOR
    at_lithium = middle > grid.blocks.lengths[axis] - 1e-6
    kind[outside & (sides[:, 1] == tags.SEPARATOR) & at_lithium] = tags.LITHIUM
    return dmesh.meshtags(mesh, dimension - 1, facets, kind)


def loads(model: CellModel, grid: MappedGrid) -> dict[str, Floats]:
    """l(v) of each row, for the basis functions of this rank's cells."""
    vectors = {}
    for name, row in rows(model).items():
        mesh = submesh_of(model, name).mesh
        v = ufl.TestFunction(model.layout.functions[name].function_space)
        metadata = {"quadrature_degree": QUADRATURE}
        ds = ufl.Measure("ds", mesh, subdomain_data=outer_facets(grid, mesh), metadata=metadata)
        form = -inner(row.flux, grad(v)) * dx(mesh, metadata=metadata)
        if row.storage != 0:
            form += row.storage * v * dx(mesh, metadata=metadata)
        for tag, law in row.laws.items():
            form += law * v * ds(tag)
        vectors[name] = fem.assemble_vector(fem.form(form)).array
    vectors["y"] = vectors["y"] - model.reference_transference * vectors["phi_l"]
    return vectors


QUADRATURE = 7
"""Degree of the loads' integrals, far above the simulator's 2 or 4."""


# -- solving and measuring ------------------------------------------------------------------


def interpolated(model: CellModel) -> Floats:
    """The exact fields at the nodes."""
    vector = np.zeros(model.layout.owned)
    for name, part in model.layout.slices.items():
        function = model.layout.functions[name]
        space = function.function_space
        points = space.element.interpolation_points
        points = points() if callable(points) else points
        function.interpolate(fem.Expression(exact_fields(space.mesh)[name], points))
        vector[part] = function.x.array[: part.stop - part.start]
    return vector


def solve(
    model: CellModel, control: TerminalControl, I: float = 0.0, alpha: float = ALPHA
) -> Converged:
    """The simulator's solution, from the exact one at the nodes."""
    # With loads, the interface's current is not the collector's: no charge to balance.
    tolerances = replace(model.tolerances, charge=np.inf)
    bordered = BorderedSolver(model.system, model.linear)
    newton = Newton(model.system, bordered, model.norms, tolerances, model.one_C)
    guess = interpolated(model)
    nothing = np.zeros_like(guess)
    rates = Rates(alpha, nothing, 0.0, nothing, 0.0)
    return newton.solve(guess, V_EXACT, I, control, rates)


@dataclass(frozen=True)
class Errors:
    """Errors of the four fields, relative to what of them varies."""

    L2: dict[str, float]
    H1: dict[str, float]


def errors(model: CellModel, vector: Floats) -> Errors:
    """L2 norm and H1 seminorm of the error over the same of the exact field less its offset."""
    model.layout.spread(vector)
    offsets = {"s": 0.6, "y": 1.0, "phi_l": 0.0, "phi_s": 0.0}
    L2, H1 = {}, {}
    for name in CELL.fields:
        mesh = submesh_of(model, name).mesh
        exact = exact_fields(mesh)[name]
        error = model.layout.functions[name] - exact
        for norm, of in ((L2, lambda u: u * u), (H1, lambda u: inner(grad(u), grad(u)))):
            norm[name] = np.sqrt(
                integral(of(error), mesh) / integral(of(exact - offsets[name]), mesh)
            )
    return Errors(L2, H1)


def integral(integrand: Any, mesh: dmesh.Mesh) -> float:
    """Over a submesh and all ranks."""
    form = fem.form(integrand * dx(mesh, metadata={"quadrature_degree": QUADRATURE}))
    return float(mesh.comm.allreduce(fem.assemble_scalar(form)))


def orders(values: list[float]) -> list[float]:
    """Between meshes of which each is twice as fine as the one before."""
    return [float(np.log2(coarse / fine)) for coarse, fine in pairwise(values)]
