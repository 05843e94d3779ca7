"""Salt across the cell in a step, from the steady profile of one dimension.

    D(c) dc/dz = (1 - t+(c)) I(z) / (F p(z))

z runs from the lithium face to the collector, I(z) is the whole current in the separator and falls
to 0 evenly through the coating, p is the Bruggeman factor there. With the potential
K(c) = integral of D / (1 - t+) the profile is K(c(z)) = K(c(0)) + (I/F) integral of dz/p, and the
salt in the pores tells c(0). A step of duration t shorter than the diffusion time tau reaches
1.13 sqrt(t/tau) of it, as at constant flux into a half space. Charging raises the salt at the
collector, discharging lowers it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from heterode.base.constants import FARADAY
from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters
from heterode.validity.slab import MOST, Drive, Slab

Floats = NDArray[np.float64]

POINTS = 101
"""Points across each layer."""

CONCENTRATIONS = np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 4000)])
"""mol m^-3, of the table of K; 1e6 stands for any more."""


@dataclass(frozen=True)
class SaltEstimate:
    """Salt at the two ends of the cell in a step.

    Attributes:
        drive: the step.
        least, most: mol m^-3; 0 and NaN where there is not enough.
        limiting_current: at which the least is 0, A m^-2.
    """

    drive: Drive
    least: float
    most: float
    limiting_current: float

    @property
    def depleted(self) -> bool:
        """Whether the step needs more than the limiting current."""
        return self.drive.current > self.limiting_current


class SaltProfile:
    """The steady profile of a cell at any current."""

    def __init__(self, p: Parameters, slab: Slab) -> None:
        functions, c, T = p.electrolyte.functions, CONCENTRATIONS, p.temperature
        self._initial = p.electrolyte.initial_concentration
        D = np.broadcast_to(functions.diffusivity(c, T), c.shape)
        t_plus = np.broadcast_to(functions.transference_number(c, T), c.shape)
        # K must rise, whatever a fit does where it holds no more.
        D = np.maximum(D, 1e-18) / np.maximum(1.0 - t_plus, 1e-6)
        self._K = np.concatenate([[0.0], np.cumsum(0.5 * (D[1:] + D[:-1]) * np.diff(c))])
        depth = np.linspace(0.0, 1.0, POINTS)
        at_first = float(functions.diffusivity(self._initial, T))
        behind = slab.L_separator * at_first / slab.D_separator
        before = 0.5 * slab.L * at_first / slab.D_coating
        # Integral of dz/p from the lithium face, m.
        self._path = np.concatenate([behind * depth, behind + before * (2.0 - depth) * depth])
        held = [slab.pores_separator * slab.L_separator, slab.pores_coating * slab.L]
        weight = np.concatenate([np.full(POINTS, each) for each in held])
        # The trapezoidal rule in each layer.
        weight[[0, POINTS - 1, POINTS, -1]] *= 0.5
        self._weight = weight / weight.sum()
        self._tau = sum(held) * (behind + 2.0 * before) / at_first

    def estimate(self, drive: Drive) -> SaltEstimate:
        """The estimate of a step; of a table's current both directions, the worse of each."""
        ways = [True, False] if drive.charging is None else [drive.charging]
        found = [self._one_way(drive, charging) for charging in ways]
        return SaltEstimate(
            drive,
            min(each.least for each in found),
            max(each.most for each in found),
            min(each.limiting_current for each in found),
        )

    def _one_way(self, drive: Drive, charging: bool) -> SaltEstimate:
        path = self._path if charging else self._path[-1] - self._path
        share = min(1.0, 1.13 * math.sqrt(drive.duration / self._tau))
        path = path * share / FARADAY

        highest = float(self._K[-1] / path.max())

        def too_much(part: float) -> float:
            """Mean salt of a profile that begins at 0, over what there is."""
            return float(self._weight @ self._at(part * highest * path)) - self._initial

        limit = highest * brentq(too_much, 0.0, 1.0) if too_much(1.0) > 0.0 else MOST
        if drive.current > limit:
            return SaltEstimate(drive, 0.0, math.nan, limit)
        rise = drive.current * path

        even = float(np.interp(self._initial, CONCENTRATIONS, self._K))

        def excess(part: float) -> float:
            return float(self._weight @ self._at(part * even + rise)) - self._initial

        # Beyond 1 by more than the table rounds.
        ends = self._at(brentq(excess, 0.0, 1.001) * even + rise[[0, -1]])
        return SaltEstimate(drive, float(ends.min()), float(ends.max()), limit)

    def _at(self, K: Floats) -> Floats:
        return np.asarray(np.interp(K, self._K, CONCENTRATIONS))


def salt_estimates(p: Parameters, slab: Slab) -> list[SaltEstimate]:
    """The estimates of all steps that name a current."""
    profile = SaltProfile(p, slab)
    return [profile.estimate(drive) for drive in slab.drives]


def depletion(estimates: Sequence[SaltEstimate]) -> RunWarning | None:
    """A step that needs more salt than there is; the one that is farthest from having it."""
    depleted = [estimate for estimate in estimates if estimate.depleted]
    if not depleted:
        return None
    worst = max(depleted, key=lambda each: each.drive.current / each.limiting_current)
    drive, limit = worst.drive, worst.limiting_current
    return RunWarning(
        "salt_depletion",
        f"'{drive.text}' needs {drive.current:.3g} A/m^2, above the limiting current of about "
        f"{limit:.3g} A/m^2 at which the electrolyte runs out of salt. Lower the current "
        "(protocol.steps), or raise electrolyte.initial_concentration, separator.porosity or "
        "carbon_binder.electrolyte_fraction",
        value=drive.current,
        unit="A/m^2",
        allowed=(None, limit),
        key="protocol.steps",
    )
