r"""The layers that a run needs under its particles' surfaces, by its accuracy.

A jump of the current moves the surface's lithium fraction by qR/D times a response that the mesh
gets wrong by some hundredths (heterode.accuracy.radial); the voltage errs by the slope of U, and of
the overpotential, along the step. The cell's voltage errs by the mean over the surface, for which
the radii stand that bound 10, 50 and 90 % of it. For each jump of the protocol
(heterode.accuracy.jumps) the largest error from SETTLED on must not exceed half the accuracy asked
for. Where penalties differ, the current and the errors crowd into few particles; the bound that is
kept allows for as much of this as kinetics can cause (SurfaceLaw.crowding), while the error that is
expected is that of an even current: 0.73 to 1.02 times the true ones without layers in the cases of
docs/accuracy.md. The layers that do for the fewest unknowns are taken. Their first thickness is a
power of the root of two in micrometres and their ratio one of RATIOS, so that runs share meshes.

In 2D, no particle may leave the range of start and surface values by more than OVERSHOOT (see
heterode.accuracy.overshoot), which asks for layers that lead up to the size of the core's elements.

Where the voltage plunges at the end of a step, an error of the voltage says little: there it may be
as large as the change of the voltage in TIME_SHIFT of the time since the jump.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import Particles, SurfaceLaw
from heterode.accuracy.jumps import Jump, jumps_of
from heterode.accuracy.overshoot import Overshoots
from heterode.accuracy.radial import RadialModes
from heterode.accuracy.series import deviation
from heterode.geometry.layers import layer_counts, spacing
from heterode.parameters import Parameters
from heterode.parameters.layering import MOST_LAYERS, Layers, written_layers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RATIOS = (3.0, 2.5, 2.0, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3, 1.2, 1.15)
"""Ratios of the thicknesses of successive layers that are tried. The error of the grading falls as
the square of (ratio - 1)/(ratio + 1); the last two are what 0.1 mV takes."""

THINNEST = 24
"""Largest j of the first thickness 2^(-j/2) um: 0.24 nm, of the size of an atom."""

SHARE_OF_RADIUS = (0.3, 0.4, 0.3)
"""Shares of the surface for which the radii at SHARES stand."""

MOST = MOST_LAYERS
"""Most layers that a plan takes."""

MOST_JUMPS = 48
"""Jumps that are planned for: those with the largest error without layers."""

TIME_SHIFT = 5e-4
"""Share of the time since a jump by which a voltage may come early or late."""

LINEAR = 0.99
"""Share of the goal that errors may have in the search, which takes the voltage as linear."""

PER_DECADE, DECADES = 16, (-11, 3)
"""Times of the tables of errors, in D t/R^2: their number in a decade, and the decades."""

_TIMES: Floats = np.asarray(
    np.logspace(*DECADES, PER_DECADE * (DECADES[1] - DECADES[0]) + 1), dtype=np.float64
)


@dataclass(frozen=True)
class Plan:
    """The layers that a run gets, and why.

    Attributes:
        accuracy: error of the voltage that is asked for, V.
        layers: the layers; None for none.
        error: largest error of the voltage that space is expected to cause, V.
        without: the same without layers, V.
        bound: the error with layers if uneven penalties divide the current as much as they can,
            which is what the search keeps below half the accuracy, V.
        text: step of the protocol at whose begin the error is largest; "" without jumps.
        chosen: whether the plan chose the layers, and not the parameters.
        core_size: radial size of the elements without layers, in particles of median radius, m.
    """

    accuracy: float
    layers: Layers | None
    error: float
    without: float
    bound: float
    text: str
    chosen: bool
    core_size: float

    @property
    def fineness(self) -> tuple[int, float]:
        """Order of plans by what they take: the number of layers, then the error without them."""
        return (0 if self.layers is None else self.layers.count, self.without)

    @property
    def written(self) -> str:
        """The value of solver.layers that gives these layers to other runs."""
        if self.layers is None:
            return "none"
        return self.layers.written

    @property
    def is_met(self) -> bool:
        """Whether the expected error leaves as much to the time steps."""
        return self.bound <= 0.5 * self.accuracy * (1.0 + 1e-9)

    @property
    def layers_text(self) -> str:
        """What the layers are, in words."""
        return "no layers" if self.layers is None else self.layers.text

    @property
    def expected_text(self) -> str:
        """What error of space is expected, in words."""
        if self.layers is None:
            return f"expected space error {_millivolts(self.error)}"
        both = f"{_millivolts(self.error)}, without layers {_millivolts(self.without)}"
        return f"expected space error {both}"

    @property
    def shortfall_text(self) -> str:
        """What cannot be had, in words; "" where the accuracy is met."""
        if self.is_met:
            return ""
        asked, had = _millivolts(self.accuracy), _millivolts(2.0 * self.bound)
        if not self.chosen:
            return f"{asked} takes other layers than solver.layers: set it to auto, or expect {had}"
        return f"{asked} cannot be had with up to {MOST} layers: {had} can, after '{self.text}'"

    def sentence(self, unknowns: int, without: int) -> str:
        """Return what a run says of its plan.

        Args:
            unknowns: number of unknowns with the layers.
            without: number of unknowns without them.
        """
        size = f"{_thousands(unknowns)} unknowns"
        if self.layers is not None:
            size += f" ({_thousands(without)} without)"
        said = f"accuracy {_millivolts(self.accuracy)}: {self.layers_text}; {size}; "
        return said + "; ".join(filter(None, [self.expected_text, self.shortfall_text]))

    @property
    def entries(self) -> dict[str, int | float | str]:
        """What a manifest keeps of the plan, under accuracy.layers."""
        made: dict[str, int | float | str] = {"count": 0}
        if self.layers is not None:
            first = 1e6 * self.layers.first
            made = {"count": self.layers.count, "first_um": first, "ratio": self.layers.ratio}
        return {
            **made,
            "chosen_by": "accuracy" if self.chosen else "solver.layers",
            "expected_space_error_V": self.error,
            "expected_without_V": self.without,
            "expected_in": self.text,
        }


def _thousands(count: int) -> str:
    return f"{count / 1000:.3g}k" if count >= 10_000 else str(count)


def _millivolts(volts: float) -> str:
    return f"{1e3 * volts:.2g} mV"


def plan(parameters: Parameters, particles: Particles) -> Plan:
    """Plan the layers of a run; the same for the same arguments, in some tenths of a second."""
    return _Search(SurfaceLaw(parameters, particles)).plan()


@dataclass(frozen=True, eq=False)
class _Path:
    """Jumps at the surface of particles of one radius, as far as they do not depend on a mesh.

    Attributes:
        row: (J, T, H) places in the table of errors, share: their shares of the next row.
        scale: (J, H) change of the lithium fraction for a unit of error.
        crowding: (J, T) factors by which an uneven current raises the error at most.
        exact: (J, T) exact lithium fraction at the surface.
        slope: (J, T) dV/ds there, V.
        allowed: (J, T) errors of the voltage that are but a shift in time, V.
        current: (J, 1) current after the jump.
        counts: (J, T) whether the time counts.
    """

    row: Ints
    share: Floats
    scale: Floats
    crowding: Floats
    exact: Floats
    slope: Floats
    allowed: Floats
    current: Floats
    counts: npt.NDArray[np.bool_]

    def errors(self, table: Floats) -> Floats:
        """Return the error of the surface's lithium fraction, (J, T), by a table of errors."""
        values = table[self.row] + self.share * (table[self.row + 1] - table[self.row])
        errors: Floats = np.einsum("jth,jh->jt", values, self.scale)
        return errors

    def bounds(self, table: Floats) -> Floats:
        """Return a bound of the voltage's error at this radius, (J, T) V, for small errors."""
        return self.slope * self.crowding * self.errors(table)

    def voltages(self, table: Floats, law: SurfaceLaw, *, crowded: bool) -> Floats:
        """Return the error of the voltage at this radius, (J, T) V, or a bound if crowded."""
        errors = self.errors(table) * (self.crowding if crowded else 1.0)
        return law.voltage(self.exact + errors, self.current) - law.voltage(
            self.exact, self.current
        )


