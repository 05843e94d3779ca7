"""The state of the cell, a step that may lead to the next one, and what a stepper remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heterode.physics.kinetics import Flux
from heterode.results.sample import Extremes
from heterode.solver.time.surface_lithium import SurfaceState

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """The state of the cell at one time.

    Attributes:
        time: time, s.
        vector: (owned,) fields.
        V: cell voltage, V.
        I: cell current, A (A per metre of depth in 2D), positive on charge.
        charge: charge passed since the start by the time scheme's own quadrature, A s.
        fluxes: surface currents by name; empty before the first step.
        charge_error: relative difference between interface and applied currents.
        extremes: extremes of the fields; None before the first step.
        energy: energy passed since the start by the same quadrature, J.
        surface: the particle that is followed for the time error; None where none is.
        voltage_time_error: bound of the time error of V by estimate, V.
        since_jump: time since the last jump of the terminals' control, s.
    """

    time: float
    vector: Floats
    V: float
    I: float
    charge: float
    fluxes: Mapping[str, Flux]
    charge_error: float
    extremes: Extremes | None = None
    energy: float = 0.0
    surface: SurfaceState | None = None
    voltage_time_error: float = 0.0
    since_jump: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A converged step that has not been accepted yet.

    Attributes:
        state: state at its end.
        error: ratio of the estimated time error to the tolerance; None if it cannot be estimated.
        order: order of the time scheme.
    """

    state: State
    error: float | None
    order: int


@dataclass(frozen=True)
class Memory:
    """The memory of a stepper.

    Attributes:
        past: the last accepted states, with the newest first.
        jump: time of the last jump of the terminals' control, s.
        steps, rejected: numbers of time steps so far.
    """

    past: tuple[State, ...]
    jump: float
    steps: int
    rejected: int
