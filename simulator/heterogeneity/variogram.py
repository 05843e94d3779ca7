r"""Fit of nugget, sill and range to the variogram.

    gamma(h) = nugget + (sill - nugget) (1 - rho(h / l))

rho is one of the functions of heterode.distributions.gaussian_field; 95 % of the structured part
is gone at 3 l (exponential), 1.73 l (Gaussian) or 0.811 l (spherical).

The variogram is computed in bins that widen with the distance, and fitted by least squares with
weights (pairs / distance^2), which keep the many, strongly dependent pairs at large distances from
dominating the fit at short ones (Pebesma, Computers & Geosciences 30, 2004). The uncertainty comes
from leaving out one sub-field at a time. Every particle counts equally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heterode.base.errors import InputError
from heterode.distributions.gaussian_field import CORRELATIONS, Correlation
from heterode.heterogeneity.blocks import SubFields, jackknife_error
from heterode.heterogeneity.marks import Floats, Ints, MarkedPoints, checked
from heterode.heterogeneity.neighbours import Neighbours
from heterode.heterogeneity.pairs import PairGrid


@dataclass(frozen=True)
class _Shape:
    """A correlation function of u = h / l, the u where 5 % is left, and integrals in 2D and 3D."""

    rho: Callable[[Floats], Floats]
    practical: float
    integral: dict[int, float]


MODELS: dict[Correlation, _Shape] = {
    "exponential": _Shape(
        CORRELATIONS["exponential"], -float(np.log(0.05)), {2: 2 * np.pi, 3: 8 * np.pi}
    ),
    "spherical": _Shape(CORRELATIONS["spherical"], 0.811, {2: np.pi / 5, 3: np.pi / 6}),
    "gaussian": _Shape(
        CORRELATIONS["gaussian"], float(np.sqrt(-np.log(0.05))), {2: np.pi, 3: np.pi**1.5}
    ),
}

# Particles of a field above which pairs at large distances come from a subset of them.
_DENSE = 5_000

# Pairs of each particle that are always used, however many particles there are.
_NEAR = 200

# Bins in a factor e of distance, which are narrow compared with any of the models.
_BINS_PER_E = 8

# Least structured part of the sill for which a length is meaningful.
_LEAST_STRUCTURED = 0.05


@dataclass(frozen=True, eq=False)
class VariogramFit:
    """The fit gamma(h) = nugget + (sill - nugget) (1 - rho(h / length)).

    Attributes:
        model: "exponential" rho = exp(-h/l), "gaussian" exp(-(h/l)^2), "spherical"
            1 - 1.5 h/l + 0.5 (h/l)^3.
        nugget, sill: values in squared units of the value.
        length_um: length l.
        length_error_um: standard error by the block jackknife; NaN where it fails.
        practical_um: distance at which 5 % of the structured part is left (3 l exponential,
            1.73 l Gaussian, 0.811 l spherical).
        structured: (sill - nugget) / sill.
        integral: A_int: structured times the integral of rho over the plane (um^2) or space (um^3);
            0 where there is no structure.
        identified: whether length_um can be trusted.
        reason: why it cannot be trusted, or "".
        distance_um, gamma, pairs: (M,) the binned variogram that was fitted.
        weighted_residual: root mean square, relative to the sill, of each model tried.
        blocks: number of blocks of the jackknife.
        without_block: (blocks, 3) nugget, sill and length of the fit without each block.
        neighbours: numbers of a particle's neighbours by distance.
    """

    model: Correlation
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
    without_block: Floats
    neighbours: Neighbours

    def __call__(self, distance_um: npt.ArrayLike) -> Floats:
        """Return the fitted gamma at the given distances."""
        u: Floats = np.asarray(np.asarray(distance_um, dtype=np.float64) / self.length_um)
        return np.asarray(self.sill - (self.sill - self.nugget) * MODELS[self.model].rho(u))


@dataclass(frozen=True)
class _Parameters:
    nugget: float
    partial: float
    length: float
    residual: float


def fit_variogram(
    fields: Sequence[MarkedPoints],
    *,
    model: Correlation | Literal["best"] = "best",
    max_um: float | None = None,
    p_value: float | None = None,
) -> VariogramFit:
    """Fit a model to the variogram of one or more pooled fields.

    Args:
        model: one of the three models, or "best" for the least weighted residual.
        max_um: largest distance used; half the size (extent)^(1/d) of the largest field by default.
        p_value: p value of the correlogram's global test; above 0.05 nothing is identified.

    Raises:
        InputError: the fields cannot be pooled, or there are too few pairs up to max_um.
    """
    listed = checked(fields)
    largest = max(field.extent ** (1 / field.dimension) for field in listed)
    reach = 0.5 * largest if max_um is None else float(max_um)
    binned = _Binned(listed, reach)
    h, gamma, pairs = binned.curve(None)
    if h.size < 4:
        raise InputError(
            f"{listed[0].name}: only {h.size} distance bins up to {reach:g} um hold pairs; a"
            " variogram needs 4. Raise the largest distance or use more particles."
        )
    tried: dict[Correlation, _Parameters] = {
        name: _fit(name, h, gamma, pairs, binned.lengths)
        for name in (MODELS if model == "best" else (model,))
    }
    best = min(tried, key=lambda name: tried[name].residual)
    found, shape = tried[best], MODELS[best]
    left_out = [_fit(best, *binned.curve(g), binned.lengths) for g in binned.kept()]
    without = np.array([(p.nugget, p.nugget + p.partial, p.length) for p in left_out])
    without = without.reshape(-1, 3)
    error = found.length * jackknife_error(np.log(without[:, 2]))
    sill = found.nugget + found.partial
    structured = found.partial / sill if sill > 0 else 0.0
    practical = shape.practical * found.length
    reason = _doubt(found, structured, practical, error, largest, binned.lengths, p_value)
    d = listed[0].dimension
    return VariogramFit(
        model=best,
        nugget=found.nugget,
        sill=sill,
        length_um=found.length,
        length_error_um=error,
        practical_um=practical,
        structured=structured,
        integral=structured * shape.integral[d] * found.length**d,
        identified=not reason,
        reason=reason,
        distance_um=h,
        gamma=gamma,
        pairs=pairs.astype(np.int64),
        weighted_residual={name: p.residual / (sill or 1.0) for name, p in tried.items()},
        blocks=len(without),
        without_block=without,
        neighbours=Neighbours.of(listed),
    )


class _Binned:
    """Sums over pairs in widening bins, by the sub-fields of both particles."""

    def __init__(self, fields: tuple[MarkedPoints, ...], reach_um: float) -> None:
        spacing = min(field.spacing_um for field in fields)
        first = min(0.5 * spacing, 0.1 * reach_um)
        number = max(8, int(np.ceil(_BINS_PER_E * np.log(reach_um / first))))
        edges = np.concatenate([[0.0], np.geomspace(first, reach_um, number + 1)])
        values = np.concatenate([field.value for field in fields])
        self._mean, self._sd = float(values.mean()), float(values.std())
        self._blocks = SubFields(fields)
        self._sums = np.sum([self._of(f, field, edges) for f, field in enumerate(fields)], axis=0)
        self.lengths: Floats = np.geomspace(0.25 * spacing, 2 * reach_um, 80).astype(np.float64)

    def kept(self) -> list[int]:
        """Return the blocks without which enough bins are left to fit."""
        return [g for g in range(len(self._blocks)) if self.curve(g)[0].size >= 4]

    def curve(self, without: int | None) -> tuple[Floats, Floats, Floats]:
        """Return mean distance, gamma and pairs of the bins that hold pairs, without a block."""
        sums = self._sums
        if without is not None:
            left = np.arange(sums.shape[1]) != without
            sums = sums[:, left][:, :, left]
        count, distance, _, squares, products = sums.sum(axis=(1, 2))
        held = count > 0
        n = count[held]
        gamma = self._sd**2 * (squares[held] - 2 * products[held]) / (2 * n)
        return distance[held] / n, gamma, n

    def _of(self, number: int, field: MarkedPoints, edges: Floats) -> Floats:
        """Return sums (5, G, G, B) of one field; far pairs may come from every k-th particle."""
        if len(field) <= _DENSE:
            return self._sum(number, field, slice(None), edges)
        ball = np.pi if field.dimension == 2 else 4 * np.pi / 3
        near_um = field.spacing_um * (2 * _NEAR / ball) ** (1 / field.dimension)
        near = int(np.clip(np.searchsorted(edges, near_um), 1, len(edges) - 1))
        close = self._sum(number, field, slice(None), edges[: near + 1])
        if near == len(edges) - 1:
            return close
        step = -(-len(field) // _DENSE)
        far = self._sum(number, field, slice(None, None, step), edges[near:])
        return np.concatenate([close, far], axis=3)

    def _sum(self, number: int, field: MarkedPoints, rows: slice, edges: Floats) -> Floats:
        mask = np.zeros(len(field), dtype=bool)
        # Rows may be sorted by position or value, so every k-th row would not be representative.
        mask[np.random.default_rng(0).permutation(len(field))[rows]] = True
        part = field.chosen(mask)
        grid = PairGrid.of(part, float(edges[-1]))
        z: Floats = np.asarray((part.value[grid.order] - self._mean) / self._sd)
        block = self._blocks.of(number, part.positions_um[grid.order])
        return grid.moments(z, edges, block, len(self._blocks)).sums


def _fit(
    name: Correlation, h: Floats, gamma: Floats, pairs: Floats, lengths: Floats
) -> _Parameters:
    """Fit the length by least squares; nugget and partial sill follow from it linearly."""
    weight = pairs / h**2
    weight = weight / weight.sum()

    # Two more scans, each between the neighbours of the best length.
    for _ in range(3):
        rise = 1 - MODELS[name].rho(h / lengths[:, None])
        nugget, partial = _non_negative(rise, gamma, weight)
        misfit = nugget[:, None] + partial[:, None] * rise - gamma
        residual = np.sqrt(np.sum(weight * misfit**2, axis=1))
        k = int(np.argmin(residual))
        found = _Parameters(
            float(nugget[k]), float(partial[k]), float(lengths[k]), float(residual[k])
        )
        low, high = lengths[max(k - 1, 0)], lengths[min(k + 1, len(lengths) - 1)]
        lengths = np.append(np.geomspace(low, high, 30), found.length)
    return found


def _non_negative(rise: Floats, gamma: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the nugget and partial sill of 0 or above with the best nugget + partial * rise.

    Args:
        rise: (n, M); one row for each length tried.
        gamma, weight: (M,); the weights sum to 1.
    """
    mean_rise, mean_gamma = rise @ weight, float(gamma @ weight)
    spread = (rise - mean_rise[:, None]) ** 2 @ weight
    together = rise @ (weight * (gamma - mean_gamma))
    partial = np.maximum(together / np.maximum(spread, np.finfo(float).tiny), 0.0)
    nugget = mean_gamma - partial * mean_rise
    through_zero = rise @ (weight * gamma) / np.maximum(rise**2 @ weight, np.finfo(float).tiny)
    partial = np.where(nugget < 0, through_zero, partial)
    return np.maximum(nugget, 0.0), partial


def _doubt(
    found: _Parameters,
    structured: float,
    practical_um: float,
    error_um: float,
    field_um: float,
    lengths: Floats,
    p_value: float | None,
) -> str:
    """Return why the length cannot be trusted, or ""."""
    if p_value is not None and not p_value <= 0.05:
        return f"no structure beyond that of random marks (p = {p_value:.2g})"
    if structured < _LEAST_STRUCTURED:
        return f"no structure: only {structured:.1%} of the sill depends on the distance"
    if found.length <= lengths[1]:
        return "shorter than the particles' spacing can show"
    if practical_um > 0.5 * field_um:
        return f"range {practical_um:.0f} um is beyond half the field ({0.5 * field_um:.0f} um)"
    if not error_um < found.length:
        return f"uncertainty {error_um:.0f} um is no smaller than the length itself"
    return ""
