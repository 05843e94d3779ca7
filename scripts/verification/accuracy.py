"""The voltage at the default accuracy against 25 layers, and the runs' own estimate of its error.

The cases and references are those of docs/accuracy.md; see scripts/accuracy.py and
tests/helpers/accuracy_cases.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

from helpers.accuracy_cases import BY_NAME, CASES, Case
from helpers.accuracy_runs import FINE_IN_TIME, Measured, measure, reference
from helpers.voltage_curve import Difference, difference
from verification.claim import Claim, Curve, Figure, Outcome, Plot, at_most

MORE_KRYLOV = 1.10
"""Largest ratio of the linear iterations in each of Newton's to those without layers.

Both runs control their time steps alike, by the default accuracy: shorter steps after a jump have
other ratios of storage to diffusion, and so other iterations, whatever the mesh.
"""

NO_LAYERS = ("solver.layers=none",)

ESTIMATE_OVER_TRUE = (0.8, 3.0)
"""Range of the largest estimate of the space error of a run, in the largest true one."""

PLANAR = tuple(case.name for case in CASES if case.dimension == 2)
SPATIAL = tuple(case.name for case in CASES if case.dimension == 3)


def before(case: Case) -> tuple[str, ...]:
    """Return the settings of the mesh and the first time step as they were before layers."""
    return ("solver.layers=none", f"solver.initial_step={case.first_step_s} s")


@lru_cache(maxsize=64)
def run(name: str, changes: tuple[str, ...]) -> Measured:
    """Run a case once for all claims."""
    return measure(BY_NAME[name], changes)


def _error_curve(case: Case, found: Difference) -> Curve:
    return Curve(case.name, found.time_s, 1e3 * abs(found.volts))


def voltages(names: Sequence[str], *, layers: bool = True) -> Outcome:
    """Compare voltage, unknowns and iterations of cases with what is allowed at 1 mV.

    Args:
        names: names of the cases.
        layers: False runs them as they were before there were layers.
    """
    figures: list[Figure] = []
    curves: list[Curve] = []
    for name in names:
        case = BY_NAME[name]
        without = run(name, before(case))
        found = run(name, ()) if layers else without
        against = difference(found.curve, reference(case, case.finer))
        allowed = 1e3 * case.allowed
        figures.append(at_most(f"{name}: error of V", 1e3 * against.largest, allowed, "mV"))
        ratio = found.unknowns / without.unknowns
        figures.append(at_most(f"{name}: ratio of unknowns", ratio, case.unknowns))
        if found.krylov_per_newton > 0:
            more = found.krylov_per_newton / run(name, NO_LAYERS).krylov_per_newton
            figures.append(at_most(f"{name}: ratio of linear iterations", more, MORE_KRYLOV))
        curves.append(_error_curve(case, against))
    plot = Plot("time, s", "error of the voltage, mV", tuple(curves), logarithmic=True)
    return Outcome(tuple(figures), (plot,))


def estimates(
    names: Sequence[str], settings: Sequence[str] = ("5 mV", "1 mV"), *, share: float = 1.0
) -> Outcome:
    """Compare the estimates of the space error with the errors against 25 layers on one mesh.

    Time steps are as accurate as the reference's, so that all of the difference is one of space.

    Args:
        names: names of the cases.
        settings: values of solver.accuracy; "none" stands for no layers.
        share: factor on the estimate.
    """
    figures = []
    for setting in settings:
        ratios = []
        for name in names:
            case = BY_NAME[name]
            changes = before(case) if setting == "none" else (f"solver.accuracy={setting}",)
            found = run(name, (*changes, *FINE_IN_TIME))
            true = difference(found.curve, reference(case, 1)).largest
            ratios.append(share * found.largest_estimate / true)
        what = "no layers" if setting == "none" else setting
        text = f"{what}: estimate over true error, {', '.join(names)}"
        figures.append(Figure(text, tuple(ratios), *ESTIMATE_OVER_TRUE))
    return Outcome(tuple(figures))


ITERATIONS = """\
Linear iterations are those of whole runs at the default accuracy. In short time steps layers take \
more of them: 3C for 5 min, in 43 steps of the same lengths that double from 0.1 to 8 s whatever \
their error, took 4.98 for each solve, 4.16 without layers. Complete factors of the particles' \
block leave three quarters of that difference in the first minute, so that most of it lies in the \
coupling of particles and potentials."""


def claims() -> tuple[Claim, ...]:
    """Return the claims on the accuracy of the voltage."""
    planar = Claim(
        "accuracy-2d",
        "Discs: at the default accuracy the voltage is within 1 mV of 25 layers on a mesh of h/4",
        partial(voltages, PLANAR),
        {
            f"no layers under the surfaces, {name}": partial(voltages, (name,), layers=False)
            for name in ("A", "B", "C")
        },
        quick=False,
    )
    spatial = replace(
        planar,
        name="accuracy-3d",
        text="Spheres: at the default accuracy the voltage is within 1 mV of 25 layers",
        measure=partial(voltages, SPATIAL),
        controls={
            f"no layers under the surfaces, {name}": partial(voltages, (name,), layers=False)
            for name in ("A-3d", "B-3d")
        },
        note=ITERATIONS,
    )
    estimate = Claim(
        "space-error",
        "The estimate of the space error is 0.8 to 3 times the true one, with layers and without",
        partial(estimates, (*PLANAR, *SPATIAL), ("none", "5 mV", "1 mV")),
        {
            "an estimate from a third of the difference": partial(
                estimates, ("A", "B"), ("1 mV",), share=1 / 3
            )
        },
        quick=False,
    )
    return planar, spatial, estimate
