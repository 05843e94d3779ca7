"""What leaves the range in which a run's numbers mean something, before it runs and while it does.

ranges   between which values each function of the material was measured
ledger   all of a run's warnings: said, counted, in its manifest
watch    counts the accepted time steps that leave them
salt     the salt's steady profile and the limiting current, from the parameters alone
losses   voltages, salt and diffusion that leave a protocol no room, likewise
visited  the lithium fractions that a protocol leads to
input    all that is known before a run: temperature, lengths, exponents, losses, what is foreseen
mesh     the worst elements
"""

from heterode.validity.input import Before, before_run
from heterode.validity.ledger import Ledger
from heterode.validity.mesh import MeshFacts, facts_of
from heterode.validity.ranges import ValidRange, valid_ranges

__all__ = [
    "Before",
    "Ledger",
    "MeshFacts",
    "ValidRange",
    "before_run",
    "facts_of",
    "valid_ranges",
]
