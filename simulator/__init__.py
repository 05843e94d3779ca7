"""heterode: heterogeneity of battery electrodes, simulated and measured with one ruler."""

from __future__ import annotations

if __name__ != "heterode":
    # A second copy of every class, unequal to the first, would be loaded.
    raise ImportError("the package is called heterode: import heterode, not simulator")

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from heterode.runs.loaded import Results

__version__ = "0.1.0"


def load(folder: Path | str, *, accept_altered: bool = False) -> Results:
    """The results of a run, as tables and plots: see `heterode.runs.loaded`.

    Args:
        folder: results folder, also of a run that goes on or was broken off.
        accept_altered: go on with files that are not as the run wrote them.

    Raises:
        InputError: no such folder, it is not a results folder, or its files were altered.
    """
    # Imported when it is called: the command line starts without pandas and matplotlib.
    from heterode.runs import loaded

    return loaded.load(folder, accept_altered=accept_altered)
