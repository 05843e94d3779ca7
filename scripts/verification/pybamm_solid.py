"""Functions of PyBaMM's active materials: reads one JSON object from stdin, prints one.

Input: the parameter set, temperatures (K) and stoichiometries. Output: the maximum concentration
(mol m^-3) and, at each temperature, open-circuit potential (V), diffusivity (m^2 s^-1) and
exchange-current density (A m^-2) at each stoichiometry, and the exponent of the salt in the latter;
the salt has its initial concentration. All functions are PyBaMM's, evaluated as its models do; none
is written here.
"""

import json
import sys

import numpy as np
import pybamm


def main():
    """Read the question, evaluate the functions and print the answer."""
    asked = json.load(sys.stdin)
    values = pybamm.ParameterValues(asked["set"])
    positive = pybamm.LithiumIonParameters().p.prim
    most = values["Maximum concentration in positive electrode [mol.m-3]"]
    salt = values["Initial concentration in electrolyte [mol.m-3]"]
    fractions = np.array(asked["stoichiometries"])
    x, c = pybamm.Vector(fractions), pybamm.Vector(most * fractions)

    def evaluated(symbol):
        found = values.process_symbol(symbol).evaluate()
        return np.broadcast_to(np.ravel(found), fractions.shape)

    answer = {"maximum_concentration": most, "salt": salt, "at": []}
    for kelvin in map(pybamm.Scalar, asked["temperatures"]):
        exchange = evaluated(positive.j0(pybamm.Scalar(salt), c, kelvin))
        doubled = evaluated(positive.j0(pybamm.Scalar(2 * salt), c, kelvin))
        answer["at"].append(
            {
                "open_circuit": evaluated(positive.U(x, kelvin)).tolist(),
                "diffusivity": evaluated(positive.D(c, kelvin)).tolist(),
                "exchange_current": exchange.tolist(),
                "salt_exponent": float(np.log2(doubled / exchange).mean()),
            }
        )
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
