"""A half-cell DFN in PyBaMM, from the numbers and tables of a twin.json. Needs NumPy and PyBaMM.

`heterode twin` writes this file as twin.py beside its twin.json. It does not depend on
heterode: `python3 twin.py` follows the current and prints a CSV table; `parameter_values(twin)`
serves any other experiment.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pybamm

Function = Callable[..., Any]


def table(entry: dict[str, Any]) -> Function:
    """Return a function of one symbol: a cubic spline through the points of a table."""
    x, y = np.array(entry["x"]), np.array(entry["y"])

    def value(symbol: Any) -> Any:
        return pybamm.Interpolant(x, y, symbol, interpolator="cubic")

    return value


def parameter_values(twin: dict[str, Any]) -> Any:
    """Return PyBaMM's parameter values: the numbers, and a function for each table.

    Args:
        twin: the content of twin.json.
    """
    values = dict(twin["parameters"])
    tables = {name: table(entry) for name, entry in twin["functions"].items()}

    def of_lithium_fraction(name: str) -> Function:
        return lambda sto, *rest: tables[name](sto)

    def of_concentration(name: str) -> Function:
        return lambda c_e, *rest: tables[name](c_e)

    def exchange_current(c_e: Any, c_s_surf: Any, c_s_max: Any, T: Any) -> Any:
        entry = twin["functions"]["Positive electrode exchange-current density [A.m-2]"]
        salt = (c_e / entry["at electrolyte concentration [mol.m-3]"]) ** entry["order of the salt"]
        return table(entry)(c_s_surf / c_s_max) * salt

    for name, entry in twin["functions"].items():
        over_salt = entry["argument"].startswith("electrolyte")
        values[name] = of_concentration(name) if over_salt else of_lithium_fraction(name)
    values["Positive electrode exchange-current density [A.m-2]"] = exchange_current
    values["Current function [A]"] = current(twin["current"])
    return pybamm.ParameterValues(values)


def current(entry: dict[str, Any]) -> Any:
    """Return the current over time, positive on discharge, linear between a table's points."""
    time, amperes = np.array(entry["time_s"]), np.array(entry["current_A"])
    if np.ptp(amperes) == 0:
        return float(amperes[0])
    return pybamm.Interpolant(time, amperes, pybamm.t, interpolator="linear")


def solve(twin: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Follow the current of twin.json.

    Returns:
        Columns by name: times (s) up to which the DFN could be solved, voltage (V), mean lithium
        fraction of the positive electrode; and why it ended early, or "".
    """
    model = pybamm.lithium_ion.DFN(twin["model options"])
    simulation = pybamm.Simulation(
        model,
        parameter_values=parameter_values(twin),
        var_pts=twin["mesh points"],
        solver=pybamm.IDAKLUSolver(rtol=1e-7, atol=1e-8),
    )
    times = np.array(twin["output times [s]"])
    # The solver restarts where the current jumps.
    stops = np.unique([0.0, *twin["current"]["jumps_s"], times[-1]])
    solution = simulation.solve(stops, t_interp=times)
    reached = times[times <= solution.t[-1]]
    fraction = "Average positive particle stoichiometry"
    columns = {
        "time_s": reached,
        "voltage_V": solution["Voltage [V]"](reached),
        "lithium_fraction_mean": solution[fraction](reached),
    }
    early = "" if reached.size == times.size else str(solution.termination)
    return columns, early
