"""Equal spheres in 3D, for which the homogenised half-cell (DFN) of PyBaMM is nearly exact."""

from __future__ import annotations

RATES = ("C/2", "1C")
BOUND = 0.5
"""What the root mean square of the difference of the voltages stays below, mV."""

START, END = 0.9, "4.3 V"

SPHERES = (
    "geometry.coating_thickness=46 um",
    "geometry.particles=47",
    # Pieces that a wall cuts off are no spheres: they charge ahead of the rest.
    "geometry.walls=inside",
    'geometry.particle_size={ distribution = "monodisperse", diameter = "5 um" }',
    # 0.356 of the coating is active: near the fractions that Bruggeman's relation holds for.
    "composition.areal_mass=8.28 mg/cm^2",
    "active_material.diffusivity=1e-14 m^2/s",
    "active_material.rate_constant=1e-10 m/s",
    f"active_material.initial_lithium_fraction={START}",
    # PyBaMM has all four functions of this one, so that none is written here twice.
    "electrolyte.model=landesfeind",
    "collector.contact_resistance=1e-8 ohm m^2",
    "solver.fraction_tolerance=3e-5",
    "solver.voltage_tolerance=0.02 mV",
)
