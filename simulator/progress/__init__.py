"""How a run goes on, for the one who waits: a panel on a terminal, plain lines elsewhere."""

from simulator.progress.journey import Journey
from simulator.progress.lines import progress_line, simulated_time, wall_time
from simulator.progress.shown import Progress

__all__ = ["Journey", "Progress", "progress_line", "simulated_time", "wall_time"]
