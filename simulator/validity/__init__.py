"""Warnings about a run whose numbers leave the range in which they are meaningful.

ranges   the ranges in which each function of the material was measured
ledger   all warnings of a run: shown, counted, and kept in its manifest
watch    counts the accepted time steps that leave the ranges
salt     the salt's steady profile and the limiting current, from the parameters alone
losses   voltages, salt and diffusion that leave a protocol no room, from the parameters alone
visited  the lithium fractions that a protocol reaches
input    all that is known before a run: temperature, lengths, exponents, losses, forecasts
mesh     the worst elements
errors   the bound of the estimated error of the voltage
"""

from heterode.validity.errors import SPACE_ERROR, ErrorBound, space_bound
from heterode.validity.input import Before, before_run
from heterode.validity.ledger import Ledger
from heterode.validity.mesh import MeshFacts, facts_of
from heterode.validity.ranges import ValidRange, valid_ranges

__all__ = [
    "SPACE_ERROR",
    "Before",
    "ErrorBound",
    "Ledger",
    "MeshFacts",
    "ValidRange",
    "before_run",
    "facts_of",
    "space_bound",
    "valid_ranges",
]
