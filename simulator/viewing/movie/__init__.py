"""report/movie.mp4 and report/movie.gif: the particles over a run, in the form of a Movie S1.

    history, particle series, fields -> Timeline -> frames
    a frame -> Stage (page) + PlaneScene or SpaceScene (the cell) -> picture -> video

The movie is made from the results folder alone, possibly of a run that is going on or was killed;
it needs no display.
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
