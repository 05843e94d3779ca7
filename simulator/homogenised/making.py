"""Writes the homogenised counterpart of a run, solves it with PyBaMM, and compares the two."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from heterode import __version__
from heterode.base.errors import InputError
from heterode.base.own_python import (
    InstallError,
    ScriptError,
    is_installed,
    python_of,
    python_with,
    run_script,
)
from heterode.homogenised.current import followed_current
from heterode.homogenised.electrode import (
    Weighting,
    describe_electrode,
    meshed_electrode,
    not_represented,
)
from heterode.homogenised.followed_run import ERRORS, FollowedRun, read_followed_run
from heterode.results.marks import marked
from heterode.results.written import make_folder, write_output
from heterode.viewing.homogenised import draw_counterpart
from heterode.viewing.style import TimeUnit, time_unit

Floats = npt.NDArray[np.float64]
Say = Callable[[str], None]

PYBAMM = Path(__file__).with_name("pybamm.lock")
"""Lock file of PyBaMM and its dependencies, with digests, for the environment of --install."""

_MAIN = """

if __name__ == "__main__":
    import json
    from pathlib import Path

    columns, early = solve(json.loads(Path(__file__).with_name("twin.json").read_text()))
    print(f"# PyBaMM {pybamm.__version__}", f"ended early: {early}" if early else "", sep=", ")
    print(",".join(columns))
    for row in zip(*columns.values(), strict=True):
        print(",".join(repr(float(number)) for number in row))
"""


@dataclass(frozen=True)
class Comparison:
    """Comparison of a run with its homogenised counterpart.

    Attributes:
        table: the content of twin.csv, with a row for each time step of the run.
        rms_mV: root mean square, over time, of the difference in voltage.
        largest_mV: largest absolute difference.
        at_s: time of the largest difference.
        reached_s: time up to which the counterpart could be solved.
        ended_early: why it could not be solved to the end, or "".
        version: version of PyBaMM.
        errors_V: largest errors of its voltage that the run estimates of itself, V.
    """

    table: pd.DataFrame
    rms_mV: float
    largest_mV: float
    at_s: float
    reached_s: float
    ended_early: str
    version: str
    errors_V: Mapping[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return lines for the user."""
        table = self.table
        lines = [
            f"run minus DFN: {self.rms_mV:.2f} mV rms, {self.largest_mV:.2f} mV at most "
            f"({self._unit.said(self.at_s)})",
        ]
        away = (table["lithium_fraction_mean"] - table["twin_lithium_fraction_mean"]).abs().max()
        spread = table["lithium_fraction_sd"].max()
        lines.append(
            f"mean lithium fractions agree within {away:.1e}; particles of the run differ by up "
            f"to {spread:.3g} (standard deviation, by volume)"
        )
        if self.errors_V:
            own = (
                f"{1e3 * self.errors_V[name]:.2g} mV by its {what}"
                for name, what in ERRORS.items()
                if name in self.errors_V
            )
            lines.append(f"the run's own errors are estimated at up to {' and '.join(own)}")
        if self.ended_early:
            lines.append(f"the DFN ended at {self._unit.said(self.reached_s)}: {self.ended_early}")
        return lines

    @property
    def _unit(self) -> TimeUnit:
        """Time unit of the figure."""
        return time_unit(float(self.table["time_s"].iloc[-1]))


def pybamm_python(chosen: Path | None, install: bool, say: Say) -> Path | None:
    """Return a Python that has PyBaMM: the chosen one, this one, or one in a venv; else None.

    Args:
        chosen: path that the user chose, or None.
        install: whether to make the venv if it is missing.
        say: called with a line when something is installed.

    Raises:
        InputError: there is no such Python, or PyBaMM cannot be installed.
    """
    if chosen is not None:
        if shutil.which(chosen) is None:
            raise InputError(f"--python {chosen}: is no program. Give the path of a Python")
        return chosen
    if importlib.util.find_spec("pybamm") is not None:
        return Path(sys.executable)
    if not install:
        own = python_of("pybamm", PYBAMM)
        return own if is_installed(own) else None
    try:
        return python_with("pybamm", PYBAMM, say)
    except InstallError as error:
        raise InputError(
            f"{error}. Without a network, pass --python with a Python that has PyBaMM"
        ) from error


def outputs_of(place: Path, *, run: bool) -> list[Path]:
    """Return the files that `make_counterpart` writes, with results if PyBaMM is to `run`."""
    names = ("twin.json", "twin.py", "twin.csv", "twin.png") if run else ("twin.json", "twin.py")
    return [place / name for name in names]


