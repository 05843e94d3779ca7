"""The cell: equations made from parameters and a mesh, ready to march.

CellModel(mesh, parameters, penalty)  ->  start()  ->  march  ->  sample(), viewer()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import ufl

from heterode.accuracy.spacing import mean_particle
from heterode.base.accounting import Phases
from heterode.base.constants import FARADAY
from heterode.parameters import Parameters
from heterode.parameters.operation import Preset
from heterode.physics.active_material import ActivePhase
from heterode.physics.balances import CELL, Table
from heterode.physics.electrolyte import reference_transference
from heterode.physics.kinetics import ButlerVolmer, Flux
from heterode.results.sample import Sample
from heterode.solver.algebra.bordered import BorderedSolver
from heterode.solver.algebra.linear import LinearSolver
from heterode.solver.discretisation.averages import ParticleAverages
from heterode.solver.discretisation.components import particle_components
from heterode.solver.discretisation.constant_matrix import ConstantMatrix
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh, with_conducting_particles
from heterode.solver.discretisation.facets import FieldOnSubmesh
from heterode.solver.discretisation.grids import FieldViewer
from heterode.solver.discretisation.layout import FieldLayout
from heterode.solver.discretisation.numbering import StateOrder
from heterode.solver.discretisation.places import place_of_extreme
from heterode.solver.discretisation.restriction import ParticleRestriction
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.forms import CellContext, weak_forms
from heterode.solver.equations.norms import FieldNorms, Tolerances
from heterode.solver.equations.surfaces import surface_terms, surface_traces
from heterode.solver.equations.system import CellSystem
from heterode.solver.equations.volume import VolumeTerms
from heterode.solver.time.closure import Closure
from heterode.solver.time.march import HOUR, Pace
from heterode.solver.time.newton import Newton
from heterode.solver.time.state import State
from heterode.solver.time.stepper import ChargingNorm, Stepper
from heterode.solver.time.surface_lithium import Interface, SurfaceLithium

Floats = npt.NDArray[np.float64]

CHARGE_TOLERANCE: Mapping[Preset, float] = {"direct": 1e-10, "fieldsplit": 1e-9}
"""Mismatch of interface and applied current at which Newton's method stops."""


