"""The texts of progress: a line for the state, and times in everyday units."""

from __future__ import annotations

from heterode.results.sample import Sample


def progress_line(
    sample: Sample, step_size: float, done: float | None, remaining: float | None
) -> str:
    """Return the line for a state.

    It looks like this: ` 42 %  t = 3.52 h  V = 3.8421 V  x = 0.6132  step 312 s  left 1 min 10 s`.
    """
    parts = [
        "" if done is None else f"{100 * done:3.0f} %",
        f"t = {simulated_time(sample.time_s)}",
        f"V = {sample.voltage_V:.4f} V",
        f"x = {sample.lithium_fraction_mean:.4f}",
        f"step {simulated_time(step_size)}",
        "" if remaining is None else f"left {wall_time(remaining)}",
    ]
    return "  ".join(part for part in parts if part)


def simulated_time(seconds: float) -> str:
    """Return a simulated time as "0.25 s", "312 s" or "3.52 h"."""
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds / 3600:.3g} h"


def wall_time(seconds: float) -> str:
    """Return a waiting time as "48 s", "1 min 10 s" or "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