@dataclass
class _Search:
    """The search for the fewest layers that keep the error.

    Attributes:
        law: the material and the particles.
    """

    law: SurfaceLaw
    _tables: dict[tuple[object, ...], Floats] = field(default_factory=dict)

    def plan(self) -> Plan:
        """Return the plan."""
        solver = self.law.parameters.solver
        without = self._largest_of(None, crowded=True)
        goal, asked = solver.space_accuracy, solver.layers
        layers: Layers | None = None
        if asked == "auto" and not (without <= goal and self._overshoots.are_small(None)):
            layers = self._fewest(goal)
        elif given := written_layers(asked):
            layers = given
        elif isinstance(asked, int) and asked > 0:
            layers = self._best([one for one in self._ladder() if one.count >= asked], asked)
        error = self._whole(layers, crowded=False)
        worst = self._jumps[int(np.argmax(error))].text if error.size else ""
        return Plan(
            accuracy=solver.accuracy,
            layers=layers,
            error=float(error.max(initial=0.0)),
            without=self._largest_of(None, crowded=False),
            bound=self._largest_of(layers, crowded=True),
            text=worst,
            chosen=asked == "auto",
            core_size=float(np.median(self.law.particles.core_size)),
        )

    @property
    def _degree(self) -> int:
        return self.law.parameters.solver.degree

    def _fewest(self, whole_goal: float) -> Layers:
        """Return the fewest layers whose error is at most the goal, or the best there are."""
        goal = LINEAR * whole_goal
        found: Layers | None = None
        for whole in sorted(self._ladder(), key=lambda one: (one.count, -one.first)):
            if found is not None and whole.count > found.count + 3:
                break
            for layers in _shortened(whole):
                if found is not None and self._dearness(layers) >= self._dearness(found):
                    continue
                if self._error(layers) > goal or not self._overshoots.are_small(layers):
                    break
                # The goal is that of the whole voltage, which is not linear where errors are large.
                if self._largest_of(layers, crowded=True) <= whole_goal:
                    found = layers
        return found or self._best(self._ladder(), MOST)

    def _dearness(self, layers: Layers) -> tuple[float, float]:
        """Return the mean number of layers over the surface, or the number and ratio in 3D.

        There the iterative solver takes a quarter more iterations with a ratio of 2 than without
        layers, and as many with 1.7.
        """
        particles = self.law.particles
        if particles.dimension == 3:
            return layers.count, layers.ratio
        counts = layer_counts(particles.radius, particles.core_size, layers)
        return float(self._shares @ counts), layers.ratio

    def _best(self, ladder: Sequence[Layers], most: int) -> Layers:
        """Return the layers of at most a number that have the least error."""
        tried = [Layers(min(one.count, most), one.first, one.ratio) for one in ladder]
        return min(tried, key=self._error)

    def _ladder(self) -> list[Layers]:
        """Return layers of all first thicknesses and ratios, as many as reach the core's size."""
        particles = self.law.particles
        found = []
        coarsest = math.floor(-2.0 * math.log2(1e6 * float(particles.core_size.max())))
        for power in range(coarsest, THINNEST + 1):
            for ratio in RATIOS:
                layers = Layers(MOST, 1e-6 * 2.0 ** (-0.5 * power), ratio)
                count = int(layer_counts(particles.radius, particles.core_size, layers).max())
                if count > 0:
                    found.append(Layers(count, layers.first, ratio))
        return found

    def _error(self, layers: Layers) -> float:
        """Return a bound of the voltage's error with some layers, V, for small errors."""
        each = [path.bounds(self._table(i, layers)) for i, path in enumerate(self._paths)]
        return float(self._largest(each).max(initial=0.0))

    def _largest_of(self, layers: Layers | None, *, crowded: bool) -> float:
        """Return the largest error of the voltage, V, or a bound if crowded."""
        return float(self._whole(layers, crowded=crowded).max(initial=0.0))

    def _whole(self, layers: Layers | None, *, crowded: bool) -> Floats:
        """Return the largest error, or bound, after each jump, (J,) V, for errors of any size."""
        law = self.law
        each = [
            path.voltages(self._table(i, layers), law, crowded=crowded)
            for i, path in enumerate(self._paths)
        ]
        return self._largest(each)

    def _largest(self, each: Sequence[Floats]) -> Floats:
        """Return the largest mean over the radii after each jump, (J,) V, of (J, T) errors."""
        shares, paths = self._shares, self._paths
        mean = sum(share * error for share, error in zip(shares, each, strict=True))
        allowed = sum(share * path.allowed for share, path in zip(shares, paths, strict=True))
        error = np.where(paths[0].counts, np.abs(mean) - allowed, 0.0)
        largest: Floats = np.max(error, axis=1, initial=0.0)
        return largest

    def _table(self, number: int, layers: Layers | None) -> Floats:
        """Return the errors of the response to a unit flux at _TIMES, for one of the radii."""
        radius = float(self.law.particles.radius[number])
        size = float(self.law.particles.core_size[number])
        nodes: Floats = np.asarray(spacing(radius, size, layers) / radius, dtype=np.float64)
        key = (number, nodes.tobytes())
        if key not in self._tables:
            modes = RadialModes(nodes, self.law.particles.dimension, self._degree)
            self._tables[key] = modes.deviation(_TIMES) - self._exact
        return self._tables[key]

    @cached_property
    def _shares(self) -> Floats:
        """Shares of the surface for which the radii stand."""
        count = len(self.law.particles.radius)
        even = np.full(count, 1.0 / count)
        return np.array(SHARE_OF_RADIUS) if count == len(SHARE_OF_RADIUS) else even

    @cached_property
    def _overshoots(self) -> Overshoots:
        longest = max((float(jump.ages().max()) for jump in self._jumps), default=0.0)
        return Overshoots(self.law, longest)

    @cached_property
    def _exact(self) -> Floats:
        return deviation(_TIMES, self.law.particles.dimension)

    @cached_property
    def _jumps(self) -> list[Jump]:
        """The jumps with the largest errors without layers."""
        jumps = [jump for jump in jumps_of(self.law) if jump.after.size]
        if len(jumps) <= MOST_JUMPS:
            return jumps
        middle = len(self.law.particles.radius) // 2
        path = self._path(middle, jumps)
        error = np.abs(path.bounds(self._table(middle, None))) - path.allowed
        errors = np.max(np.where(path.counts, error, 0.0), axis=1, initial=0.0)
        chosen = np.sort(np.argsort(-errors, kind="stable")[:MOST_JUMPS])
        return [jumps[i] for i in chosen]

    @cached_property
    def _paths(self) -> list[_Path]:
        return [self._path(i, self._jumps) for i in range(len(self.law.particles.radius))]

    def _path(self, number: int, jumps: Sequence[Jump]) -> _Path:
        law, radius = self.law, float(self.law.particles.radius[number])
        T = max((jump.after.size for jump in jumps), default=0)
        H = max((jump.changes.size for jump in jumps), default=0)
        shape = (len(jumps), T)
        times, scale = np.ones((*shape, H)), np.zeros((len(jumps), H))
        exact, allowed, crowding = np.full(shape, 0.5), np.zeros(shape), np.ones(shape)
        counts, slope = np.zeros(shape, dtype=bool), np.zeros(shape)
        for j, jump in enumerate(jumps):
            D = self._least_diffusivity(jump, radius)
            t, h = jump.after.size, jump.changes.size
            times[j, :t, :h] = D / radius**2 * jump.ages()
            scale[j, :h] = -law.per_current * radius / D * jump.changes
            exact[j, :t] = jump.surface(law, radius, D)
            slope[j, :t] = law.slope(exact[j, :t], jump.current)
            counts[j, :t] = True
            risen = law.potential(exact[j, :t]) - law.potential(jump.means(law))
            crowding[j, :t] = law.crowding(exact[j, :t], jump.current, risen)
            if t > 1:
                V = law.voltage(exact[j, :t], jump.current)
                allowed[j, :t] = TIME_SHIFT * np.abs(np.gradient(V, np.log(jump.after)))
        place = (np.log10(times) - DECADES[0]) * PER_DECADE
        place = np.clip(place, 0.0, _TIMES.size - 1.000001)
        row = place.astype(np.int64)
        current = np.array([[jump.current] for jump in jumps])
        return _Path(row, place - row, scale, crowding, exact, slope, allowed, current, counts)

    def _least_diffusivity(self, jump: Jump, radius: float) -> float:
        """Return the least diffusivity at the lithium fractions after a jump."""
        first = self.law.diffusivity(np.array([jump.fraction]))
        reached = jump.surface(self.law, radius, first)
        return self.law.diffusivity(np.concatenate([[jump.fraction], reached]))


def _shortened(layers: Layers) -> Iterator[Layers]:
    """Yield layers and what is left of them without the innermost, one after another."""
    for count in range(layers.count, 0, -1):
        yield Layers(count, layers.first, layers.ratio)