class CellModel:
    """One electrode's equations. Construction is collective and compiles every form.

    Args:
        mesh: the distributed mesh.
        parameters: validated parameters in SI.
        penalty: (N,) factor of each particle.
        preset: the linear solver; None chooses it by size and dimension.
        table: the balances.

    Attributes:
        mesh, parameters: as given, with conducting particles in the mesh if they conduct.
        material: active material of the particles.
        penalty: present factors; see `set_penalty`.
        reference_transference: t+ at the start, which the salt's volume term subtracts.
        system: residual and Jacobian.
        averages: means over particles.
        one_C: cell current of 1C, A (A per metre of depth in 2D), which passes the capacity of the
            meshed active material in the voltage window in one hour.
        preset: the linear solver that is used.
        phases: seconds of the parts of a solve: assembly, preconditioner, linear solves.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        parameters: Parameters,
        penalty: Floats,
        preset: Preset | None = None,
        table: Table = CELL,
    ) -> None:
        material = parameters.active_material
        if material.electronic_conduction_in_particles:
            mesh = with_conducting_particles(mesh)
        self.mesh, self.parameters, self.penalty = mesh, parameters, penalty
        self.table, self._lithium = table, table.lithium.field
        self._spaces = Spaces.on(mesh, parameters.solver.degree, table)
        self.layout = FieldLayout(mesh.comm, self._spaces.functions, table)
        traces = surface_traces(mesh, self._spaces, table)
        (reaction,) = table.reactions
        self.averages = ParticleAverages(
            mesh,
            self._lithium,
            self._spaces.by_field[self._lithium].space,
            mesh.facets(reaction),
            traces[reaction.facets],
            self._spaces.quadrature_degree,
        )
        self.material = ActivePhase(parameters)
        self.curve = self.material.curve
        self.reference_transference = reference_transference(parameters)
        inner = self._particle_restriction()
        context = CellContext(mesh, self.material, self._spaces, inner)
        self.system = CellSystem(
            self.layout,
            VolumeTerms(self.layout, weak_forms(table, context), inner),
            surface_terms(
                table,
                self.material,
                traces,
                penalty[self.averages.particle_of_point],
                self.reference_transference,
                mesh.comm,
            ),
            "gauge" if parameters.collector.connection == "uniform_flux" else "current",
        )
        self.one_C = self._one_C()
        self.preset: Preset = preset or parameters.solver.preset(self.layout.total, mesh.dimension)
        tolerance, fill = parameters.solver.krylov_tolerance, 0 if mesh.lumping is None else 1
        self.linear = LinearSolver(self.layout, self.preset, tolerance, fill)
        self.norms = FieldNorms(self.layout, self._basis_volumes())
        self.phases = Phases()
        self.bordered = BorderedSolver(self.system, self.linear, self.phases)
        self._viewer: FieldViewer | None = None

    def _particle_restriction(self) -> ParticleRestriction | None:
        """Return phi_s on the particles if their conductivity depends on the lithium fraction."""
        material = self.parameters.active_material
        given = material.electronic_conductivity_at(self.parameters.temperature)
        if not material.electronic_conduction_in_particles or isinstance(given, float):
            return None
        (row,) = (row for row in self.table.rows if row.restricted)
        return ParticleRestriction(row, self.layout, self._spaces.by_field, self.mesh.vertices)

    def set_penalty(self, penalty: Floats) -> None:
        """Replace the penalty factors between two time steps.

        From now on the interface reacts with them, `viewer`'s fields show them, and Newton's
        method makes a new linearisation. Treat this like a jump of the control: `Stepper.restart`.

        Args:
            penalty: (N,) factor of each particle, in (0, 1].
        """
        self.penalty = penalty
        term = self.system.reaction
        assert isinstance(term.law, ButlerVolmer)
        law = replace(term.law, penalty=penalty[self.averages.particle_of_point])
        self.system.surfaces[term.surface.name] = replace(term, law=law)
        self.bordered.alpha = None
        if self._viewer is not None:
            self._viewer.penalty = penalty

    # -- sizes ------------------------------------------------------------------------------

    def _one_C(self) -> float:
        return self.material.capacity(float(self.averages.volumes.sum())) / HOUR

    def _basis_volumes(self) -> Floats:
        volumes = np.empty(self.layout.owned)
        for name, field in self._spaces.by_field.items():
            u, v = ufl.TrialFunction(field.space), ufl.TestFunction(field.space)
            # The diagonal of the mass matrix is also positive for quadratic basis functions, whose
            # own integrals vanish at vertices.
            mass = ConstantMatrix(u * v * self._spaces.measure(field.submesh))
            part = self.layout.slices[name]
            volumes[part] = mass.diagonal()
        return volumes

    # -- marching ---------------------------------------------------------------------------

    def start(self) -> State:
        """Return the cell at rest, with the start of every field's row and V = U."""
        vector = np.zeros(self.layout.owned)
        for row in self.table.rows:
            part, given = self.layout.slices[row.field], row.start(self.parameters)
            if callable(given):
                function = self.layout.functions[row.field]
                function.interpolate(given)
                given = function.x.array[: part.stop - part.start]
            vector[part] = given
        V = self.material.rest_potential
        residual = self.system.residual(vector, np.zeros_like(vector), V, 0.0)
        return State(0.0, vector, V, 0.0, 0.0, residual.fluxes, 0.0)

    @property
    def tolerances(self) -> Tolerances:
        """Return the tolerances of time steps and Newton's method."""
        solver = self.parameters.solver
        return Tolerances(
            fields={
                row.field: float(getattr(solver, key) if isinstance(key, str) else key)
                for row, key in ((row, row.tolerance) for row in self.table.rows)
            },
            voltage=solver.voltage_tolerance,
            update=solver.newton_tolerance,
            charge=CHARGE_TOLERANCE[self.preset],
            iterations=solver.newton_iterations,
        )

    def stepper(self, start: State, abandon: Callable[[], bool] = lambda: False) -> Stepper:
        """Return a stepper from `start` that abandons a step if `abandon` (collective) is true."""
        self.bordered = BorderedSolver(self.system, self.linear, self.phases)
        self.newton = Newton(
            self.system,
            self.bordered,
            self.norms,
            self.tolerances,
            self.one_C,
            abandon,
            self.closure(),
        )
        return Stepper(
            self.newton,
            self.norms,
            self.tolerances,
            start,
            self.parameters.solver.minimum_step,
            charging=self.charging_norm,
            surface=self.surface_lithium,
            # Who writes the first step gets the time steps that follow from it alone.
            resolves=self.parameters.solver.initial_step is None,
        )

    def closure(self) -> Closure | None:
        """Return what closes the balances of a step; None if the table's terms rule it out."""
        if not Closure.applies(self.system):
            return None
        found = particle_components(self.mesh, self.lithium.space)
        of_point = found.of_particle[self.averages.particle_of_point]
        return Closure(self.system, found.count, found.of_node, of_point)

    @property
    def surface_lithium(self) -> SurfaceLithium | None:
        """Return the particle that is followed for the time error; None if no particle reacts."""
        nodes, lumping = mean_particle(self.mesh.radial)
        if len(nodes) == 0:
            return None
        per_flux = FARADAY * self.parameters.active_material.maximum_concentration
        area = float(self.averages.surfaces.sum())
        degree, dimension = self.parameters.solver.degree, self.mesh.dimension
        per_current = 1.0 / (per_flux * area)
        return SurfaceLithium(nodes, dimension, degree, lumping, self._interface, per_current)

    def _interface(self, vector: Floats, fluxes: Mapping[str, Flux]) -> Interface:
        """Return the interface's means at a state with these currents. Collective."""
        term, field = self.system.reaction, self._lithium
        flux, weights = fluxes[term.surface.name], term.trace.weights
        s = term.trace.at_points(field, self.layout.spread(vector)[field])
        slopes = flux.derivatives
        integrands = (flux.value, slopes[field], slopes["V"], s, np.ones_like(s))
        local = np.array([weights @ integrand for integrand in integrands])
        current, by_lithium, by_voltage, lithium, area = self.layout.comm.allreduce(local)
        per_flux = FARADAY * self.parameters.active_material.maximum_concentration
        return Interface(
            flux=float(current / area / per_flux),
            slope=float(-by_lithium / by_voltage),
            diffusivity=float(
                self.material.diffusivity(lithium / area, self.parameters.temperature)
            ),
        )

    @property
    def charging_norm(self) -> ChargingNorm | None:
        """Return a norm of phi_s + V - phi_l, or None without a double layer.

        It is the largest root mean square over the surface of a particle, so that one particle
        that charges more slowly is not lost among many.
        """
        capacitance = self.material.capacitance
        if capacitance == 0.0:
            return None
        return lambda vector, V: (
            self.averages.largest_rms(self.system.double_layer_density(vector, V)) / capacitance
        )

    @property
    def pace(self) -> Pace:
        """Return the currents and time steps of a march."""
        solver = self.parameters.solver
        return Pace(
            one_C=self.one_C,
            area=self.mesh.collector_area,
            initial_step=solver.initial_step,
            largest_fraction=solver.maximum_step_fraction,
            potential=self.parameters.active_material.mean_potential,
            lithium_fraction=self.lithium_fraction,
        )

    def lithium_fraction(self, state: State) -> float:
        """Return a state's mean lithium fraction, weighted by volume. Collective."""
        fractions = self.averages.of_volume(state.vector[self.layout.slices[self._lithium]])
        return float(fractions @ self.averages.volumes / self.averages.volumes.sum())

    @property
    def lithium(self) -> FieldOnSubmesh:
        """Space and submesh of the lithium fraction."""
        return self._spaces.by_field[self._lithium]

    def order(self) -> StateOrder:
        """Return the order of vectors that does not depend on the number of ranks. Collective."""
        return StateOrder(self.layout, self._spaces.by_field, self.mesh.vertices)

    # -- what observers see -----------------------------------------------------------------

    def sample(self, state: State, *, step: int, accepted: int, cycle: int = 0) -> Sample:
        """Return cell and particle quantities of a state. Collective; the same on every rank."""
        area = self.mesh.collector_area
        s = self.layout.spread(state.vector)[self._lithium]
        fractions = self.averages.of_volume(state.vector[self.layout.slices[self._lithium]])
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
            particle_current_A_m2=self.averages.of_current(
                state.fluxes[self.system.reaction.surface.name]
            ),
        )

    def place(self, state: State, quantity: str, largest: bool) -> dict[str, Any]:
        """Find where a quantity of `Extremes` is largest or least. Collective; same on every rank.

        Returns:
            position_um, and particle if the place is in one.
        """
        values, layout = self.layout.spread(state.vector), self.layout
        row, watched = self.table.watched(quantity)
        name = row.field
        owned = layout.slices[name].stop - layout.slices[name].start
        nodes: npt.NDArray[np.int32] = np.arange(owned, dtype=np.int32)
        if watched.surface is not None:
            nodes = self.system.surfaces[watched.surface.name].trace.dofs[name]
        field = self._spaces.by_field[name]
        place = place_of_extreme(layout.comm, field, values[name], nodes, largest=largest)
        where: dict[str, Any] = {"position_um": list(place.position_um)}
        return where if place.particle is None else where | {"particle": place.particle}

    def viewer(self) -> FieldViewer:
        """Return the viewer of the fields at the vertices, for writing."""
        if self._viewer is None:
            self._viewer = FieldViewer(
                self.mesh,
                self._spaces.functions,
                self.penalty,
                {
                    row.field: row.written.scale(self.parameters)
                    for row in self.table.rows
                    if row.written is not None
                },
                self.table,
                penalty_changes=self.parameters.penalty.conditioning is not None,
            )
        return self._viewer
