"""The cell: parameters and a mesh made into equations, ready to march.

CellModel(mesh, parameters, penalty)  ->  start()  ->  march  ->  sample(), field_values()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import ufl
from dolfinx import fem

from simulator.constants import FARADAY
from simulator.geometry import tags
from simulator.materials import (
    diffusivity_of_fraction,
    lithium_metal_exchange_current,
    open_circuit_potential,
)
from simulator.parameters import Parameters
from simulator.physics import carbon, electrolyte, kinetics, solid
from simulator.physics.effective import bruggeman, carbon_factor
from simulator.results.sample import Sample
from simulator.solver.averages import ParticleAverages
from simulator.solver.bordered import BorderedSolver
from simulator.solver.constant_matrix import ConstantMatrix
from simulator.solver.electrode_mesh import ElectrodeMesh, Submesh
from simulator.solver.facets import FacetTrace, FieldOnSubmesh, facet_trace
from simulator.solver.grids import FieldViewer
from simulator.solver.layout import FIELDS, FieldLayout
from simulator.solver.linear import LinearSolver, Preset
from simulator.solver.march import HOUR, Pace
from simulator.solver.newton import FieldNorms, Newton, Tolerances
from simulator.solver.stepper import State, Stepper
from simulator.solver.system import CellSystem, SurfaceTerm
from simulator.solver.volume import VolumeTerms, WeakForms

Floats = npt.NDArray[np.float64]

IDEAL_CONTACT = 1e-10
"""Contact resistance of the ideal reference phi_l = 0, ohm m^2: 1 nV at 10 A m^-2."""

CHARGE_TOLERANCE: Mapping[Preset, float] = {"direct": 1e-10, "fieldsplit": 1e-7}
"""Mismatch of interface and applied current at which Newton's method stops."""


@dataclass(frozen=True)
class Spaces:
    """The four Lagrange spaces and the submesh of each."""

    by_field: Mapping[str, FieldOnSubmesh]
    degree: int

    @classmethod
    def on(cls, mesh: ElectrodeMesh, degree: int) -> Spaces:
        def lagrange(part: Submesh) -> FieldOnSubmesh:
            return FieldOnSubmesh(fem.functionspace(part.mesh, ("Lagrange", degree)), part)

        particles, liquid, solid_ = map(lagrange, (mesh.particles, mesh.electrolyte, mesh.carbon))
        return cls({"s": particles, "y": liquid, "phi_l": liquid, "phi_s": solid_}, degree)

    @property
    def quadrature_degree(self) -> int:
        # UFL would estimate far more from the curved geometry, for nothing.
        return 2 * self.degree


