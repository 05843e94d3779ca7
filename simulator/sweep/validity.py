"""Warnings about the validity of a sweep as a whole, beyond those of its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from heterode.base.run_warnings import RunWarning
from heterode.base.words import counted
from heterode.forecast.regimes import expected_particles
from heterode.geometry.msh import read_msh
from heterode.parameters import Parameters
from heterode.validity import SPACE_ERROR


class Rescaled:
    """Collects the particle counts of runs whose penalties are divided by the largest one drawn."""

    def __init__(self) -> None:
        self._counts: set[int] = set()
        self._meshes: dict[str, int] = {}

    def see(self, p: Parameters) -> None:
        """Take a run of the sweep into account."""
        if p.penalty.distribution == "weibull" and p.penalty.restriction == "rescale":
            self._counts.add(self._particles(p))

    def _particles(self, p: Parameters) -> int:
        file = p.geometry.mesh_file
        if file is None:
            return expected_particles(p)
        if str(file) not in self._meshes:
            self._meshes[str(file)] = len(read_msh(file).particles)
        return self._meshes[str(file)]

    def warnings(self) -> tuple[RunWarning, ...]:
        """Return one warning if such runs differ in their number of particles, otherwise none."""
        if len(self._counts) < 2:
            return ()
        low, high = min(self._counts), max(self._counts)
        return (
            RunWarning(
                "rescaled_penalties",
                f'penalty.restriction is "rescale" in runs of {low} to {high} particles: penalties '
                "are divided by the largest drawn, which grows with their number, so that the runs "
                'differ by their penalties as well. Set penalty.restriction = "truncate"',
                value=float(high),
                allowed=(float(low), float(low)),
                key="penalty.restriction",
                count=len(self._counts),
            ),
        )


def codes_of(entries: Iterable[Any]) -> str:
    """Return the codes of a manifest's warnings for a cell of the table; "" if there are none."""
    return "; ".join(str(entry.get("code", "")) for entry in entries)


def warning_lines(plan_warnings: Sequence[RunWarning], table: pd.DataFrame) -> list[str]:
    """Return a line for each warning of the sweep, and one that counts the warnings of its runs."""
    lines = [f"warning: {warning.message}" for warning in plan_warnings]
    if "warnings" not in table:
        return lines
    codes = table.drop_duplicates("run")["warnings"].fillna("")
    counts = Counter(code for cell in codes for code in str(cell).split("; ") if code)
    if counts:
        kinds = ", ".join(f"{code} ({count})" for code, count in sorted(counts.items()))
        lines.append(
            f"warning: {int((codes != '').sum())} of {counted(len(codes), 'run', 'has')} "
            f"some: {kinds}"
        )
    return [*lines, *_error_lines(table)]


def _error_lines(table: pd.DataFrame) -> list[str]:
    """Return a line on the largest error of the voltage above what its run asked for, if any."""
    if "voltage_space_error_V" not in table:
        return []
    codes = table["warnings"].fillna("").astype(str)
    above = codes.map(lambda cell: SPACE_ERROR in cell.split("; "))
    errors = table.loc[above, ["run", "voltage_space_error_V"]].dropna()
    if errors.empty:
        return []
    worst = errors.loc[errors["voltage_space_error_V"].idxmax()]
    return [
        f"warning: the mesh's error of the voltage is estimated at up to "
        f"{1e3 * worst['voltage_space_error_V']:.3g} mV (run {worst['run']}), above what "
        "solver.accuracy asks for"
    ]
