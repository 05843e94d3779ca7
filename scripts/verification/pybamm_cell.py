"""A half-cell DFN in PyBaMM, independent of heterode: reads one JSON object from stdin, prints one.

Input: lengths (m), porosities, effective conductivity, initial lithium fraction, temperature (K),
the material, and the steps of the protocol: each prescribes a current density (A m^-2, positive on
charge), a voltage (V) or a power (W m^-2), ends at a duration (s), a voltage or a current density,
and lists times since its beginning (s).

The material is either a parameter set of PyBaMM, "set", whose functions are then taken as they are
(of them "scale" multiplies the diffusivity, and "tables" replaces some by points), or numbers, a
table of the open-circuit potential and a factor on the electrolyte's thermodynamic factor.

Output: for each step voltage (V) and current density at these times, up to its end, and the charge
passed in it (A h m^-2). The electrolyte's functions and all equations are PyBaMM's.
"""

import json
import sys

import numpy as np
import pybamm

F = 96485.33212
GAS = 8.31446261815324

POTENTIAL = "Positive electrode OCP [V]"
ENTROPY = "Positive electrode OCP entropic change [V.K-1]"
DIFFUSIVITY = "Positive particle diffusivity [m2.s-1]"
EXCHANGE = "Positive electrode exchange-current density [A.m-2]"


def points(table):
    """Return a function of the lithium fraction through points."""
    x, y = map(np.array, table)
    return lambda sto: pybamm.Interpolant(x, y, sto, interpolator="cubic")


def of_numbers(asked):
    """Return PyBaMM's parameters with a material given in numbers.

    Its set Xu2019 supplies the other parameters of a half-cell.
    """
    rate, potential = asked["rate_constant"], points(asked["open_circuit"])

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
            "Maximum concentration in positive electrode [mol.m-3]": asked["c_max"],
            DIFFUSIVITY: asked["diffusivity"],
            POTENTIAL: potential,
            EXCHANGE: exchange_current,
            "Exchange-current density for lithium metal electrode [A.m-2]": lithium_exchange,
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
            "Reference temperature [K]": asked["temperature"],
        }
    )
    return values


def of_set(asked):
    """Return the parameters of a set of PyBaMM with the lithium metal of its set Xu2019.

    The transfer coefficient is the exponent of the salt in the set's exchange current; the sets
    have it only there, since PyBaMM's default kinetics are symmetric.
    """
    values, metal = pybamm.ParameterValues(asked["set"]), pybamm.ParameterValues("Xu2019")
    added = {
        key: value
        for key, value in metal.items()
        if "lithium metal" in key.lower() or key.startswith("Negative electrode")
    }
    values.update(added, check_already_exists=False)
    scale = asked["scale"]
    if scale != 1.0:
        right = values[DIFFUSIVITY]
        values[DIFFUSIVITY] = lambda sto, T: scale * right(sto, T)
    transfer, tables = asked["transfer_coefficient"], asked.get("tables")
    values.update(
        {
            "Positive electrode Butler-Volmer transfer coefficient": transfer,
            "Negative electrode Butler-Volmer transfer coefficient": 0.5,
        },
        check_already_exists=False,
    )
    if tables is not None:
        potential, diffusivity, exchange = (
            points(tables[key]) for key in ("open_circuit", "diffusivity", "exchange_current")
        )
        salt = values["Initial concentration in electrolyte [mol.m-3]"]
        values.update(
            {
                POTENTIAL: potential,
                ENTROPY: 0.0,
                DIFFUSIVITY: lambda sto, T: diffusivity(sto),
                EXCHANGE: lambda c_e, c_s, c_max, T: (
                    exchange(c_s / c_max) * (c_e / salt) ** transfer
                ),
            }
        )
    return values


def parameters(asked):
    """Return PyBaMM's parameters of the cell."""
    values = of_set(asked) if "set" in asked else of_numbers(asked)
    c_max = values["Maximum concentration in positive electrode [mol.m-3]"]
    values.update(
        {
            "Electrode height [m]": 1.0,
            "Electrode width [m]": 1.0,
            "Separator thickness [m]": asked["separator_thickness"],
            "Positive electrode thickness [m]": asked["coating_thickness"],
            "Positive electrode conductivity [S.m-1]": asked["electronic_conductivity"],
            "Positive electrode Bruggeman coefficient (electrode)": 0.0,
            "Initial concentration in positive electrode [mol.m-3]": c_max * asked["x_0"],
            "Positive particle radius [m]": asked["radius"],
            "Positive electrode active material volume fraction": asked["active_fraction"],
            "Positive electrode porosity": asked["porosity"],
            "Positive electrode Bruggeman coefficient (electrolyte)": 1.5,
            "Separator porosity": asked["separator_porosity"],
            "Separator Bruggeman coefficient (electrolyte)": 1.5,
            "Ambient temperature [K]": asked["temperature"],
            "Initial temperature [K]": asked["temperature"],
            "Lower voltage cut-off [V]": 2.0,
            "Upper voltage cut-off [V]": 5.0,
        }
    )
    return values


def experiment(steps):
    """Return the protocol; PyBaMM's currents and powers are positive on discharge."""
    made = []
    for step in steps:
        make = getattr(pybamm.step, step["control"])
        value = step["value"] if step["control"] == "voltage" else -step["value"]
        ends = {
            "voltage": lambda V: f"{V} V",
            "current": lambda j: f"{j} A",
        }
        termination = [ends[key](step["end"][key]) for key in ends if key in step["end"]]
        duration = step["end"].get("duration", 1e6)
        # Without a period the solver's own time steps are kept, and its polynomials between them.
        made.append((make(value, duration=duration, termination=termination or None),))
    return pybamm.Experiment(made)


def at(found, times):
    """Return a step's voltage and current at times since its beginning, up to its end."""
    begin, end = found.t[0], found.t[-1]
    inside = np.array([t for t in times if t <= end - begin + 1e-9])
    asked = np.minimum(begin + inside, end)
    return {
        "voltage": found["Voltage [V]"](asked).tolist(),
        "current": (-found["Current [A]"](asked)).tolist(),
        "passed": float(-np.diff(found["Discharge capacity [A.h]"](np.array([begin, end])))[0]),
    }


def main():
    """Read the question, solve the DFN and print the answer."""
    asked = json.load(sys.stdin)
    kinetics = {"intercalation kinetics": "asymmetric Butler-Volmer"} if "set" in asked else {}
    model = pybamm.lithium_ion.DFN({"working electrode": "positive", **kinetics})
    submeshes = dict(model.default_submesh_types)
    # The outermost of 80 shells is some 20 times thinner than the innermost: jumps of the current
    # change the lithium there first.
    submeshes["positive particle"] = pybamm.MeshGenerator(
        pybamm.Exponential1DSubMesh, {"side": "right", "stretch": 3.0}
    )
    simulation = pybamm.Simulation(
        model,
        experiment=experiment(asked["steps"]),
        parameter_values=parameters(asked),
        submesh_types=submeshes,
        var_pts={"x_n": 20, "x_s": 30, "x_p": 40, "r_n": 20, "r_p": 80},
        solver=pybamm.IDAKLUSolver(rtol=1e-8, atol=1e-8),
    )
    solution = simulation.solve()
    answer = {
        "steps": [
            at(cycle.steps[0], step["times"])
            for cycle, step in zip(solution.cycles, asked["steps"], strict=True)
        ],
        "version": pybamm.__version__,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
