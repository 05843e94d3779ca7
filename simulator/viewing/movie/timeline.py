"""The times of a movie's frames, in equal steps of time or charge, and the cell's state at each.

Between two samples everything is interpolated linearly in time, so that a movie runs evenly
whatever the time steps of the run were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from heterode.base.errors import InputError
from heterode.results.fields import FieldSeries
from heterode.results.particle_series import ParticleHistory
from heterode.results.sample import Floats
from heterode.viewing.particle_map import passed_at

Steps = Literal["charge", "time"]
STEPS: tuple[Steps, ...] = ("charge", "time")


@dataclass(frozen=True)
class Frame:
    """The state that a frame shows, with N particles.

    Attributes:
        share: elapsed share of the movie, 0 to 1.
        time_s: simulated time, s.
        voltage_V, current_A_m2, capacity_Ah_m2: of the cell, as in history.csv.
        mean, spread: mean and standard deviation of the particles' lithium fractions, by volume.
        lithium_fraction: (N,) lithium fractions of the particles.
        sample: index of the last sample of the fields that is not after this time.
        weight: weight of the sample after that one, 0 to 1.
    """

    share: float
    time_s: float
    voltage_V: float
    current_A_m2: float
    capacity_Ah_m2: float
    mean: float
    spread: float
    lithium_fraction: Floats
    sample: int
    weight: float


class Timeline:
    """The frames of a movie.

    Args:
        history: history of the cell.
        series: the particles; if it ends early, in a run that is going on, its last sample stays.
        field_times_s: (F,) times for which fields exist, s.
        frames: the number of frames wanted; a single sample gives one frame.
        steps: what is equal between neighbouring frames: time, or the charge passed, to which
            charge and discharge both add (a rest takes no frames). If no charge passed, it is time.

    Raises:
        InputError: there are no samples yet.
    """

    def __init__(
        self,
        history: pd.DataFrame,
        series: ParticleHistory,
        field_times_s: Floats,
        *,
        frames: int,
        steps: Steps = "charge",
    ) -> None:
        if history.empty or len(field_times_s) == 0 or len(series.time_s) == 0:
            raise InputError("the run holds no samples yet: nothing to animate")
        self._history, self._series, self._fields = history, series, field_times_s
        begin = float(field_times_s[0])
        end = max(begin, min(float(field_times_s[-1]), float(history["time_s"].iloc[-1])))
        self.times_s = _times(history, begin, end, frames, steps)

    def __len__(self) -> int:
        return len(self.times_s)

    def frame(self, number: int) -> Frame:
        """Return a frame by its number, counted from 0."""
        time = float(self.times_s[number])
        rows = self._history["time_s"].to_numpy()

        def cell(name: str) -> float:
            return float(np.interp(time, rows, self._history[name]))

        before, share = bracket(self._series.time_s, time)
        fractions = self._series.lithium_fraction
        after = min(before + 1, len(fractions) - 1)
        sample, weight = bracket(self._fields, time)
        return Frame(
            number / max(len(self) - 1, 1),
            time,
            cell("voltage_V"),
            cell("current_A_m2"),
            cell("capacity_Ah_m2"),
            cell("lithium_fraction_mean"),
            cell("lithium_fraction_sd"),
            np.asarray(fractions[before] + share * (fractions[after] - fractions[before])),
            sample,
            weight,
        )


def bracket(times: Floats, time: float) -> tuple[int, float]:
    """Return the index of the last of increasing times not after `time`, and the share beyond.

    The share is that of the way to the next time; before the first and after the last it is 0.
    """
    before = int(np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 1))
    if before == len(times) - 1:
        return before, 0.0
    span = times[before + 1] - times[before]
    return before, float(np.clip((time - times[before]) / span, 0.0, 1.0)) if span > 0 else 0.0


def _times(history: pd.DataFrame, begin: float, end: float, frames: int, steps: Steps) -> Floats:
    if frames < 2 or end <= begin:
        return np.array([end])
    even: Floats = np.linspace(begin, end, frames, dtype=np.float64)
    if steps == "time":
        return even
    rows = history["time_s"].to_numpy()
    inside = np.r_[begin, rows[(rows > begin) & (rows < end)], end]
    passed = passed_at(history, inside)
    if passed[-1] <= passed[0]:
        return even
    goals = np.linspace(passed[0], passed[-1], frames)
    # The charge does not change in a rest, so no goal lies strictly inside one.
    times = np.interp(goals, passed, inside)
    times[-1] = end
    return np.asarray(times, dtype=np.float64)


class Fields:
    """Fields between samples; each file is read once while a movie runs forwards.

    Args:
        series: fields of the particles' domain.
    """

    def __init__(self, series: FieldSeries) -> None:
        self._series = series
        self._kept: dict[int, Floats] = {}

    def lithium_fraction(self, frame: Frame) -> Floats:
        """Return lithium fractions at the points of the grid, (P,)."""
        first = self._sample(frame.sample)
        if frame.weight == 0.0:
            return first
        second = self._sample(frame.sample + 1)
        return np.asarray(first + frame.weight * (second - first))

    def _sample(self, index: int) -> Floats:
        if index not in self._kept:
            self._kept = {k: v for k, v in self._kept.items() if k == index - 1}
            self._kept[index] = self._series.load(index)["lithium_fraction"]
        return self._kept[index]
