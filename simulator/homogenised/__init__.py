"""The homogenised counterpart of a run: a half-cell DFN in PyBaMM of the same electrode.

    results folder -> twin.json, twin.py -> (a Python with PyBaMM) -> twin.csv, twin.png

PyBaMM is not a dependency: both files are written without it, and twin.py runs in any Python that
has it. `heterode.homogenised.electrode` describes the parameters of the DFN.
"""

from heterode.homogenised.making import PYBAMM, Comparison, make_counterpart, pybamm_python

__all__ = ["PYBAMM", "Comparison", "make_counterpart", "pybamm_python"]
