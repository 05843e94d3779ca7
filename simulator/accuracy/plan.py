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

No particle may leave the range of start and surface values by more than OVERSHOOT (see
heterode.accuracy.overshoot), which asks for layers that lead up to the size of the core's elements,
and for a mass matrix that is lumped there for a share, the least of LUMPINGS that does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from heterode.accuracy.electrode import Particles, SurfaceLaw
from heterode.accuracy.jumps import Jump, jumps_of
from heterode.accuracy.overshoot import CAREFUL, IRREGULAR, Overshoots
from heterode.accuracy.paths import TIMES, Path, path_of
from heterode.accuracy.radial import RadialModes
from heterode.accuracy.series import deviation
from heterode.base.words import counted
from heterode.geometry.layers import layer_counts, radial_elements
from heterode.parameters import Parameters
from heterode.parameters.layering import MOST_LAYERS, Layers, written_layers

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RATIOS = (3.0, 2.5, 2.0, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3, 1.2, 1.15)
"""Ratios of the thicknesses of successive layers that are tried. The error of the grading falls as
the square of (ratio - 1)/(ratio + 1); the last two are what 0.1 mV takes."""

LUMPINGS = (0.0, 0.15, 0.25, 0.35, 0.5, 0.7, 0.85, 1.0)
"""Lumped shares of the core's mass matrix that are tried, the least first."""

THINNEST = 24
"""Largest j of the first thickness 2^(-j/2) um: 0.24 nm, of the size of an atom."""

SHARE_OF_RADIUS = (0.3, 0.4, 0.3)
"""Shares of the surface for which the radii at SHARES stand."""

MOST = MOST_LAYERS
"""Most layers that a plan takes."""

ENOUGH, DEARER, WIDER = 6.0, 1.18, 1.4
"""Layers of spheres that overshoots may ask for, and how many times those that the voltage takes;
beyond both their bound is widened in steps of the third."""

DEAR = 12
"""Layers above which a plan names what CHEAPER times its error would take: such layers more than
double the unknowns in 2D."""

CHEAPER = 5.0
"""Ratio of the default accuracy to that of the cheap choice, and so of any to a cheaper one."""

WORTH_SAYING = 0.75
"""Share of the layers below which those of the cheaper accuracy are named."""

NEARLY = 1.2
"""Factor on the least error that can be had, where that is not enough: the last layers cost as many
unknowns as all others, and gain next to nothing."""

MOST_JUMPS = 48
"""Jumps that are planned for: those with the largest error without layers."""

