"""A half-cell DFN in PyBaMM, independent of heterode: reads one JSON object from stdin, prints one.

Input: lengths (m), porosities, effective conductivity, materials, current density (A m^-2, positive
on charge), open-circuit potential as a table, times (s), a factor on the electrolyte's
thermodynamic factor. Output: voltage (V) at those times. The electrolyte's functions are PyBaMM's
own.
"""

import json
import sys

import numpy as np
import pybamm

F = 96485.33212


def parameters(asked):
    """Return PyBaMM's parameters; its set Xu2019 supplies the other parameters of a half-cell."""
    rate, fraction, voltage = asked["rate_constant"], *map(np.array, asked["open_circuit"])

    def potential(sto):
        return pybamm.Interpolant(fraction, voltage, sto, interpolator="cubic")

    def exchange_current(c_e, c_s, c_max, T):
        return F * rate * (c_max - c_s) ** 0.5 * c_s**0.5 * (c_e / 1000.0) ** 0.5

    def lithium_exchange(c_e, c_Li, T):
        metal = asked["lithium"]
        scale = F * metal["rate_constant"] * metal["concentration"] ** 0.7
        return scale * c_e**0.3

    # LiPF6 in EC:EMC 3:7 by Landesfeind and Gasteiger; all four functions are PyBaMM's own.
    electrolyte = pybamm.ParameterValues("ORegan2022")
    factor = electrolyte["Thermodynamic factor"]

    def thermodynamic(c_e, T):
        return asked["thermodynamic_factor"] * factor(c_e, T)

    values = pybamm.ParameterValues("Xu2019")
    values.update(
        {
            "Electrode height [m]": 1.0,
            "Electrode width [m]": 1.0,
            "Separator thickness [m]": asked["separator_thickness"],
            "Positive electrode thickness [m]": asked["coating_thickness"],
            "Current function [A]": -asked["current_density"],
            "Positive electrode conductivity [S.m-1]": asked["electronic_conductivity"],
            "Positive electrode Bruggeman coefficient (electrode)": 0.0,
            "Maximum concentration in positive electrode [mol.m-3]": asked["c_max"],
            "Initial concentration in positive electrode [mol.m-3]": asked["c_max"] * asked["x_0"],
            "Positive particle diffusivity [m2.s-1]": asked["diffusivity"],
            "Positive particle radius [m]": asked["radius"],
            "Positive electrode OCP [V]": potential,
            "Positive electrode active material volume fraction": asked["active_fraction"],
            "Positive electrode porosity": asked["porosity"],
            "Positive electrode Bruggeman coefficient (electrolyte)": 1.5,
            "Positive electrode exchange-current density [A.m-2]": exchange_current,
            "Exchange-current density for lithium metal electrode [A.m-2]": lithium_exchange,
            "Separator porosity": asked["separator_porosity"],
            "Separator Bruggeman coefficient (electrolyte)": 1.5,
            "Initial concentration in electrolyte [mol.m-3]": 1000.0,
            "Thermodynamic factor": thermodynamic,
            **{
                key: electrolyte[key]
                for key in (
                    "Cation transference number",
                    "Electrolyte diffusivity [m2.s-1]",
                    "Electrolyte conductivity [S.m-1]",
                )
            },
            "Ambient temperature [K]": asked["temperature"],
            "Initial temperature [K]": asked["temperature"],
            "Reference temperature [K]": asked["temperature"],
            "Lower voltage cut-off [V]": 2.0,
            "Upper voltage cut-off [V]": 5.0,
        }
    )
    return values


def main():
    """Read the question, solve the DFN and print the answer."""
    asked = json.load(sys.stdin)
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN({"working electrode": "positive"}),
        parameter_values=parameters(asked),
        var_pts={"x_n": 20, "x_s": 30, "x_p": 40, "r_n": 20, "r_p": 80},
        solver=pybamm.IDAKLUSolver(rtol=1e-8, atol=1e-8),
    )
    times = np.array(asked["times"])
    solution = simulation.solve([0.0, float(times[-1])], t_interp=times)
    voltage = solution["Voltage [V]"](times)
    answer = {"voltage": voltage.tolist(), "version": pybamm.__version__}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
