"""Limits with an exact solution: disc, sphere, slab, and the kinetics without transport."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from helpers import exact_limits
from helpers.exact_limits import (
    DISC_DIFFUSIVITY,
    SPHERE_DIFFUSIVITY,
    SPHERE_RISE,
    START_FRACTION,
    AgainstSeries,
    Floats,
    asinh_pair,
    overpotential,
    sphere_run,
)
from helpers.manufactured import SmoothCurve
from helpers.manufactured import cell as block_cell
from helpers.mapped_grid import Blocks, mapped_grid
from heterode.solver.model import CellModel
from heterode.solver.time.state import State
from heterode.solver.time.terminal import ConstantCurrent
from verification.claim import Claim, Curve, Outcome, Plot, at_most

# -- diffusion under constant flux ------------------------------------------------------------


def disc(diffusivity: float = DISC_DIFFUSIVITY) -> Outcome:
    """Compare the surface of a disc under constant flux with the series for a diffusivity."""
    return _outcome(exact_limits.disc(diffusivity), 2e-3)


def _outcome(found: AgainstSeries, bound: float) -> Outcome:
    """Return the outcome that the deviation from the series is below a bound."""
    curves = (
        Curve("series", found.times, found.exact),
        Curve("simulator", found.times, found.surface, line=False),
    )
    plot = Plot("time, s", "lithium fraction at the surface", curves)
    figure = at_most("largest deviation over total change", found.deviation, bound)
    return Outcome((figure,), (plot,))


def sphere(diffusivity: float = SPHERE_DIFFUSIVITY) -> Outcome:
    """Compare the surface of a sphere under constant flux with the series for a diffusivity."""
    found = exact_limits.sphere(diffusivity)
    whole = _outcome(found, 5e-3)
    change = sphere_run()[0] * (START_FRACTION - found.surface[-1])
    end = at_most("change at 600 s against 4596.106 mol/m^3", abs(change / SPHERE_RISE - 1), 5e-3)
    return Outcome((*whole.figures, end), whole.plots)


# -- Bruggeman's slab -------------------------------------------------------------------------

SLAB = Blocks(lengths=(14.0, 1.0), coating=10.0, particles=(((5.0, 0.0), (6.0, 0.5)),))
KAPPA, SIGMA = 0.05, 0.1  # S/m
IN_BINDER, IN_SEPARATOR = 0.7, 0.4
EXPONENT = 1.5

SLAB_SETTINGS = (
    "electrolyte.model=constant",
    # Diffusion is so fast, and carries so little of the current, that no gradient adds to the ohmic
    # drop.
    "electrolyte.diffusivity=1e-6 m^2/s",
    f"electrolyte.conductivity={KAPPA} S/m",
    "electrolyte.transference_number=0.99",
    "electrolyte.thermodynamic_factor=1.0",
    f"carbon_binder.conductivity={SIGMA} S/m",
    f"carbon_binder.electrolyte_fraction={IN_BINDER}",
    f"separator.porosity={IN_SEPARATOR}",
)


def slab(*damages: str, exponent: float = EXPONENT) -> Outcome:
    """Measure effective conductivities from the drop of the potentials along a slab.

    Where nothing reacts, the mean potential over the cross-section is linear along the thickness,
    however the particle distorts the field near it.

    Args:
        damages: settings of the simulator that the expectation does not include.
        exponent: Bruggeman exponent of the expectation.
    """
    model = block_cell(mapped_grid(SLAB, per_um=4, order=1), *SLAB_SETTINGS, *damages)
    state = _under_current(model)
    density = state.I / 1e-6  # A/m^2; the slab is 1 um high
    model.layout.spread(state.vector)
    drops = {
        "electrolyte in the coating": ("phi_l", 8.0, 9.5, KAPPA * IN_BINDER**exponent),
        "electrolyte in the separator": ("phi_l", 11.0, 13.0, KAPPA * IN_SEPARATOR**exponent),
        "carbon binder": ("phi_s", 1.0, 3.0, SIGMA * (1 - IN_BINDER) ** exponent),
    }
    figures = []
    for name, (field, begin, end, expected) in drops.items():
        drop = mean_across(model, field, begin) - mean_across(model, field, end)
        found = density * (end - begin) * 1e-6 / abs(drop)
        figures.append(
            at_most(f"{name}: relative error of conductivity", abs(found / expected - 1), 1e-5)
        )
    return Outcome(tuple(figures), (_profiles(model),))


def _under_current(model: CellModel) -> State:
    """Return the state after a second at 2C."""
    start = model.start()
    U = float(SmoothCurve().potential_and_slope(start.vector[:1])[0][0])
    stepper = model.stepper(replace(start, V=U))
    return stepper.accept(stepper.attempt(1.0, ConstantCurrent(2 * model.one_C)))


def _nodes(model: CellModel, field: str) -> tuple[Floats, Floats]:
    """Return the places, (N, 2), um, and values, (N,), of a field at its nodes."""
    function = model.layout.functions[field]
    points = function.function_space.tabulate_dof_coordinates()[:, :2] * 1e6
    return points, function.x.array[: len(points)]


def mean_across(model: CellModel, field: str, at_um: float) -> float:
    """Return the mean of a linear field over the cross-section at a grid line."""
    points, values = _nodes(model, field)
    on = np.flatnonzero(np.abs(points[:, 0] - at_um) < 1e-6)
    order = on[np.argsort(points[on, 1])]
    return float(np.trapezoid(values[order], points[order, 1]))


def _profiles(model: CellModel) -> Plot:
    curves = []
    for field, name in (("phi_l", "electrolyte"), ("phi_s", "carbon binder")):
        points, _ = _nodes(model, field)
        along = np.unique(np.round(points[:, 0], 6))
        whole = [x for x in along if x <= 5.0 or x >= 6.0]
        means = [1e3 * mean_across(model, field, x) for x in whole]
        curves.append(Curve(name, whole, means, line=False))
    return Plot("distance from the collector, um", "mean potential, mV", tuple(curves))


# -- kinetics without transport ---------------------------------------------------------------


PENALTIES = (1.0, 0.5, 0.05)


def asinh_limit(order: float = 0.5) -> Outcome:
    """Compare V - U with (2RT/F) asinh(i / (2 pen i0)) for three penalty factors."""
    pairs = np.array([asinh_pair(penalty, order) for penalty in PENALTIES])
    differences = np.abs(pairs[:, 0] - pairs[:, 1])
    curves = (
        Curve("2RT/F asinh(i / (2 pen i0))", PENALTIES, 1e3 * pairs[:, 1]),
        Curve("simulator", PENALTIES, 1e3 * pairs[:, 0], line=False),
    )
    plot = Plot("penalty factor", "overpotential, mV", curves)
    return Outcome(
        (at_most("largest difference of the overpotential", differences.max(), 2e-6, "V"),), (plot,)
    )


LINEAR_PENALTIES = (1.0, 0.7, 0.5)
"""Penalty factors; at smaller ones the current is no longer small against the exchange current."""


def linear_kinetics(order: float = 0.5, transfer: float = 1.0) -> Outcome:
    """Compare V - U with (RT/F) i / (pen i0) far below the exchange current.

    Args:
        order: exponent of the vacancies in the expected exchange current.
        transfer: factor on the expected resistance.
    """
    measured, expected = [], []
    for penalty in LINEAR_PENALTIES:
        eta, exchange, i, thermal = overpotential(1e-9, penalty, "charge at C/40 for 2 h")
        measured.append(eta / i)
        expected.append(transfer * thermal / (penalty * exchange(order)))
    curves = (
        Curve("RT / (F pen i0)", LINEAR_PENALTIES, 1e4 * np.array(expected)),
        Curve("simulator", LINEAR_PENALTIES, 1e4 * np.array(measured), line=False),
    )
    plot = Plot("penalty factor", "resistance, ohm cm^2", curves)
    wrong = np.abs(np.array(measured) / np.array(expected) - 1)
    return Outcome((at_most("relative error of the resistance", wrong.max(), 1e-3),), (plot,))


def claims() -> tuple[Claim, ...]:
    """Return the claims on limits."""
    return (
        Claim(
            "disc",
            "The surface of a disc under constant flux follows the series",
            disc,
            {"series for a diffusivity of 4e-15 in place of 3e-15 m^2/s": partial(disc, 4e-15)},
        ),
        Claim(
            "sphere",
            "The surface of a sphere under constant flux follows the series",
            sphere,
            {"series for a diffusivity 3 % higher": partial(sphere, 1.03 * SPHERE_DIFFUSIVITY)},
            quick=False,
        ),
        Claim(
            "bruggeman",
            "A slab conducts as Bruggeman's relation has it: electrolyte, separator, carbon",
            slab,
            {
                "exponent 1.5001 for 1.5": partial(slab, exponent=1.5001),
                "equation (9) as printed": partial(
                    slab, "carbon_binder.bruggeman_carbon=as_printed"
                ),
            },
        ),
        Claim(
            "linear-kinetics",
            "Far below the exchange current the interface is a resistance RT / (F pen i0)",
            linear_kinetics,
            {
                "resistance 2 % higher": partial(linear_kinetics, transfer=1.02),
                "exchange current with exponent 0.49": partial(linear_kinetics, 0.49),
            },
        ),
        Claim(
            "asinh",
            "Without transport loss V - U = (2RT/F) asinh(i / (2 pen i0))",
            asinh_limit,
            {"exchange current with exponent 0.4": partial(asinh_limit, 0.4)},
        ),
    )