LINEAR = 0.99
"""Share of the goal that errors may have in the search, which takes the voltage as linear."""


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
        plunge: largest error if it counts in full where the voltage plunges, V.
        cheaper: for many layers, a lower accuracy, V, and the layers that do for it.
    """

    accuracy: float
    layers: Layers | None
    error: float
    without: float
    bound: float
    text: str
    chosen: bool
    core_size: float
    plunge: float = 0.0
    cheaper: tuple[float, Layers | None] | None = None

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
        said = [f"expected space error {_millivolts(self.error)}"]
        if self.plunge > max(self.accuracy, 1.5 * self.error):
            said.append(f"{_millivolts(self.plunge)} where the voltage plunges")
        if self.layers is not None:
            said.append(f"without layers {_millivolts(self.without)}")
        return ", ".join(said)

    @property
    def cheaper_text(self) -> str:
        """What a lower accuracy would take, in words; "" where the layers are few."""
        if self.cheaper is None:
            return ""
        accuracy, layers = self.cheaper
        count = "no layers" if layers is None else counted(layers.count, "layer")
        return f"accuracy {_millivolts(accuracy)} would take {count}"

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
        parts = [self.expected_text, self.shortfall_text, self.cheaper_text]
        return said + "; ".join(filter(None, parts))

    @property
    def entries(self) -> dict[str, int | float | str]:
        """What a manifest keeps of the plan, under accuracy.layers."""
        made: dict[str, int | float | str] = {"count": 0}
        if self.layers is not None:
            first = 1e6 * self.layers.first
            made = {"count": self.layers.count, "first_um": first, "ratio": self.layers.ratio}
            made |= {"lumping": self.layers.lumping} if self.layers.lumping else {}
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
    return f"{float(f'{1e3 * volts:.2g}'):.6g} mV"


def plan(parameters: Parameters, particles: Particles) -> Plan:
    """Plan the layers of a run; the same for the same arguments, in some tenths of a second."""
    found = _Search(SurfaceLaw(parameters, particles)).plan()
    if not found.chosen or found.layers is None or found.layers.count <= DEAR:
        return found
    accuracy = CHEAPER * found.accuracy
    asked = parameters.with_values({"solver.accuracy": f"{1e3 * accuracy:.9g} mV"})
    layers = _Search(SurfaceLaw(asked, particles)).plan().layers
    if layers is not None and layers.count > WORTH_SAYING * found.layers.count:
        return found
    return replace(found, cheaper=(accuracy, layers))


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
            best = self._best([one for one in self._ladder() if one.count >= asked], asked)
            layers = self._lumped(best, goal) or best
        error = self._whole(layers, crowded=False)
        worst = self._jumps[int(np.argmax(error))].text if error.size else ""
        return Plan(
            accuracy=solver.accuracy,
            layers=layers,
            error=float(error.max(initial=0.0)),
            without=self._largest_of(None, crowded=False),
            bound=self._largest_of(layers, crowded=True),
            plunge=float(self._whole(layers, crowded=False, in_full=True).max(initial=0.0)),
            text=worst,
            chosen=asked == "auto",
            core_size=float(np.median(self.law.particles.core_size)),
        )

    @property
    def _degree(self) -> int:
        return self.law.parameters.solver.degree

    def _fewest(self, goal: float) -> Layers:
        """Return the fewest layers whose error is at most the goal, or the best there are.

        In 3D, where each layer takes an eighth of the unknowns, the bound of overshoots is widened
        as long as it takes more than ENOUGH layers, and DEARER times those of the voltage.
        """
        found = self._search(goal, IRREGULAR) or self._nearly_best()
        if self.law.particles.dimension == 2 or self._rows(found) <= ENOUGH:
            return found
        alone = self._search(goal, None)
        irregular = IRREGULAR
        while alone is not None and self._rows(found) > DEARER * self._rows(alone):
            irregular /= WIDER
            found = (irregular > 0.1 and self._search(goal, irregular)) or alone
        return found

    def _search(self, whole_goal: float, irregular: float | None) -> Layers | None:
        """Return the fewest layers whose error is at most the goal; None if there are none.

        Args:
            whole_goal: the goal, V.
            irregular: how much more particles overshoot than radial elements; None for no bound.
        """
        goal = LINEAR * whole_goal
        found: Layers | None = None
        for whole in sorted(self._ladder(), key=lambda one: (one.count, -one.first)):
            if found is not None and whole.count > found.count + 3:
                break
            for consistent in _shortened(whole):
                if found is not None and self._dearness(consistent) >= self._dearness(found):
                    continue
                layers = self._lumped(consistent, goal, irregular)
                if layers is None:
                    break
                # The goal is that of the whole voltage, which is not linear where errors are large.
                if self._largest_of(layers, crowded=True) <= whole_goal:
                    found = layers
        return found

    def _lumped(
        self, layers: Layers, goal: float, irregular: float | None = IRREGULAR
    ) -> Layers | None:
        """Return layers with the least lumping that keeps overshoots small; None if none does.

        The error grows with the lumping, and may not exceed the goal. Where the bound of overshoots
        is widened, the lumping is that of the smallest.
        """
        found: Layers | None = None
        overshoots = self._overshoots
        widened = irregular is not None and irregular < IRREGULAR
        for lumping in LUMPINGS if self._degree == 1 else LUMPINGS[:1]:
            tried = replace(layers, lumping=lumping)
            if self._error(tried) > goal:
                break
            if irregular is None or overshoots.are_small(tried, CAREFUL):
                return tried
            if (found is None or widened) and overshoots.are_small(tried, irregular):
                found = tried if found is None else min(found, tried, key=overshoots.largest)
        return found

    def _nearly_best(self) -> Layers:
        """Return the fewest layers whose error is at most NEARLY times the least."""
        ladder = self._ladder()
        errors = [self._error(layers) for layers in ladder]
        enough = NEARLY * min(errors)
        found: list[Layers] = []
        for whole, error in zip(ladder, errors, strict=True):
            if error <= enough:
                fewer = takewhile(lambda one: self._error(one) <= enough, _shortened(whole))
                found.append(list(fewer)[-1])
        return min(found, key=self._dearness)

    def _dearness(self, layers: Layers) -> tuple[float, float]:
        """Return the order of layers by what they cost: their number, then their ratio."""
        return self._rows(layers), layers.ratio

    def _rows(self, layers: Layers) -> float:
        """Return the mean number of layers over the surface."""
        particles = self.law.particles
        counts = layer_counts(particles.radius, particles.core_size, layers)
        return float(self._shares @ counts)

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

    def _whole(self, layers: Layers | None, *, crowded: bool, in_full: bool = False) -> Floats:
        """Return the largest error, or bound, after each jump, (J,) V, for errors of any size."""
        law = self.law
        each = [
            path.voltages(self._table(i, layers), law, crowded=crowded)
            for i, path in enumerate(self._paths)
        ]
        return self._largest(each, in_full=in_full)

    def _largest(self, each: Sequence[Floats], *, in_full: bool = False) -> Floats:
        """Return the largest mean over the radii after each jump, (J,) V, of (J, T) errors.

        What is allowed where the voltage plunges is left out unless they count in full.
        """
        shares, paths = self._shares, self._paths
        mean = sum(share * error for share, error in zip(shares, each, strict=True))
        # It is that of the potential, which particles of all sizes share.
        allowed = 0.0 if in_full else paths[0].allowed
        error = np.where(paths[0].counts, np.abs(mean) - allowed, 0.0)
        largest: Floats = np.max(error, axis=1, initial=0.0)
        return largest

    def _table(self, number: int, layers: Layers | None) -> Floats:
        """Return the errors of the response to a unit flux at TIMES, for one of the radii."""
        radius = float(self.law.particles.radius[number])
        size = float(self.law.particles.core_size[number])
        lengths, lumping = radial_elements(radius, size, layers)
        nodes: Floats = np.asarray(lengths / radius, dtype=np.float64)
        key = (number, nodes.tobytes(), b"" if lumping is None else lumping.tobytes())
        if key not in self._tables:
            modes = RadialModes(nodes, self.law.particles.dimension, self._degree, lumping)
            self._tables[key] = modes.deviation(TIMES) - self._exact
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
        return deviation(TIMES, self.law.particles.dimension)

    @cached_property
    def _jumps(self) -> list[Jump]:
        """The jumps with the largest errors without layers."""
        jumps = [jump for jump in jumps_of(self.law) if jump.after.size]
        if len(jumps) <= MOST_JUMPS:
            return jumps
        middle = len(self.law.particles.radius) // 2
        path = path_of(self.law, float(self.law.particles.radius[middle]), jumps)
        error = np.abs(path.bounds(self._table(middle, None))) - path.allowed
        errors = np.max(np.where(path.counts, error, 0.0), axis=1, initial=0.0)
        chosen = np.sort(np.argsort(-errors, kind="stable")[:MOST_JUMPS])
        return [jumps[i] for i in chosen]

    @cached_property
    def _paths(self) -> list[Path]:
        return [
            path_of(self.law, float(radius), self._jumps) for radius in self.law.particles.radius
        ]


def _shortened(layers: Layers) -> Iterator[Layers]:
    """Yield layers and what is left of them without the innermost, one after another."""
    for count in range(layers.count, 0, -1):
        yield Layers(count, layers.first, layers.ratio)
