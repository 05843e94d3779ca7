"""heterode: heterogeneity of battery electrodes, simulated and measured with one ruler.

    import heterode

    parameters = heterode.Parameters.load("params/quickstart.toml")
    results = heterode.run(parameters.with_values({"geometry.particles": 10}), "results/ten")

    with heterode.prepare(parameters) as cell:
        for step in cell:
            print(step.sample.time_s, step.sample.voltage_V)

Parameters      an input file, or tables; `with_values`, `toml`
run, Results    the command `heterode run`, and what it wrote; `load` reads an earlier run's results
prepare         a cell for a loop of your own: a `Prepared`, which yields one `Step` at a time
Observer        watches a run: `Recorder`, `Progress`, `Balances`, `Checkpoint`, or one of your own
particle_series the same particles in several states: rates, lag, inactive ones, persistence

Each name loads what it needs when it is first used.
"""

from __future__ import annotations

if __name__ != "heterode":
    # A second copy of every class, unequal to the first, would be loaded.
    raise ImportError("the package is called heterode: import heterode, not simulator")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heterode.base.errors import CompileError, InputError, ResumeError, SolveError
    from heterode.base.signals import StoppedError
    from heterode.parameters.model import Parameters
    from heterode.reporting.series import particle_series
    from heterode.results.sample import FieldGrid, Sample
    from heterode.results.storage import AlteredError, OutputError
    from heterode.runs.loaded import Results, load
    from heterode.runs.observer import Coming, Ending, Kept, Observer, Start, Step, Wants
    from heterode.runs.observers import Balances, Checkpoint, Progress
    from heterode.runs.prepared import Prepared
    from heterode.runs.recorder import Recorder
    from heterode.runs.whole import prepare, run

__version__ = "0.1.0"

__all__ = [
    "AlteredError",
    "Balances",
    "Checkpoint",
    "Coming",
    "CompileError",
    "Ending",
    "FieldGrid",
    "InputError",
    "Kept",
    "Observer",
    "OutputError",
    "Parameters",
    "Prepared",
    "Progress",
    "Recorder",
    "Results",
    "ResumeError",
    "Sample",
    "SolveError",
    "Start",
    "Step",
    "StoppedError",
    "Wants",
    "load",
    "particle_series",
    "prepare",
    "run",
]

_HOMES = {
    "base.errors": ("CompileError", "InputError", "ResumeError", "SolveError"),
    "base.signals": ("StoppedError",),
    "parameters.model": ("Parameters",),
    "reporting.series": ("particle_series",),
    "results.sample": ("FieldGrid", "Sample"),
    "results.storage": ("AlteredError", "OutputError"),
    "runs.loaded": ("Results", "load"),
    "runs.observer": ("Coming", "Ending", "Kept", "Observer", "Start", "Step", "Wants"),
    "runs.observers": ("Balances", "Checkpoint", "Progress"),
    "runs.prepared": ("Prepared",),
    "runs.recorder": ("Recorder",),
    "runs.whole": ("prepare", "run"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name on first use; the command line starts without NumPy, pandas and DOLFINx."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
