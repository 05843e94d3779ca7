"""Salt concentrations across the cell in a step, from the steady profile in one dimension.

    D(c) dc/dz = (1 - t+(c)) I(z) / (F p(z))

z runs from the lithium face to the collector. I(z) is the whole current in the separator and falls
linearly to 0 through the coating; p is the Bruggeman factor. With the potential
K(c) = integral of D / (1 - t+), the profile is K(c(z)) = K(c(0)) + (I/F) integral of dz/p, and the
amount of salt in the pores determines c(0). A step of duration t shorter than the diffusion time
tau reaches 1.13 sqrt(t/tau) of it, as with constant flux into a half space. Charging raises the
salt concentration at the collector, and discharging lowers it.
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
"""Number of points across each layer."""

CONCENTRATIONS = np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 4000)])
"""Concentrations in the table of K, mol m^-3; 1e6 stands for any larger one."""


@dataclass(frozen=True)
class SaltEstimate:
    """Salt concentrations at the two ends of the cell in a step.

    Attributes:
        drive: the step.
        least, most: least and greatest concentration, mol m^-3; 0 and NaN if salt runs out.
        limiting_current: current density at which the least one is 0, A m^-2.
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
    """Computes the steady profile of a cell for any current."""

    def __init__(self, p: Parameters, slab: Slab) -> None:
        functions, c, T = p.electrolyte.functions, CONCENTRATIONS, p.temperature
        self._initial = p.electrolyte.initial_concentration
        D = np.broadcast_to(functions.diffusivity(c, T), c.shape)
        t_plus = np.broadcast_to(functions.transference_number(c, T), c.shape)
        # K must increase, whatever a fit does outside its range.
        D = np.maximum(D, 1e-18) / np.maximum(1.0 - t_plus, 1e-6)
        self._K = np.concatenate([[0.0], np.cumsum(0.5 * (D[1:] + D[:-1]) * np.diff(c))])
        depth = np.linspace(0.0, 1.0, POINTS)
        at_first = float(functions.diffusivity(self._initial, T))
        behind = slab.L_separator * at_first / slab.D_separator
        before = 0.5 * slab.L * at_first / slab.D_coating
        # This is the integral of dz/p from the lithium face, m.
        self._path = np.concatenate([behind * depth, behind + before * (2.0 - depth) * depth])
        held = [slab.pores_separator * slab.L_separator, slab.pores_coating * slab.L]
        weight = np.concatenate([np.full(POINTS, each) for each in held])
        # These are weights of the trapezoidal rule in each layer.
        weight[[0, POINTS - 1, POINTS, -1]] *= 0.5
        self._weight = weight / weight.sum()
        self._tau = sum(held) * (behind + 2.0 * before) / at_first

    def estimate(self, drive: Drive) -> SaltEstimate:
        """Return the estimate of a step; for a current table, the worse one of both directions."""
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
            """Return the mean salt in a profile that begins at 0, relative to the initial one."""
            return float(self._weight @ self._at(part * highest * path)) - self._initial

        limit = highest * brentq(too_much, 0.0, 1.0) if too_much(1.0) > 0.0 else MOST
        if drive.current > limit:
            return SaltEstimate(drive, 0.0, math.nan, limit)
        rise = drive.current * path

        even = float(np.interp(self._initial, CONCENTRATIONS, self._K))

        def excess(part: float) -> float:
            return float(self._weight @ self._at(part * even + rise)) - self._initial

        # The ratio exceeds 1 by more than the table's rounding.
        ends = self._at(brentq(excess, 0.0, 1.001) * even + rise[[0, -1]])
        return SaltEstimate(drive, float(ends.min()), float(ends.max()), limit)

    def _at(self, K: Floats) -> Floats:
        return np.asarray(np.interp(K, self._K, CONCENTRATIONS))


def salt_estimates(p: Parameters, slab: Slab) -> list[SaltEstimate]:
    """Return the estimates of all steps that have a current."""
    profile = SaltProfile(p, slab)
    return [profile.estimate(drive) for drive in slab.drives]


def depletion(estimates: Sequence[SaltEstimate]) -> RunWarning | None:
    """Return a warning about the step that exceeds the available salt by most, or None."""
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
