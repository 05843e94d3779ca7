"""Electrolyte functions of PyBaMM's parameter sets: reads one JSON object from stdin, prints one.

Input: {name: {"set": parameter set, "temperatures": [...], "concentrations": [...]}}, K and mol
m^-3. Output: {name: {property: [[value at each concentration] at each temperature]}}, SI; and the
version. All functions are PyBaMM's; none is written here.
"""

import json
import sys

import numpy as np
import pybamm

PROPERTIES = {
    "diffusivity": "Electrolyte diffusivity [m2.s-1]",
    "conductivity": "Electrolyte conductivity [S.m-1]",
    "transference_number": "Cation transference number",
    "thermodynamic_factor": "Thermodynamic factor",
}


def at(function, concentrations, temperature):
    """Return the values of a function of PyBaMM, or of a number."""
    c = pybamm.Vector(np.array(concentrations))
    found = function(c, pybamm.Scalar(temperature)) if callable(function) else function
    found = found.evaluate() if isinstance(found, pybamm.Symbol) else found
    return np.broadcast_to(np.ravel(found), len(concentrations)).tolist()


def main():
    """Read the question, evaluate the functions and print the answer."""
    answer = {"version": pybamm.__version__}
    for name, asked in json.load(sys.stdin).items():
        values = pybamm.ParameterValues(asked["set"])
        answer[name] = {
            key: [at(values[long], asked["concentrations"], T) for T in asked["temperatures"]]
            for key, long in PROPERTIES.items()
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
