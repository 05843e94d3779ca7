r"""The real part of a dielectric function from its imaginary part: equation (2).

    eps1(w) = 1 + (2/pi) P int_0^inf w' eps2(w') / (w'^2 - w^2) dw'

The principal value needs care: a sum that merely leaves out the term w' = w is wrong by the slope
of eps2 times the step, 0.3 with two oscillators sampled every 0.05 eV. Two rules avoid this error:

    maclaurin    on a uniform grid of step h, only points at odd distance from the pole,
                     eps1_i = 1 + (2/pi) sum_{m odd} eps2_{i+m} / m,    eps2_{-j} = -eps2_j,
                 whose error falls like exp(-pi gamma / 2 h) for lines of width gamma
                 (Ohta and Ishida, Applied Spectroscopy 42, 952 (1988))
    subtracted   on the table's own points, with w eps2(w) taken out of the numerator and the
                 principal value of what is left known in closed form

Beyond its last point the table continues as C / w^3, as every sum of oscillators does. Below its
first point it follows a straight line to 0 at w = 0, since eps2 is odd. The part of free electrons
diverges there, so it is removed beforehand and added in closed form (heterode.optics.oscillators).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid
from scipy.interpolate import Akima1DInterpolator, CubicSpline
from scipy.signal import fftconvolve

from heterode.base.errors import InputError

Floats = npt.NDArray[np.floating[Any]]
Rule = Literal["maclaurin", "subtracted"]

REACH = 4.0
"""End of the uniform grid over the end of the table; beyond it C / w^3 is in closed form."""

FINEST = 50_000
"""Most points of the uniform grid within the table."""

_LONG_TAIL = 40.0
_CHUNK = 512


def real_part(
    energy_eV: Floats, eps2: Floats, *, rule: Rule = "maclaurin", tail: bool = True
) -> Floats:
    """Compute eps1 at the table's energies by equation (2).

    Args:
        energy_eV: (N,) increasing photon energies of 0 or above; N is at least 4.
        eps2: (N,) finite imaginary part, 0 or above, without free electrons.
        rule: "maclaurin" or "subtracted"; both of second order or better.
        tail: whether eps2 continues as w^-3 beyond the table; otherwise it is 0 there.

    Returns:
        (N,) eps1.

    Raises:
        InputError: the arrays are not such a table, or the rule is unknown.
    """
    energy, values = _checked(energy_eV, eps2)
    if rule == "maclaurin":
        return _maclaurin(energy, values, tail)
    if rule == "subtracted":
        return _subtracted(energy, values, tail)
    raise InputError(f"rule = '{rule}' is unknown (allowed: maclaurin, subtracted)")


def tail_part(energy_eV: Floats, begin_eV: Floats | float, strength: float) -> Floats:
    """Return what C / w^3 beyond `begin_eV` adds to eps1, in closed form.

    It is (2/pi) C / w^2 (ln((B + w) / (B - w)) / (2 w) - 1 / B) for w below B.

    Args:
        energy_eV: (N,) energies below begin_eV.
        begin_eV: B, one number or (N,).
        strength: C, eV^3.
    """
    end = np.broadcast_to(np.asarray(begin_eV, dtype=np.float64), energy_eV.shape)
    ratio = energy_eV / end
    # The closed form loses all digits to cancellation at small ratios; its series does not.
    near = ratio < 0.05
    r = np.where(near, 0.5, ratio)
    closed = (np.arctanh(r) / r - 1.0) / r**2
    series = 1.0 / 3.0 + ratio**2 / 5.0 + ratio**4 / 7.0 + ratio**6 / 9.0
    added: Floats = (2.0 / np.pi) * strength / end**3 * np.where(near, series, closed)
    return added


def _checked(energy_eV: Floats, eps2: Floats) -> tuple[Floats, Floats]:
    energy = np.asarray(energy_eV, dtype=np.float64)
    values = np.asarray(eps2, dtype=np.float64)
    if energy.ndim != 1 or energy.shape != values.shape or energy.size < 4:
        raise InputError(
            f"a spectrum needs two columns of at least 4 rows, not {energy.shape} energies with"
            f" {values.shape} values of eps2"
        )
    if not (np.isfinite(energy).all() and np.isfinite(values).all()):
        raise InputError("a spectrum needs finite energies and values of eps2")
    if energy[0] < 0.0 or np.any(np.diff(energy) <= 0.0):
        raise InputError("energies of a spectrum must be 0 or above and increase. Sort the table")
    return energy, values


def _begin_at_zero(energy: Floats, values: Floats) -> tuple[Floats, Floats]:
    if energy[0] == 0.0:
        return energy, np.r_[0.0, values[1:]]
    return np.r_[0.0, energy], np.r_[0.0, values]


def _maclaurin(energy: Floats, values: Floats, tail: bool) -> Floats:
    step = max(float(np.diff(energy).min()), float(energy[-1]) / FINEST)
    inside = int(np.ceil(energy[-1] / step - 1e-9))
    count = int(REACH * inside) if tail else inside + 1
    grid = step * np.arange(count + 1)
    strength = float(values[-1] * energy[-1] ** 3) if tail else 0.0
    table = Akima1DInterpolator(*_begin_at_zero(energy, values))
    within = grid <= energy[-1] * (1.0 + 1e-12)
    e2 = np.where(within, table(np.minimum(grid, energy[-1])), 0.0)
    e2[~within] = strength / grid[~within] ** 3
    # The odd extension makes one convolution of the two poles at +w and -w.
    odd = np.concatenate([-e2[:0:-1], e2])
    distance = np.arange(-2 * count, 2 * count + 1)
    kernel = np.zeros(distance.size)
    # Convolution runs backwards, hence the sign: sum over m of e[i + m] / m.
    kernel[distance % 2 != 0] = -1.0 / distance[distance % 2 != 0]
    summed = fftconvolve(odd, kernel, mode="full")
    wanted = slice(3 * count, 3 * count + inside + 1)
    index = np.arange(inside + 1)
    eps1 = 1.0 + (2.0 / np.pi) * summed[wanted]
    if tail:
        # Each point represents two steps, so the sum extends one step past its last point.
        last = np.where((count - index) % 2 == 1, count, count - 1)
        eps1 += tail_part(grid[: inside + 1], (last + 1) * step, strength)
    result: Floats = CubicSpline(grid[: inside + 1], eps1)(energy)
    return result


def _subtracted(energy: Floats, values: Floats, tail: bool) -> Floats:
    strength = float(values[-1] * energy[-1] ** 3) if tail else 0.0
    nodes, e2 = _begin_at_zero(energy, values)
    slope = np.asarray(CubicSpline(nodes, nodes * e2)(nodes, 1))
    if tail:
        beyond = _tail_nodes(nodes)
        nodes, e2 = np.r_[nodes, beyond], np.r_[e2, strength / beyond**3]
    moment = nodes * e2
    first = nodes.size - energy.size - (beyond.size if tail else 0)
    parts = []
    for start in range(0, energy.size, _CHUNK):
        at = first + np.arange(start, min(start + _CHUNK, energy.size))
        parts.append(_principal_values(nodes, moment, slope, at))
    eps1: Floats = 1.0 + (2.0 / np.pi) * np.concatenate(parts)
    return eps1 + tail_part(energy, float(nodes[-1]), strength) if tail else eps1


def _tail_nodes(nodes: Floats) -> Floats:
    """Return points beyond the table, which start at its last step and widen by 3 % each."""
    step = nodes[-1] - nodes[-2]
    count = int(np.ceil(np.log1p(0.03 * _LONG_TAIL * nodes[-1] / step) / np.log(1.03)))
    beyond: Floats = nodes[-1] + step * np.cumsum(1.03 ** np.arange(count))
    return beyond


def _principal_values(
    nodes: Floats, moment: Floats, slope: Floats, at: npt.NDArray[np.int64]
) -> Floats:
    """Return P int (w' eps2) / (w'^2 - w^2) dw' over the nodes, for w at the nodes `at`."""
    w = nodes[at][:, None]
    difference = nodes**2 - w**2
    difference[np.arange(at.size), at] = 1.0
    quotient = (moment - moment[at][:, None]) / difference
    # At the pole the quotient is the slope of w' eps2 over 2 w; at w = 0 it is that of eps2.
    pole = np.divide(slope[at], 2.0 * nodes[at], out=np.zeros(at.size), where=nodes[at] > 0.0)
    quotient[np.arange(at.size), at] = pole
    if at[0] == 0 and nodes[0] == 0.0:
        quotient[0, 0] = moment[1] / nodes[1] ** 2
    end = nodes[-1]
    # Without a tail, eps2 jumps to 0 at the table's end, where eps1 diverges logarithmically, so
    # the value half a step before it is used.
    safe = np.minimum(nodes[at], end - 0.5 * (end - nodes[-2]))
    rest = np.where(
        safe > 0.0,
        np.log((end - safe) / (end + safe)) / np.where(safe > 0.0, 2.0 * safe, 1.0),
        0.0,
    )
    values: Floats = trapezoid(quotient, nodes, axis=1) + moment[at] * rest
    return values
