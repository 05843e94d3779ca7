"""A proof of a run's layers: its first minutes again, on layers that are halved.

The voltage of two runs is compared from SETTLED after the first jump of the current on, for two
minutes or until the step ends. Halving every interval halves the error of the outermost at least,
so twice the difference bounds what the mesh's spacing under the surfaces changes. Both runs have
time steps far within the accuracy, so that these cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.accuracy.plan import Plan
from heterode.accuracy.record import SETTLED
from heterode.base.errors import InputError
from heterode.parameters import Parameters
from heterode.parameters.layering import MOST_LAYERS, Layers
from heterode.runs.layering import Layering
from heterode.runs.whole import prepare

Floats = npt.NDArray[np.float64]

LONGEST = 120.0
"""Simulated time after the first jump that is repeated, s."""

CLOSER = 20.0
"""How many times closer than in the run time steps are followed."""

COMPARED = 200
"""Times at which the voltages are compared, evenly by their logarithm."""

COARSE = 3
"""Layers that halve the outermost elements of a mesh without layers."""


@dataclass(frozen=True)
class Proof:
    """What halving the intervals changes.

    Attributes:
        layering, halved: the run's layers, and those that halve them.
        text: step after whose jump the voltages are compared.
        lasts: time after the jump that was repeated, s.
        difference: largest difference of the voltages, V.
        at: when it is, s after the jump.
    """

    layering: Layering
    halved: Layering
    text: str
    lasts: float
    difference: float
    at: float

    @property
    def lines(self) -> list[str]:
        """What the command prints."""
        allowed = 0.5 * self.layering.plan.accuracy
        verdict = "within" if 2.0 * self.difference <= allowed else "beyond"
        return [
            f"the first {self.lasts:.3g} s of '{self.text}' on {self.layering.plan.layers_text}, "
            f"and on {self.halved.plan.layers_text}, which halve"
            f" them ({self.halved.unknowns} unknowns instead of {self.layering.unknowns}):",
            f"the voltage differs by at most {1e3 * self.difference:.2g} mV,"
            f" {self.at:.2g} s after the jump; twice that,"
            f" {2e3 * self.difference:.2g} mV, is the error of the mesh under the surfaces,"
            f" {verdict} the {1e3 * allowed:.2g} mV allowed;"
            f" expected was {1e3 * self.layering.plan.error:.2g} mV for the whole protocol",
        ]


def prove(parameters: Parameters) -> Proof:
    """Repeat the first minutes of a run on halved layers. Collective.

    Raises:
        InputError: the protocol has no current, or layers are too many to be halved.
    """
    ours = _Curve.of(_closer(parameters, None))
    plan = ours.layering.plan
    halved = halved_layers(plan)
    if halved.count > MOST_LAYERS:
        raise InputError(
            f"{parameters.source_file}: solver.layers has {plan.layers_text}, of which twice as "
            f"many are needed to halve them (allowed: up to {MOST_LAYERS}). Leave out --mesh"
        )
    finer = _Curve.of(_closer(parameters, halved.written))
    first, last = max(ours.times[0], finer.times[0]), min(ours.times[-1], finer.times[-1])
    if last <= SETTLED:
        raise InputError(
            f"{parameters.source_file}: protocol.steps: no current flows for longer than "
            f"{SETTLED:g} s, after which errors count: there is nothing to compare. Leave out "
            "--mesh"
        )
    times = np.geomspace(max(SETTLED, first), last, COMPARED)
    apart = np.abs(ours.at(times) - finer.at(times))
    worst = int(np.argmax(apart))
    return Proof(
        ours.layering,
        finer.layering,
        ours.text,
        float(last),
        float(apart[worst]),
        float(times[worst]),
    )


def halved_layers(plan: Plan) -> Layers:
    """Return layers that halve those of a plan, or the outermost elements where it has none."""
    if plan.layers is None:
        return Layers(COARSE, 0.5 * plan.core_size, 1.0)
    # Each layer is cut in two whose ratio is that of all: t = t' (1 + r') with r'^2 = r.
    ratio = math.sqrt(plan.layers.ratio)
    return Layers(2 * plan.layers.count, plan.layers.first / (1.0 + ratio), ratio)


def _closer(parameters: Parameters, layers: str | None) -> Parameters:
    """Return parameters with small time steps, and with other layers if they are given."""
    solver = parameters.solver
    values = {
        "solver.fraction_tolerance": solver.fraction_tolerance / CLOSER,
        "solver.concentration_tolerance": solver.concentration_tolerance / CLOSER,
        "solver.voltage_tolerance": f"{solver.voltage_tolerance / CLOSER!r} V",
        "solver.initial_step": "0.001 s",
    }
    return parameters.with_values(values if layers is None else values | {"solver.layers": layers})


@dataclass(frozen=True)
class _Curve:
    """The voltage of a run after its first jump of the current.

    Attributes:
        layering: its layers.
        text: step of the protocol.
        times: (N,) times since the jump, s.
        voltages: (N,) V.
    """

    layering: Layering
    text: str
    times: Floats
    voltages: Floats

    @classmethod
    def of(cls, parameters: Parameters) -> _Curve:
        """Run until LONGEST after the first jump, or the end of its step. Collective."""
        text, begin, rows = "", 0.0, []
        with prepare(parameters) as cell:
            for step in cell:
                sample = step.sample
                if sample.current_A_m2 != 0.0:
                    rows.append((sample.time_s - begin, sample.voltage_V))
                    text = step.text
                    if rows[-1][0] >= LONGEST or step.ended_by:
                        break
                else:
                    begin = sample.time_s
            layering = cell.setting.layering
        if len(rows) < 4:
            raise InputError(
                f"{parameters.source_file}: protocol.steps: no current flows for long enough: there"
                " is nothing to compare. Leave out --mesh"
            )
        times, voltages = np.array(rows).T
        return cls(layering, text, times, voltages)

    def at(self, times: Floats) -> Floats:
        """Return the voltage at times since the jump, by a spline over their square root."""
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(np.sqrt(self.times), self.voltages)
        return np.asarray(spline(np.sqrt(times)), dtype=np.float64)
