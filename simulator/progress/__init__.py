"""The progress of a run as shown to the user: a panel on a terminal, otherwise plain lines."""

from heterode.progress.course import Course
from heterode.progress.lines import progress_line, simulated_time, wall_time
from heterode.progress.shown import Display

__all__ = ["Course", "Display", "progress_line", "simulated_time", "wall_time"]
