"""The volume terms of a cell: its parameters put into the weak forms of `heterode.physics`."""

from __future__ import annotations

from typing import Any

import numpy as np
import ufl
from dolfinx import fem

from heterode.geometry import tags
from heterode.parameters import Parameters
from heterode.physics import carbon, electrolyte, solid
from heterode.physics.effective import bruggeman, carbon_factor
from heterode.solver.discretisation.electrode_mesh import ElectrodeMesh
from heterode.solver.discretisation.restriction import INNER, ParticleRestriction
from heterode.solver.discretisation.spaces import Spaces
from heterode.solver.equations.volume import WeakForms


def reference_transference(parameters: Parameters) -> float:
    """t+ at the initial salt concentration, taken out of the salt equation's volume."""
    c = np.float64(parameters.electrolyte.initial_concentration)
    functions = parameters.electrolyte.functions
    return float(functions.transference_number(c, parameters.temperature))


class CellForms:
    """Writes down the weak forms of one cell.

    Args:
        mesh, parameters, spaces: of the cell.
        inner: phi_s on the particles, where their conductivity is a function of s.
    """

    def __init__(
        self,
        mesh: ElectrodeMesh,
        parameters: Parameters,
        spaces: Spaces,
        inner: ParticleRestriction | None = None,
    ) -> None:
        self._mesh, self._parameters, self._spaces = mesh, parameters, spaces
        self._inner = inner

    def all(self) -> WeakForms:
        """Solid diffusion, salt, ionic and electronic charge."""
        forms = [self._solid_forms(), self._electrolyte_forms(), self._carbon_forms()]
        if self._inner is not None:
            forms.append(self._particle_forms(self._inner.function))
        return merged(*forms)

    def _solid_forms(self) -> WeakForms:
        material, dx = self._parameters.active_material, self._spaces.measure(self._mesh.particles)
        space, s = self._spaces.by_field["s"].space, self._spaces.functions["s"]
        u, v, c_max = (
            ufl.TrialFunction(space),
            ufl.TestFunction(space),
            material.maximum_concentration,
        )
        D_of = material.diffusivity_of_fraction
        T = self._parameters.temperature
        storage = {"s": solid.lithium_storage(u, v, c_max=c_max, dx=dx)}
        if isinstance(material.diffusivity, float):
            D_s = fem.Constant(self._mesh.particles.mesh, np.float64(D_of(s, T)))
            return WeakForms(
                storage, constant={"s": solid.solid_diffusion(u, v, D_s=D_s, c_max=c_max, dx=dx)}
            )
        D_s = D_of(s, T)
        residual = solid.solid_diffusion(s, v, D_s=D_s, c_max=c_max, dx=dx)
        return WeakForms(
            storage,
            nonlinear={"s": residual},
            derivatives={("s", "s"): ufl.derivative(residual, s, u)},
        )

    def _electrolyte_forms(self) -> WeakForms:
        p, part = self._parameters, self._mesh.electrolyte
        dx, flux_dx = self._spaces.measure(part), self._spaces.gradient_measure(part)
        c_0, T = p.electrolyte.initial_concentration, p.temperature
        space = self._spaces.by_field["y"].space
        y, phi_l = self._spaces.functions["y"], self._spaces.functions["phi_l"]
        u, w = ufl.TrialFunction(space), ufl.TestFunction(space)
        porosity, transport = self._porous_properties()
        k = self._electrolyte_coefficients(y, transport)
        salt = electrolyte.salt_transport(
            y, phi_l, w, k=k, t_ref=reference_transference(p), c_0=c_0, T=T, dx=flux_dx
        )
        charge = electrolyte.ionic_charge(y, phi_l, w, k=k, T=T, dx=flux_dx)
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
        part = self._mesh.electronic
        space, dx = self._spaces.by_field["phi_s"].space, self._spaces.measure(part)
        u, w = ufl.TrialFunction(space), ufl.TestFunction(space)
        binder = self._parameters.carbon_binder
        factor = carbon_factor(
            binder.electrolyte_fraction, binder.bruggeman_exponent, binder.bruggeman_carbon
        )
        sigma: Any = fem.Constant(part.mesh, np.float64(binder.conductivity * factor))
        if part is not self._mesh.carbon:
            sigma = self._conductivity_by_cell(binder.conductivity * factor)
        return WeakForms({}, constant={"phi_s": carbon.electronic_charge(u, w, sigma=sigma, dx=dx)})

    def _conductivity_by_cell(self, binder: float) -> fem.Function:
        """sigma of carbon binder and particles; 0 in particles where it depends on s."""
        given = self._parameters.active_material.electronic_conductivity_of_fraction
        part = self._mesh.electronic
        function = fem.Function(fem.functionspace(part.mesh, ("DG", 0)))
        cells = np.asarray(function.function_space.dofmap.list).ravel()
        inside = given if isinstance(given, float) else 0.0
        function.x.array[cells] = np.where(part.cell_tags == tags.CBD, binder, inside)
        return function

    def _particle_forms(self, phi_p: fem.Function) -> WeakForms:
        """Electrons in particles with a conductivity that depends on s."""
        given = self._parameters.active_material.electronic_conductivity_of_fraction
        assert callable(given)
        space, s = self._spaces.by_field["s"].space, self._spaces.functions["s"]
        u, w = ufl.TrialFunction(space), ufl.TestFunction(space)
        dx = self._spaces.measure(self._mesh.particles)
        residual = carbon.electronic_charge(phi_p, w, sigma=given(s), dx=dx)
        return WeakForms(
            {},
            nonlinear={INNER: residual},
            derivatives={
                (INNER, INNER): ufl.derivative(residual, phi_p, u),
                (INNER, "s"): ufl.derivative(residual, s, u),
            },
        )

    def _porous_properties(self) -> tuple[fem.Function, fem.Function]:
        """Porosity and Bruggeman factor of the electrolyte's cells."""
        binder, separator = self._parameters.carbon_binder, self._parameters.separator
        part = self._mesh.electrolyte
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
        p = self._parameters
        functions, T = p.electrolyte.functions, p.temperature
        c = p.electrolyte.initial_concentration * electrolyte.positive(y)
        return electrolyte.ElectrolyteCoefficients(
            D=transport * functions.diffusivity(c, T),
            kappa=transport * functions.conductivity(c, T),
            t_plus=functions.transference_number(c, T),
            tdf=functions.thermodynamic_factor(c, T),
        )


def merged(*parts: WeakForms) -> WeakForms:
    """All the forms of several physics."""
    return WeakForms(
        storage={k: v for part in parts for k, v in part.storage.items()},
        constant={k: v for part in parts for k, v in part.constant.items()},
        nonlinear={k: v for part in parts for k, v in part.nonlinear.items()},
        derivatives={k: v for part in parts for k, v in part.derivatives.items()},
    )
