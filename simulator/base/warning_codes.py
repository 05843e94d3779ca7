"""What the codes of warnings mean, in a sentence each, for `heterode explain`."""

from __future__ import annotations

MEANINGS = {
    "salt_concentration": "The salt left the electrolyte's measured range, at whose ends its "
    "properties are held.",
    "open_circuit_curve": "Lithium fractions left the range in which the open-circuit curve was "
    "measured; it is extrapolated there.",
    "diffusivity_function": "Lithium fractions left the range of the diffusivity's table or "
    "function, at whose ends it is held.",
    "exchange_current_function": "Lithium fractions left the range of the exchange current's table "
    "or law, at whose ends it is held.",
    "electronic_conductivity_function": "Lithium fractions left the range of the particles' "
    "electronic conductivity, at whose ends it is held.",
    "lithium_fraction_unphysical": "A node of the state has a lithium fraction below 0 or above 1: "
    "elements too coarse for a steep front overshoot it.",
    "temperature_without_activation": "The temperature is more than 1 K from 298.15 K, and "
    "activation energies are 0: nothing changes with it.",
    "temperature_of_electrolyte": "The temperature is more than 1 K from 298.15 K, and a constant "
    "electrolyte does not change with it.",
    "temperature_of_curve": "The temperature is more than 10 K from that of the open-circuit "
    "curve, which has no entropy.",
    "loss_separator": "The separator's ohmic drop at the largest current is above half the voltage "
    "window.",
    "loss_electrolyte": "The electrolyte's ohmic drop in the coating at the largest current is "
    "above half the voltage window.",
    "loss_carbon": "The carbon's ohmic drop in the coating at the largest current is above half "
    "the voltage window.",
    "loss_contact": "The drop at the contact resistance at the largest current is above half the "
    "voltage window.",
    "loss_lithium_metal": "The overpotential of the lithium metal at the largest current is above "
    "half the voltage window.",
    "loss_interface": "The overpotential of particles with the median penalty at the largest "
    "current is above half the voltage window.",
    "loss_particles": "The ohmic drop in the particles at the largest current is above half the "
    "voltage window.",
    "salt_depletion": "The current is above the limiting one, at which a steady profile runs "
    "out of salt.",
    "diffusion_limit": "The current is so large that the surfaces of particles run ahead of their "
    "mean by the whole range of lithium fractions.",
    "coarse_elements": "Without layers, elements are larger than the depth to which lithium "
    "diffuses in a step.",
    "space_accuracy": "Layers are expected to leave more than half of solver.accuracy as an error "
    "of the mesh.",
    "conditioning_without_cycles": "penalty.conditioning changes nothing in a protocol of "
    "one cycle.",
    "stops_out_of_reach": "Voltages of protocol.stops lie beyond the ends of all charges and "
    "discharges.",
    "double_layer_share": "The double layer holds more than a twentieth of the capacity.",
    "double_layer_time": "The double layer takes longer to charge than the longest step lasts.",
    "separator_thickness": "The separator is thinner than 3 um or thicker than 1 mm.",
    "coating_thickness": "The coating is thinner than 1 um or thicker than 1 mm.",
    "bruggeman_separator": "The separator's Bruggeman exponent is below 1, with which pores would "
    "conduct better than straight channels, or above 4.",
    "bruggeman_coating": "The coating's Bruggeman exponent is below 1, with which pores would "
    "conduct better than straight channels, or above 4.",
    "maximum_concentration": "active_material.maximum_concentration is outside what is "
    "published of NMC, 35 000 to 64 000 mol/m^3.",
    "mesh_quality": "The worst cell of the mesh has an angle or a Jacobian below what is usual.",
    "rescaled_penalties": "Runs of a sweep have different numbers of particles, and with "
    'penalty.restriction = "rescale" the largest penalty drawn grows with them.',
    "altered_files": "Results were read that are not as the run wrote them, since "
    "`--accept-altered` asked for it.",
}
"""By code, as in `warnings` of manifest.json."""
