"""Pictures of a material's functions, inside and beyond the range in which they were measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from heterode.materials.arrhenius import REFERENCE_TEMPERATURE
from heterode.materials.electrolytes import Electrolyte
from heterode.materials.open_circuit import OpenCircuitPotential
from heterode.parameters.active_material import ActiveMaterial
from heterode.parameters.curves import entropic_function
from heterode.parameters.described_materials import section_of
from heterode.parameters.electrolyte import ElectrolyteSection
from heterode.parameters.material_files import MaterialFile
from heterode.physics.exchange import exchange_law
from heterode.viewing import style
from heterode.viewing.legends import lay_out

T = REFERENCE_TEMPERATURE


@dataclass(frozen=True)
class _Panel:
    label: str
    function: Callable[[Any], Any]
    logarithmic: bool = False


def material_figure(found: MaterialFile | OpenCircuitPotential | Electrolyte, title: str) -> Figure:
    """Draw the functions of a material at 298.15 K; what lies beyond the range is dashed.

    Raises:
        InputError: the material's file is wrong.
    """
    given: Any = section_of(found) if isinstance(found, MaterialFile) else found
    if isinstance(given, ElectrolyteSection):
        given = given.functions
    if isinstance(given, Electrolyte):
        low, high = given.range
        panels, label, ends = _of_electrolyte(given), "salt (mol/l)", (0.0, 1.1 * high)
    else:
        curve = given.curve() if isinstance(given, ActiveMaterial) else given
        low, high = curve.measured_range
        panels = [_Panel("U (V against Li)", curve.potential)]
        panels += _of_particles(given) if isinstance(given, ActiveMaterial) else []
        label, ends = "lithium fraction x", (0.0, 1.0)
    return _drawn(panels, title, label, (low, high), ends)


def _drawn(
    panels: list[_Panel],
    title: str,
    label: str,
    measured: tuple[float, float],
    ends: tuple[float, float],
) -> Figure:
    scale = 1000.0 if label.startswith("salt") else 1.0
    x = np.linspace(ends[0] + 1e-4 * ends[1], ends[1] * (1 - 1e-4), 800)
    inside = (x >= measured[0]) & (x <= measured[1])
    rows = (len(panels) + 1) // 2
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 0.4 + 2.3 * rows)
        every = np.atleast_1d(figure.subplots(rows, min(len(panels), 2))).ravel()
        for axes, panel in zip(every, panels, strict=False):
            y = np.broadcast_to(np.asarray(panel.function(x), dtype=np.float64), x.shape)
            axes.plot(x / scale, y, "--", color="0.6", linewidth=0.8)
            axes.plot(x / scale, np.where(inside, y, np.nan), color="C0")
            axes.set_xlabel(label)
            axes.set_ylabel(panel.label)
            if panel.logarithmic:
                axes.set_yscale("log")
        for axes in every[len(panels) :]:
            axes.set_axis_off()
        figure.suptitle(f"{title}, 298.15 K")
        lay_out(figure)
    return figure


def _of_particles(material: ActiveMaterial) -> list[_Panel]:
    law = exchange_law(material, salt_concentration=material.reference_concentration, temperature=T)
    c = f"{material.reference_concentration / 1000:g} mol/l"
    found = [
        _Panel("D (m$^2$/s)", lambda x: material.diffusivity_of_fraction(x, T), True),
        _Panel(f"i$_0$ at {c} (A/m$^2$)", lambda x: law(x, np.ones_like(x))),
    ]
    if material.entropic_coefficient is not None:
        coefficient = entropic_function(material.entropic_coefficient, T)
        found.append(_Panel("dU/dT (mV/K)", lambda x: 1e3 * coefficient(x)[0]))
    return found


def _of_electrolyte(found: Electrolyte) -> list[_Panel]:
    return [
        _Panel(r"$\kappa$ (S/m)", lambda c: found.conductivity(c, T)),
        _Panel("D (m$^2$/s)", lambda c: found.diffusivity(c, T)),
        _Panel("t$_+$", lambda c: found.transference_number(c, T)),
        _Panel("TDF", lambda c: found.thermodynamic_factor(c, T)),
    ]
