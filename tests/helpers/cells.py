"""Small cells on the shipped meshes, for tests of the physics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from helpers.paths import ROOT
from heterode.geometry.msh import read_msh
from heterode.parameters import Parameters, load_parameters
from heterode.particles.table import ParticleTable
from heterode.results.sample import Sample
from heterode.solver.discretisation.electrode_mesh import distribute
from heterode.solver.model import CellModel
from heterode.solver.time.conservation import Conservation
from heterode.solver.time.march import march
from heterode.solver.time.state import State

NO_TRANSPORT_LOSS = (
    'electrolyte.model="constant"',
    'electrolyte.diffusivity="1e-6 m^2/s"',
    'electrolyte.conductivity="1e4 S/m"',
    "electrolyte.transference_number=0.4",
    "electrolyte.thermodynamic_factor=1.0",
    'carbon_binder.conductivity="1e5 S/m"',
    'lithium_metal.kinetics="ideal"',
    'collector.contact_resistance="1e-8 ohm m^2"',
)
"""Overrides under which potentials and salt are uniform and the lithium metal costs nothing."""


def parameters(overrides: Sequence[str] = ()) -> Parameters:
    """The quickstart's parameters, changed."""
    return load_parameters(ROOT / "params" / "quickstart.toml", list(overrides))


def scattered(count: int, side_um: float = 100.0, dimension: int = 2) -> ParticleTable:
    """Particles of 2 um at random places of a square or cube, the same every time."""
    places = np.random.default_rng(5).uniform(0, side_um, (count, dimension))
    x, y, z = np.pad(places, ((0, 0), (0, 3 - dimension))).T
    one = np.ones(count)
    return ParticleTable(np.arange(count), x, y, z, one, np.pi * one, 2 * np.pi * one, one)


def cell(
    mesh: str, overrides: Sequence[str] = (), penalty: Sequence[float] | None = None
) -> CellModel:
    """A cell on meshes/<mesh>.msh; penalties 1 unless given."""
    from mpi4py import MPI

    electrode = distribute(MPI.COMM_SELF, read_msh(ROOT / "meshes" / f"{mesh}.msh"))
    factors = np.ones(len(electrode.particle_table)) if penalty is None else np.array(penalty)
    return CellModel(electrode, parameters(overrides), factors)


def run(
    model: CellModel, observe: Callable[[State, Conservation], None] = lambda state, balances: None
) -> tuple[list[Sample], Conservation]:
    """March the cell's protocol; a sample per accepted step, the initial state first.

    `observe` sees every accepted state with the balances up to it.
    """
    start = model.start()
    stepper = model.stepper(start)
    balances = Conservation(model.system, start)
    samples = [model.sample(start, step=0, accepted=0)]
    for marched in march(stepper, model.parameters.protocol.steps, model.pace):
        balances.update(marched.state, marched.prescribed)
        observe(marched.state, balances)
        samples.append(
            model.sample(marched.state, step=marched.protocol_step, accepted=stepper.steps)
        )
    return samples, balances
