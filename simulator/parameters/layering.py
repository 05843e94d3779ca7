"""solver.layers: chosen by the accuracy, none, their number, or a text that gives all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

from heterode.base.units import UnitError, quantity
from heterode.base.words import counted
from heterode.parameters.fields import MistakeError
from heterode.parameters.notes import Written

MOST_LAYERS = 40
"""Largest number of layers under the particles' surfaces."""

_THINNEST, _THICKEST, _STEEPEST = 1e-10, 1e-4, 10.0
"""Thicknesses of the first layer, m, from an atom to a large particle; the largest ratio."""

FALL = 0.25
"""By how much less each element is lumped than the one below it, from the core outwards: for the
same overshoot, the error of the surface is smallest with 0.2 to 0.3, in spheres with 5 to 8 layers
of ratio 1.5 to 2; with more, lumping does not reach the layers where small particles overshoot."""

_WHOLE = re.compile(
    r"(\d{1,2}) (?:layers? )?from (.{1,40}), ratio (\d{1,2}(?:\.\d{1,6})?)"
    r"(?:, lumped (0(?:\.\d{1,6})?|1(?:\.0{1,6})?))?"
)

_FORMS = (
    f'"auto", "none", a whole number from 0 to {MOST_LAYERS}, or all of them like'
    ' "6 from 15.625 nm, ratio 2" or "6 from 15.625 nm, ratio 2, lumped 0.5" (0 to 1),'
    " from 0.1 nm to 100 um and ratio 1 to 10"
)


@dataclass(frozen=True)
class Layers:
    """Layers under a surface.

    Attributes:
        count: most layers of a particle.
        first: thickness of the outermost, m.
        ratio: of the thickness of each to that of the one above it.
        lumping: share of the mass matrix that is lumped in the core below them, from 0 to 1; in
            the layers it falls by FALL from one to the next.
    """

    count: int
    first: float
    ratio: float
    lumping: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.lumping <= 1.0:
            raise ValueError(f"{self}: needs a lumping from 0 to 1")
        if self.count < 0 or not self.first > 0.0 or not self.ratio >= 1.0:
            raise ValueError(f"{self}: needs count >= 0, first > 0 and ratio >= 1")

    @property
    def thicknesses(self) -> npt.NDArray[np.float64]:
        """Thickness of each layer from the surface inward, (count,) m."""
        found: npt.NDArray[np.float64] = self.first * self.ratio ** np.arange(
            self.count, dtype=np.float64
        )
        return found

    @property
    def total(self) -> float:
        """Thickness of all of them together, m."""
        return float(self.thicknesses.sum())

    @property
    def text(self) -> str:
        """What they are, in words."""
        said = f"{counted(self.count, 'layer')} from {1e9 * self.first:.3g} nm"
        return f"{said}, ratio {self.ratio:g}{self._lumped}"

    @property
    def written(self) -> str:
        """The text of `solver.layers` that says the same."""
        return f"{self.count} from {1e9 * self.first:.10g} nm, ratio {self.ratio:g}{self._lumped}"

    @property
    def _lumped(self) -> str:
        return f", lumped {self.lumping:g}" if self.lumping else ""

    def lumping_at(
        self, place: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the lumped share in elements at a place: 0 is the core, 1 the layer above it."""
        share: npt.NDArray[np.float64] = np.maximum(self.lumping - FALL * place, 0.0)
        return share


def written_layers(value: Any) -> Layers | None:
    """Read a value of `solver.layers`; None if it does not give layers in full."""
    found = _WHOLE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        first = quantity(found[2], "m")
    except UnitError:
        return None
    count, ratio = int(found[1]), float(found[3])
    if not (1 <= count <= MOST_LAYERS and _THINNEST <= first <= _THICKEST):
        return None
    lumping = float(found[4] or 0.0)
    return Layers(count, first, ratio, lumping) if 1.0 <= ratio <= _STEEPEST else None


def _read(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_LAYERS
    if whole or value in ("auto", "none") or written_layers(value) is not None:
        return value
    raise MistakeError(
        "is no number of layers",
        allowed=_FORMS,
        remedy='Write layers = "auto", and solver.accuracy decides.',
    )


Layering = Annotated[
    str | int,
    BeforeValidator(_read),
    Written(
        "text or whole number",
        _FORMS,
        "6 from 15.625 nm, ratio 2",
        {"type": ["string", "integer"], "minimum": 0, "maximum": MOST_LAYERS},
    ),
]
"""The layers of thin elements under the particles' surfaces."""
