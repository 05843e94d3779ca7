"""Voltages over time between jumps of the current, compared at equal times.

After a jump the voltage is smooth in the square root of the time since then, as is the lithium at
a surface. A reference is therefore interpolated by a cubic spline in that root, between one jump
and the next, at the times of the rows of the run that is compared with it: these rows are what a
user gets, and nothing between them is judged. A row at the time of a jump belongs to the time
before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

Floats = npt.NDArray[np.float64]

FROM = 0.1
"""Time since the last jump of the current, s, from which on errors count."""

ROUNDING = 1e-7
"""Difference of times, s, that is one of rounding."""

COLUMNS = ("time_s", "voltage_V", "capacity_Ah_m2")


@dataclass(frozen=True)
class VoltageCurve:
    """The voltage of a run.

    Attributes:
        time_s: (N,) increasing times, s.
        voltage_V: (N,) voltages, V.
        capacity_Ah_m2: (N,) charge passed, A h m^-2.
        jumps_s: increasing times of the jumps of the current, s, the first at 0.
        record: what the curve is of, for its file.
    """

    time_s: Floats
    voltage_V: Floats
    capacity_Ah_m2: Floats
    jumps_s: tuple[float, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    def stretch(self, time_s: Floats) -> npt.NDArray[np.int64]:
        """Return the number of the jump before each time; -1 at the very beginning."""
        return np.searchsorted(np.array(self.jumps_s) + ROUNDING, time_s, side="left") - 1

    def since_jump(self, time_s: Floats) -> Floats:
        """Return the time since the last jump, s; at the beginning 0."""
        return time_s - np.array(self.jumps_s)[np.maximum(self.stretch(time_s), 0)]

    def at(self, time_s: Floats) -> Floats:
        """Return the voltages at other times; NaN where the curve has none."""
        found = np.full(len(time_s), np.nan)
        of, mine = self.stretch(time_s), self.stretch(self.time_s)
        for number, jump in enumerate(self.jumps_s):
            rows, wanted = mine == number, of == number
            if rows.sum() < 4 or not wanted.any():
                continue
            root = np.sqrt(self.time_s[rows] - jump)
            spline = CubicSpline(root, self.voltage_V[rows], extrapolate=False)
            # A time step that ends at a jump may end a rounding error beyond the last row.
            asked = np.sqrt(np.maximum(time_s[wanted] - jump, 0.0))
            near = (asked > root[-1]) & (asked**2 - root[-1] ** 2 <= ROUNDING)
            found[wanted] = spline(np.where(near, root[-1], asked))
        return found

    @property
    def interpolation_error_V(self) -> float:
        """Largest error, V, of the interpolation from every second row at the others.

        Errors from all rows are some 16 times smaller.
        """
        kept = np.zeros(len(self.time_s), bool)
        for number in range(len(self.jumps_s)):
            rows = np.flatnonzero(self.stretch(self.time_s) == number)
            kept[rows[::2]] = kept[rows[-1:]] = True
        half = VoltageCurve(
            self.time_s[kept], self.voltage_V[kept], self.capacity_Ah_m2[kept], self.jumps_s
        )
        left = ~kept & (self.since_jump(self.time_s) >= FROM)
        return float(np.nanmax(np.abs(half.at(self.time_s[left]) - self.voltage_V[left])))

    def write(self, path: Path) -> None:
        """Write the curve as CSV with its record as comments."""
        record = {**self.record, "jumps_s": list(self.jumps_s)}
        lines = [f"# {key} = {json.dumps(value)}" for key, value in record.items()]
        lines.append(",".join(COLUMNS))
        columns = zip(self.time_s, self.voltage_V, self.capacity_Ah_m2, strict=True)
        lines += [f"{t:.9g},{V:.9f},{Q:.9g}" for t, V, Q in columns]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> VoltageCurve:
        """Read a curve that `write` wrote."""
        lines = path.read_text(encoding="utf-8").splitlines()
        head = [line[2:].partition(" = ") for line in lines if line.startswith("# ")]
        record = {key: json.loads(value) for key, _, value in head}
        numbers = np.array([line.split(",") for line in lines[len(head) + 1 :]], float)
        return cls(*numbers.T, tuple(record.pop("jumps_s")), record)


@dataclass(frozen=True)
class Difference:
    """What a voltage differs by from a reference, from 0.1 s after each jump on.

    Attributes:
        time_s: (N,) times of the rows that are compared, s.
        volts: (N,) voltage less that of the reference, V.
        capacity: relative difference of the charge passed at the end.
    """

    time_s: Floats
    volts: Floats
    capacity: float

    @property
    def largest(self) -> float:
        """Largest magnitude, V."""
        return float(np.max(np.abs(self.volts)))

    @property
    def at_s(self) -> float:
        """Time of the largest magnitude, s."""
        return float(self.time_s[np.argmax(np.abs(self.volts))])

    @property
    def rms(self) -> float:
        """Root mean square over time, V."""
        span = self.time_s[-1] - self.time_s[0]
        return float(np.sqrt(np.trapezoid(self.volts**2, self.time_s) / span))


def counted_rows(curve: VoltageCurve) -> npt.NDArray[np.bool_]:
    """Return which rows of a curve count: those from 0.1 s after each jump on."""
    return (curve.stretch(curve.time_s) >= 0) & (curve.since_jump(curve.time_s) >= FROM - ROUNDING)


def difference(found: VoltageCurve, reference: VoltageCurve) -> Difference:
    """Compare a run with a reference at the times of its own rows.

    Raises:
        ValueError: the two jump at different times, or too little is left to compare.
    """
    a, b = np.array(found.jumps_s), np.array(reference.jumps_s)
    if len(a) != len(b) or np.max(np.abs(a - b)) > 1e-5:
        raise ValueError(f"the current jumps at {a} and at {b} s: the two cannot be compared")
    rows = counted_rows(found)
    times = found.time_s[rows]
    volts = found.voltage_V[rows] - reference.at(times)
    known = np.isfinite(volts)
    beyond = times > reference.time_s[-1] + ROUNDING
    if not known[~beyond].all() or known.sum() < 3:
        raise ValueError("the reference has too few rows to compare with")
    end = found.capacity_Ah_m2[-1] / reference.capacity_Ah_m2[-1] - 1
    return Difference(times[known], volts[known], float(end))
