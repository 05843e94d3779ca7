"""heterode: heterogeneity of battery electrodes, simulated and measured with one ruler."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.notebook import Results

__version__ = "0.1.0"


def load(folder: Path | str, *, accept_altered: bool = False) -> Results:
    """The results of a run, as tables and plots: see `simulator.notebook`.

    Args:
        folder: results folder, also of a run that goes on or was broken off.
        accept_altered: go on with files that are not as the run wrote them.

    Raises:
        InputError: no such folder, it is not a results folder, or its files were altered.
    """
    # Imported when it is called: the command line starts without pandas and matplotlib.
    from simulator import notebook

    return notebook.load(folder, accept_altered=accept_altered)
