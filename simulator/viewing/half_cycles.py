"""Half-cycles: the protocol steps of a history, with their kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from heterode.results.sample import Floats

Kind = Literal["charge", "discharge", "hold", "rest"]

PER_AH_M2 = 0.1  # 1 A h m^-2 = 0.1 mA h cm^-2, the field's unit
_HOLD_V = 1e-3  # a step whose voltage varies by less than this is a hold
_WHOLE = 0.8


@dataclass(frozen=True)
class HalfCycle:
    """A protocol step of the history.

    Attributes:
        kind: charge, discharge, hold or rest.
        cycle: the cycle's number, from 0.
        time_s, voltage_V, current_A_m2, capacity_Ah_m2: (T,) as in history.csv.
    """

    kind: Kind
    cycle: int
    time_s: Floats
    voltage_V: Floats
    current_A_m2: Floats
    capacity_Ah_m2: Floats


def half_cycles(history: pd.DataFrame) -> list[HalfCycle]:
    """Return the protocol steps of a history, in order of time."""
    keys = history[["cycle", "step"]].to_numpy()
    starts = 1 + np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1))
    parts = np.split(np.arange(len(history)), starts)
    return [_half_cycle(history.iloc[part]) for part in parts]


def _half_cycle(rows: pd.DataFrame) -> HalfCycle:
    voltage, current = rows["voltage_V"].to_numpy(), rows["current_A_m2"].to_numpy()
    flowing = current != 0
    kind: Kind
    if not flowing.any():
        kind = "rest"
    elif flowing.sum() > 2 and np.ptp(voltage[flowing]) < _HOLD_V and np.ptp(current[flowing]) > 0:
        kind = "hold"
    else:
        kind = "charge" if current[flowing].mean() > 0 else "discharge"
    columns = ("time_s", "voltage_V", "current_A_m2", "capacity_Ah_m2")
    return HalfCycle(kind, int(rows["cycle"].iloc[0]), *(rows[c].to_numpy() for c in columns))


def first_half_cycle(history: pd.DataFrame) -> HalfCycle | None:
    """Return the first whole charge or discharge, or None if there is none.

    It has at least two rows, and passes at least the share _WHOLE of the largest charge passed.
    """
    steps = [
        step
        for step in (half_cycles(history) if len(history) else ())
        if step.kind in ("charge", "discharge") and len(step.time_s) > 1
    ]
    most = max((np.ptp(step.capacity_Ah_m2) for step in steps), default=0.0)
    whole = (step for step in steps if np.ptp(step.capacity_Ah_m2) >= _WHOLE * most)
    return next(whole, None)
