"""report/movie.mp4 and report/movie.gif: the particles over a run, in the form of a Movie S1.

    history, particle series, fields -> Timeline -> frames
    a frame -> Stage (page) + PlaneScene or SpaceScene (the cell) -> picture -> video

From the results folder alone, also of a run that goes on or was killed; no display is needed.
"""

from heterode.viewing.movie.animate import MOVIE, Movie, animate, outputs_of
from heterode.viewing.movie.timeline import STEPS
from heterode.viewing.movie.view import FORMATS, QUANTITIES, Cut, View, read_cut

__all__ = [
    "FORMATS",
    "MOVIE",
    "QUANTITIES",
    "STEPS",
    "Cut",
    "Movie",
    "View",
    "animate",
    "outputs_of",
    "read_cut",
]
