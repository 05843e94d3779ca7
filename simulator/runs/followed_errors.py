"""The estimated errors of a run, followed step by step, the same on every rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from heterode.accuracy.estimate import Held, Interface, SpaceErrors
from heterode.accuracy.record import ErrorRecord, Reached
from heterode.physics.active_material import ActivePhase
from heterode.results.sample import Floats, Sample
from heterode.runs.setting import Setting
from heterode.solver.cell import Cell
from heterode.solver.time.march import Marched
from heterode.validity import Ledger, space_bound

MEMORY = "space_error_"
"""Beginning of the names of a checkpoint's arrays."""


class FollowedErrors:
    """Follows the errors that the mesh of the particles and the time steps make.

    Args:
        setting: what the run starts from.
        cell: the cell before its first step.
        ledger: the warnings of the run.
    """

    def __init__(self, setting: Setting, cell: Cell, ledger: Ledger) -> None:
        self._setting, self._cell, self._ledger = setting, cell, ledger
        self._bound = space_bound(setting.parameters, setting.layering.plan)
        self._voltage, self._current, self._mean = ErrorRecord(), ErrorRecord(), 0.0
        self._time = ErrorRecord()
        self._estimate: SpaceErrors | None = _estimate(setting, cell.model.material)

    def follow(self, marched: Marched | None, sample: Sample) -> Sample:
        """Return the sample of a time step, or of the start, with its error. Collective."""
        if self._estimate is None:
            return sample
        if marched is None:
            return replace(sample, voltage_space_error_V=0.0)
        model, state, step = self._cell.model, marched.state, marched.time_step
        flux = state.fluxes[model.system.reaction.surface.name]
        at = Interface(
            mean=sample.lithium_fraction,
            surface=sample.surface_lithium_fraction,
            density=sample.particle_current_A_m2,
            by_voltage=model.averages.of_slope(flux, "V"),
        )
        held = _held(marched)
        errors = self._estimate.advance(step, at, held, state.V, state.I)
        when = (state.time, step, state.since_jump)
        self._time.add(*when, state.voltage_time_error)
        if self._voltage.add(*when, errors.voltage_V):
            value = 1e3 * abs(errors.voltage_V)
            self._ledger.look_at_error(self._bound, value, state.time)
        if held == "voltage":
            self._current.add(*when, errors.current_A / self._setting.mesh.collector_area)
        self._mean = max(self._mean, float(np.max(np.abs(errors.lithium), initial=0.0)))
        return replace(sample, voltage_space_error_V=errors.voltage_V)

    @property
    def reached(self) -> Reached:
        """The accuracy that the run has reached so far."""
        asked = self._setting.parameters.solver.accuracy
        clip = self._cell.bounds.clip.as_dict()
        if self._estimate is None:
            return Reached(asked, largest_clip=clip)
        return Reached(
            asked_V=asked,
            largest_clip=clip,
            time=self._time.summary,
            space=self._voltage.summary,
            current=self._current.summary,
            particle_mean_error=self._mean,
        )

    # -- checkpoints ------------------------------------------------------------------------

    @property
    def arrays(self) -> Mapping[str, Floats]:
        """Arrays for a checkpoint."""
        memory = {} if self._estimate is None else self._estimate.memory
        return {MEMORY + name: values for name, values in memory.items()}

    @property
    def memory(self) -> dict[str, Any] | None:
        """Numbers for a checkpoint, ready for JSON; None if nothing is estimated."""
        if self._estimate is None:
            return None
        return {
            "voltage": self._voltage.memory,
            "time": self._time.memory,
            "current": self._current.memory,
            "mean": self._mean,
        }

    def recall(self, memory: Mapping[str, Any] | None, arrays: Mapping[str, Floats]) -> None:
        """Continue from a checkpoint. Collective.

        Args:
            memory: its numbers, the same on every rank; None if an earlier version wrote it, so
                that errors are not estimated.
            arrays: its arrays, on rank 0.
        """
        if memory is None:
            self._estimate = None
        if self._estimate is None or memory is None:
            return
        own = {n.removeprefix(MEMORY): a for n, a in arrays.items() if n.startswith(MEMORY)}
        self._estimate.recall(self._setting.comm.bcast(own, root=0))
        self._voltage.recall(memory["voltage"])
        self._time.recall(memory["time"])
        self._current.recall(memory["current"])
        self._mean = memory["mean"]


def _estimate(setting: Setting, material: ActivePhase) -> SpaceErrors | None:
    """Return the estimate before the first step; None if no particle reacts."""
    if not setting.mesh.radial.ends:
        return None
    T, constant = setting.parameters.temperature, material.is_diffusivity_constant
    D = float(material.diffusivity(material.start, T)) if constant else None
    return SpaceErrors(
        setting.mesh.radial,
        D if D is not None else lambda s: material.diffusivity(s, T),
        material.maximum_concentration,
        material.insertion(np.ones(1)),
        np.full(len(setting.particles), material.start),
        setting.parameters.solver.degree,
    )


def _held(marched: Marched) -> Held:
    prescribed = marched.prescribed
    if prescribed.charge is not None:
        return "current"
    return "power" if prescribed.energy is not None else "voltage"