class CellModel:
    """One electrode's equations. Construction is collective and compiles every form.

    Args:
        mesh: the distributed mesh.
        parameters: validated, in SI.
        penalty: (N,) factor of each particle.
        preset: the linear solver; None chooses by size and dimension.

    Attributes:
        mesh, parameters, penalty: as given.
        system: residual and Jacobian.
        averages: per-particle means.
        one_C: cell current of 1C, A (A per metre of depth in 2D): the capacity of the active
            material that was meshed, between the ends of the voltage window, in one hour.
        preset: the linear solver in use.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        parameters: Parameters,
        penalty: Floats,
        preset: Preset | None = None,
    ) -> None:
        self.mesh, self.parameters, self.penalty = mesh, parameters, penalty
        self._spaces = Spaces.on(mesh, parameters.solver.degree)
        self._functions = {
            name: fem.Function(field.space, name=name)
            for name, field in self._spaces.by_field.items()
        }
        self.layout = FieldLayout(mesh.comm, self._functions)
        traces = self._traces()
        self.averages = ParticleAverages(
            mesh,
            self._spaces.by_field["s"].space,
            traces["interface"],
            self._spaces.quadrature_degree,
        )
        self.curve = open_circuit_potential(parameters.active_material.open_circuit_potential)
        self.system = CellSystem(
            self.layout,
            VolumeTerms(self.layout, self._weak_forms()),
            self._surfaces(traces),
            "gauge" if parameters.collector.connection == "uniform_flux" else "current",
        )
        self.one_C = self._one_C()
        self.preset: Preset = preset or self._chosen_preset()
        self.linear = LinearSolver(self.layout, self.preset, parameters.solver.krylov_tolerance)
        self.norms = FieldNorms(self.layout, self._basis_volumes())

    # -- equations --------------------------------------------------------------------------

    def _measure(self, part: Submesh) -> Any:
        degree = self._spaces.quadrature_degree
        return ufl.Measure("dx", part.mesh, metadata={"quadrature_degree": degree})

    def _weak_forms(self) -> WeakForms:
        return merged(self._solid_forms(), self._electrolyte_forms(), self._carbon_forms())

    def _solid_forms(self) -> WeakForms:
        material, dx = self.parameters.active_material, self._measure(self.mesh.particles)
        space, s = self._spaces.by_field["s"].space, self._functions["s"]
        u, v, c_max = (
            ufl.TrialFunction(space),
            ufl.TestFunction(space),
            material.maximum_concentration,
        )
        storage = {"s": solid.lithium_storage(u, v, c_max=c_max, dx=dx)}
        if isinstance(material.diffusivity, float):
            D_s = fem.Constant(self.mesh.particles.mesh, np.float64(material.diffusivity))
            return WeakForms(
                storage, constant={"s": solid.solid_diffusion(u, v, D_s=D_s, c_max=c_max, dx=dx)}
            )
        D_s = diffusivity_of_fraction(material.diffusivity)(s, self.parameters.temperature)
        residual = solid.solid_diffusion(s, v, D_s=D_s, c_max=c_max, dx=dx)
        return WeakForms(
            storage,
            nonlinear={"s": residual},
            derivatives={("s", "s"): ufl.derivative(residual, s, u)},
        )

    def _electrolyte_forms(self) -> WeakForms:
        p, dx = self.parameters, self._measure(self.mesh.electrolyte)
        c_0, T = p.electrolyte.initial_concentration, p.temperature
        space = self._spaces.by_field["y"].space
        y, phi_l = self._functions["y"], self._functions["phi_l"]
        u, w = ufl.TrialFunction(space), ufl.TestFunction(space)
        porosity, transport = self._porous_properties()
        k = self._electrolyte_coefficients(y, transport)
        salt = electrolyte.salt_transport(
            y, phi_l, w, k=k, t_ref=self.reference_transference, c_0=c_0, T=T, dx=dx
        )
        charge = electrolyte.ionic_charge(y, phi_l, w, k=k, T=T, dx=dx)
        derivatives = {
            ("y", "y"): ufl.derivative(salt, y, u),
            ("phi_l", "y"): ufl.derivative(charge, y, u),
            ("phi_l", "phi_l"): ufl.derivative(charge, phi_l, u),
        }
        if p.electrolyte.functions.constant_transference is None:
            derivatives["y", "phi_l"] = ufl.derivative(salt, phi_l, u)
        return WeakForms(
            storage={"y": electrolyte.salt_storage(u, w, porosity=porosity, c_0=c_0, dx=dx)},
            nonlinear={"y": salt, "phi_l": charge},
            derivatives=derivatives,
        )

    def _carbon_forms(self) -> WeakForms:
        space, dx = self._spaces.by_field["phi_s"].space, self._measure(self.mesh.carbon)
        u, w = ufl.TrialFunction(space), ufl.TestFunction(space)
        binder = self.parameters.carbon_binder
        factor = carbon_factor(
            binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
        )
        sigma = fem.Constant(self.mesh.carbon.mesh, np.float64(binder.conductivity * factor))
        return WeakForms({}, constant={"phi_s": carbon.electronic_charge(u, w, sigma=sigma, dx=dx)})

    def _porous_properties(self) -> tuple[fem.Function, fem.Function]:
        """Porosity and Bruggeman factor of the electrolyte's cells."""
        binder, separator = self.parameters.carbon_binder, self.parameters.separator
        part = self.mesh.electrolyte
        space = fem.functionspace(part.mesh, ("DG", 0))
        porosity, transport = fem.Function(space), fem.Function(space)
        cells = np.asarray(space.dofmap.list).ravel()
        in_binder = part.cell_tags == tags.CBD
        pairs = (
            (porosity, binder.electrolyte_fraction, separator.porosity),
            (
                transport,
                bruggeman(binder.electrolyte_fraction, binder.bruggeman_exponent),
                bruggeman(separator.porosity, separator.bruggeman_exponent),
            ),
        )
        for function, inside, outside in pairs:
            function.x.array[cells] = np.where(in_binder, inside, outside)
        return porosity, transport

    def _electrolyte_coefficients(
        self, y: fem.Function, transport: fem.Function
    ) -> electrolyte.ElectrolyteCoefficients:
        p = self.parameters
        functions, T = p.electrolyte.functions, p.temperature
        c = p.electrolyte.initial_concentration * electrolyte.positive(y)
        return electrolyte.ElectrolyteCoefficients(
            D=transport * functions.diffusivity(c, T),
            kappa=transport * functions.conductivity(c, T),
            t_plus=functions.transference_number(c, T),
            tdf=functions.thermodynamic_factor(c, T),
        )

    @property
    def reference_transference(self) -> float:
        """t+ at the initial salt concentration, taken out of the salt equation's volume."""
        p = self.parameters
        c = np.float64(p.electrolyte.initial_concentration)
        return float(p.electrolyte.functions.transference_number(c, p.temperature))

    # -- surfaces ---------------------------------------------------------------------------

    def _traces(self) -> dict[str, FacetTrace]:
        fields = self._spaces.by_field

        def trace(facets: Any, names: tuple[str, ...], opposite: frozenset[str]) -> FacetTrace:
            return facet_trace(
                self.mesh,
                facets,
                {name: fields[name] for name in names},
                opposite,
                degree=self._spaces.degree,
                quadrature_degree=self._spaces.quadrature_degree,
            )

        return {
            "interface": trace(self.mesh.interface, FIELDS, frozenset(FIELDS) - {"s"}),
            "lithium": trace(self.mesh.lithium, ("y", "phi_l"), frozenset()),
            "collector": trace(self.mesh.collector, ("phi_s",), frozenset()),
        }

    def _surfaces(self, traces: Mapping[str, FacetTrace]) -> dict[str, SurfaceTerm]:
        salt = 1 - self.reference_transference
        interface = {"s": 1.0, "y": -salt, "phi_l": -1.0, "phi_s": 1.0}
        return {
            "interface": SurfaceTerm(traces["interface"], self._insertion(), interface),
            "lithium": SurfaceTerm(
                traces["lithium"], self._lithium_metal(), {"y": salt, "phi_l": 1.0}
            ),
            "collector": SurfaceTerm(
                traces["collector"], self._collector(traces["collector"]), {"phi_s": 1.0}
            ),
        }

    def _insertion(self) -> kinetics.ButlerVolmer:
        material, p = self.parameters.active_material, self.parameters
        aa, ac = material.anodic_transfer, material.cathodic_transfer
        salt = (p.electrolyte.initial_concentration / material.reference_concentration) ** aa
        rate = material.rate_constant_cathodic**aa * material.rate_constant_anodic**ac
        return kinetics.ButlerVolmer(
            curve=self.curve,
            exchange_scale=FARADAY * rate * material.maximum_concentration * salt,
            anodic=aa,
            cathodic=ac,
            temperature=p.temperature,
            penalty=self.penalty[self.averages.particle_of_point],
        )

    def _lithium_metal(self) -> kinetics.SurfaceCurrent:
        metal, p = self.parameters.lithium_metal, self.parameters
        if metal.kinetics == "ideal":
            return kinetics.Contact("phi_l", IDEAL_CONTACT)
        scale = lithium_metal_exchange_current(
            np.float64(p.electrolyte.initial_concentration),
            rate_constant=metal.rate_constant,
            lithium_concentration=metal.lithium_concentration,
            anodic_transfer=metal.anodic_transfer,
        )
        return kinetics.LithiumMetal(
            float(scale), metal.anodic_transfer, metal.symmetry, p.temperature
        )

    def _collector(self, trace: FacetTrace) -> kinetics.SurfaceCurrent:
        if self.parameters.collector.connection == "uniform_flux":
            area = float(self.mesh.comm.allreduce(float(trace.weights.sum())))
            return kinetics.UniformCollector(area)
        return kinetics.Contact("phi_s", self.parameters.collector.contact_resistance)

    # -- sizes ------------------------------------------------------------------------------

    def _one_C(self) -> float:
        material = self.parameters.active_material
        low, high = material.lithium_fraction_window
        volume = float(self.averages.volumes.sum())
        return FARADAY * material.maximum_concentration * volume * (high - low) / HOUR

    def _chosen_preset(self) -> Preset:
        solver = self.parameters.solver
        if solver.linear_solver != "auto":
            chosen: Preset = solver.linear_solver
            return chosen
        # Fill-in makes a direct solve in 3D dear at a tenth of the size.
        limit = solver.direct_limit if self.mesh.dimension == 2 else solver.direct_limit // 10
        return "direct" if self.layout.total <= limit else "fieldsplit"

    def _basis_volumes(self) -> Floats:
        volumes = np.empty(self.layout.owned)
        for name, field in self._spaces.by_field.items():
            u, v = ufl.TrialFunction(field.space), ufl.TestFunction(field.space)
            # The diagonal of the mass matrix is positive for quadratic functions too, whose own
            # integrals vanish at vertices.
            mass = ConstantMatrix(u * v * self._measure(field.submesh))
            part = self.layout.slices[name]
            volumes[part] = mass.diagonal()
        return volumes

    # -- marching ---------------------------------------------------------------------------

    def start(self) -> State:
        """The cell at rest: lithium fraction and salt uniform, V = U."""
        x_0 = self.parameters.active_material.initial_lithium_fraction
        vector = np.zeros(self.layout.owned)
        vector[self.layout.slices["s"]] = x_0
        vector[self.layout.slices["y"]] = 1.0
        V = float(self.curve.potential(np.array([x_0]))[0])
        residual = self.system.residual(vector, np.zeros_like(vector), V, 0.0)
        return State(0.0, vector, V, 0.0, 0.0, residual.fluxes, 0.0)

    @property
    def tolerances(self) -> Tolerances:
        """Time and Newton tolerances of the parameters."""
        solver = self.parameters.solver
        return Tolerances(
            fields={
                "s": solver.fraction_tolerance,
                "y": solver.concentration_tolerance,
                "phi_l": solver.voltage_tolerance,
                "phi_s": solver.voltage_tolerance,
            },
            voltage=solver.voltage_tolerance,
            update=solver.newton_tolerance,
            charge=CHARGE_TOLERANCE[self.preset],
            iterations=solver.newton_iterations,
        )

    def stepper(self, start: State) -> Stepper:
        """A stepper that begins at `start`."""
        self.newton = Newton(
            self.system,
            BorderedSolver(self.system, self.linear),
            self.norms,
            self.tolerances,
            self.one_C,
            # A Krylov solve costs as much as assembling anew, which halves the iterations.
            keep=self.preset == "direct",
        )
        return Stepper(
            self.newton, self.norms, self.tolerances, start, self.parameters.solver.minimum_step
        )

    @property
    def pace(self) -> Pace:
        """Currents and time steps of a march."""
        solver = self.parameters.solver
        return Pace(
            self.one_C, self.mesh.collector_area, solver.initial_step, solver.maximum_step_fraction
        )

    # -- what observers see -----------------------------------------------------------------

    def sample(self, state: State, *, step: int, accepted: int, cycle: int = 0) -> Sample:
        """Cell and particle quantities of a state. Collective; the same on every rank."""
        area = self.mesh.collector_area
        s = self.layout.spread(state.vector)["s"]
        fractions = self.averages.of_volume(state.vector[self.layout.slices["s"]])
        share = self.averages.volumes / self.averages.volumes.sum()
        mean = float(share @ fractions)
        return Sample(
            time_s=state.time,
            voltage_V=state.V,
            current_A_m2=state.I / area,
            capacity_Ah_m2=state.charge / area / HOUR,
            lithium_fraction_mean=mean,
            lithium_fraction_sd=float(np.sqrt(share @ (fractions - mean) ** 2)),
            cycle=cycle,
            step=step,
            accepted=accepted,
            lithium_fraction=fractions,
            surface_lithium_fraction=self.averages.of_surface(s),
            particle_current_A_m2=self.averages.of_current(state.fluxes["interface"]),
        )

    def viewer(self) -> FieldViewer:
        """Hands out the fields at the vertices, for writing."""
        return FieldViewer(
            self.mesh,
            self._functions,
            self.penalty,
            self.parameters.electrolyte.initial_concentration,
        )


def merged(*parts: WeakForms) -> WeakForms:
    """All the forms of several physics."""
    return WeakForms(
        storage={k: v for part in parts for k, v in part.storage.items()},
        constant={k: v for part in parts for k, v in part.constant.items()},
        nonlinear={k: v for part in parts for k, v in part.nonlinear.items()},
        derivatives={k: v for part in parts for k, v in part.derivatives.items()},
    )
