"""How a run goes on, for the one who waits: a panel on a terminal, plain lines elsewhere."""

from heterode.progress.course import Journey
from heterode.progress.lines import progress_line, simulated_time, wall_time
from heterode.progress.shown import Display

__all__ = ["Display", "Journey", "progress_line", "simulated_time", "wall_time"]
