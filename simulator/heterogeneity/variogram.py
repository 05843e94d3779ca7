"""Nugget, sill and range fitted to the variogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from simulator.heterogeneity.marks import Floats, Ints, MarkedPoints

Model = Literal["exponential", "spherical", "gaussian"]


@dataclass(frozen=True, eq=False)
class VariogramFit:
    """gamma(h) = nugget + (sill - nugget) (1 - rho(h / length)).

    Attributes:
        model: "exponential" rho = exp(-h/l), "gaussian" exp(-(h/l)^2), "spherical"
            1 - 1.5 h/l + 0.5 (h/l)^3.
        nugget, sill: in squared units of the value.
        length_um: l.
        length_error_um: standard error by the block jackknife; NaN where it fails.
        practical_um: distance at which 5 % of the structured part is left (3 l exponential,
            1.73 l Gaussian, 0.811 l spherical).
        structured: (sill - nugget) / sill.
        integral: integral of the correlation function over the plane (um^2) or space (um^3):
            A_int, 0 where there is no structure.
        identified: whether length_um can be trusted.
        reason: why not, or "".
        distance_um, gamma, pairs: (M,) the finely binned variogram that was fitted.
        weighted_residual: (root mean square, relative to the sill) of each model tried.
        blocks: of the jackknife.
    """

    model: Model
    nugget: float
    sill: float
    length_um: float
    length_error_um: float
    practical_um: float
    structured: float
    integral: float
    identified: bool
    reason: str
    distance_um: Floats
    gamma: Floats
    pairs: Ints
    weighted_residual: dict[str, float]
    blocks: int

    def __call__(self, distance_um: npt.ArrayLike) -> Floats:
        """The fitted gamma at some distances."""
        raise NotImplementedError


def fit_variogram(
    fields: Sequence[MarkedPoints],
    *,
    model: Model | Literal["best"] = "best",
    max_um: float | None = None,
    p_value: float | None = None,
) -> VariogramFit:
    """Fit a model to the variogram of one or more fields, pooled.

    Args:
        model: one of the three, or the one with the least weighted residual.
        max_um: largest distance used; half the shortest side of the largest field by default.
        p_value: of the correlogram's global test: above 0.05 nothing is identified.
    """
    raise NotImplementedError
