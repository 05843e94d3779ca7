"""All estimators together: one call from particles to numbers and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from simulator.heterogeneity.clusters import ClusterCurve
from simulator.heterogeneity.correlogram import Correlogram
from simulator.heterogeneity.density import DensityMap
from simulator.heterogeneity.marks import MarkedPoints
from simulator.heterogeneity.scale import Scale
from simulator.heterogeneity.variogram import VariogramFit


@dataclass(frozen=True)
class Settings:
    """What can be chosen; lengths in micrometres.

    Attributes:
        bin_um: width of the distance bins.
        max_um: largest distance; None for 100 um or half the shortest side, whichever is less.
        permutations: of the marks, for all null distributions.
        level: of the envelopes.
        min_pairs: bins with fewer pairs hold NaN.
        rank_pairs_cap: pairs per bin for Kendall's coefficient.
        ladder: numbers of clusters; None for 24 sizes.
        seeds: k-means starts per size.
        weighted: cluster means weighted by area or volume.
        band: half-width of the band for L*, fraction of the range.
        value_range: in place of the particles' own range.
        bandwidth_um: of the density maps; None for twice the mean spacing.
        grid: cells along a map's longer side.
        model: of the variogram.
    """

    bin_um: float = 10.0
    max_um: float | None = None
    permutations: int = 199
    level: float = 0.95
    min_pairs: int = 30
    rank_pairs_cap: int = 2_000_000
    ladder: tuple[int, ...] | None = None
    seeds: int = 5
    weighted: bool = False
    band: float = 0.02
    value_range: float | None = None
    bandwidth_um: float | None = None
    grid: int = 256
    model: str = "best"


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """Result of `analyse`.

    Attributes:
        fields: as analysed.
        settings: as used.
        correlogram, variogram, curve, scale: of all fields pooled.
        density: one map per field.
        warnings: sentences a reader must see.
    """

    fields: tuple[MarkedPoints, ...]
    settings: Settings
    correlogram: Correlogram
    variogram: VariogramFit
    curve: ClusterCurve
    scale: Scale
    density: tuple[DensityMap, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Every number, ready for JSON (NaN as None); units in the key names."""
        raise NotImplementedError

    def tables(self) -> dict[str, pd.DataFrame]:
        """ "correlogram", "variogram", "clusters", "cluster_means": a row per bin, size, cluster."""
        raise NotImplementedError


def analyse(
    fields: Sequence[MarkedPoints],
    settings: Settings,
    rng: np.random.Generator,
) -> Heterogeneity:
    """All estimators on one or more fields of view of the same kind, pooled.

    Raises:
        InputError: no field, or fields of different dimension.
    """
    raise NotImplementedError