def make_counterpart(
    folder: Path, place: Path | None, weighting: Weighting, python: Path | None, say: Say
) -> Comparison | None:
    """Write twin.json and twin.py; with a Python that has PyBaMM also twin.csv and twin.png.

    Args:
        folder: results folder of a run.
        place: folder of the files; None for report/ in the results.
        weighting: weighting of the penalty factors.
        python: a Python that has PyBaMM; with None the counterpart is written but not solved.
        say: called with lines on the progress.

    Returns:
        The comparison, or None if nothing was solved.

    Raises:
        InputError: the folder is not a run, or the place cannot be written.
        ScriptError: PyBaMM is missing in that Python, or could not solve the DFN.
    """
    run = read_followed_run(folder)
    twin = counterpart_of(run, weighting)
    place = run.path / "report" if place is None else place
    script = write_files(twin, place)
    for line in twin["not represented"]:
        say(f"note: {line}")
    if python is None:
        return None
    say(f"following {len(run.history) - 1} time steps with PyBaMM")
    answer = run_script([str(python), str(script)])
    comparison = replace(compare_voltages(run.history, answer), errors_V=run.errors_V)
    write_output(place / "twin.csv", comparison.table.to_csv(index=False).encode())
    draw_counterpart(place / "twin.png", comparison.table, run.title, comparison.lines()[0])
    write_files(twin | _results(comparison), place)
    return comparison


def counterpart_of(run: FollowedRun, weighting: Weighting) -> dict[str, Any]:
    """Return the content of twin.json before it is solved."""
    p = run.parameters
    electrode = meshed_electrode(run.path, run.particles, p.geometry.dimension, weighting)
    columns = ("time_s", "current_A_m2", "capacity_Ah_m2")
    followed = followed_current(*(run.history[name].to_numpy(np.float64) for name in columns))
    notes = not_represented(p)
    if run.conditioned:
        notes.insert(0, "penalties change after each cycle; the DFN keeps those of the first")
    if run.status != "completed":
        notes.insert(0, f"the run is not complete ({run.status}): the DFN follows what there is")
    return {
        "what": "half-cell DFN of a run of heterode, for PyBaMM; see twin.py",
        "run": str(run.path),
        "versions": {"heterode": __version__},
        **describe_electrode(p, electrode),
        "penalty": {"weighting": weighting, "factor on the exchange current": electrode.penalty},
        "current": {
            "time_s": followed.time_s.tolist(),
            # The electrode has 1 m^2, and PyBaMM's current is positive on discharge.
            "current_A": (0.0 - followed.current_A_m2).tolist(),
            "jumps_s": followed.jumps_s.tolist(),
        },
        "estimated errors of the run [V]": dict(run.errors_V),
        "output times [s]": run.history["time_s"].to_numpy(np.float64)[1:].tolist(),
        "not represented": notes,
    }


def write_files(twin: dict[str, Any], place: Path) -> Path:
    """Write twin.json and twin.py, and return the path of the script.

    Raises:
        OutputError: the place cannot be written.
    """
    source = Path(__file__).with_name("half_cell.py").read_text(encoding="utf-8")
    make_folder(place)
    # Each table is on one line, which makes 300 kB in all.
    text = json.dumps(marked(twin), indent=1, allow_nan=False)
    text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    write_output(place / "twin.json", text.encode() + b"\n")
    write_output(place / "twin.py", (source + _MAIN).encode())
    return place / "twin.py"


def compare_voltages(history: pd.DataFrame, answer: str) -> Comparison:
    """Compare a run with its homogenised counterpart.

    Args:
        history: history of the run.
        answer: text that twin.py printed.

    Raises:
        ScriptError: the text has no table, or the table has no time step.
    """
    head, version, rest = answer.partition("# PyBaMM ")
    if not version:
        raise ScriptError(f"answered with no table: {head.strip()[-200:] or 'nothing'}")
    first, _, body = rest.partition("\n")
    number, _, early = first.partition(", ")
    try:
        found = pd.read_csv(io.StringIO(body), dtype=np.float64)
    except ValueError as error:
        raise ScriptError(f"answered with no table: {error}") from error
    table = _side_by_side(history, found)
    solved = table.dropna()
    if solved.empty:
        raise ScriptError(f"solved no time step: {early or 'no reason given'}")
    time = solved["time_s"].to_numpy()
    off = 1e3 * solved["difference_V"].to_numpy()
    mean_square = np.trapezoid(off**2, time) / np.ptp(time) if time.size > 1 else off[0] ** 2
    worst = int(np.argmax(np.abs(off)))
    return Comparison(
        table=table,
        rms_mV=float(mean_square**0.5),
        largest_mV=float(abs(off[worst])),
        at_s=float(time[worst]),
        reached_s=float(time[-1]),
        ended_early=early.removeprefix("ended early: "),
        version=number,
    )


def _side_by_side(history: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Join the run's rows, except the first, with the DFN's, which may be empty at the end."""
    names = ["time_s", "current_A_m2", "capacity_Ah_m2", "voltage_V"]
    names += ["lithium_fraction_mean", "lithium_fraction_sd"]
    table = history[names].iloc[1:].reset_index(drop=True)
    for name in ("voltage_V", "lithium_fraction_mean"):
        table[f"twin_{name}"] = found[name].reindex(table.index)
    table["difference_V"] = table["voltage_V"] - table["twin_voltage_V"]
    return table


def _results(comparison: Comparison) -> dict[str, Any]:
    return {
        "versions": {"heterode": __version__, "pybamm": comparison.version},
        "comparison": {
            "rms voltage difference [mV]": comparison.rms_mV,
            "largest voltage difference [mV]": comparison.largest_mV,
            "at time [s]": comparison.at_s,
            "solved until [s]": comparison.reached_s,
            "ended early": comparison.ended_early,
        },
    }
