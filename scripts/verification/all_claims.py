"""Every claim, in the order of the table."""

from __future__ import annotations

from verification import (
    accuracy,
    clusters,
    conservation,
    dfn_protocols,
    fast_transport,
    homogenised,
    in_space,
    in_time,
    limits,
    material_functions,
    other_elements,
    solid,
)
from verification.claim import Claim

CLAIMS: tuple[Claim, ...] = (
    *in_space.claims(),
    *in_time.claims(),
    *limits.claims(),
    *solid.claims(),
    *conservation.claims(),
    *fast_transport.claims(),
    *material_functions.claims(),
    *homogenised.claims(),
    *dfn_protocols.claims(),
    *accuracy.claims(),
    *other_elements.claims(),
    *clusters.claims(),
)
