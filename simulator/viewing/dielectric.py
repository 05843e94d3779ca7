"""Dielectric function and optical constants over photon energy, as in Figs. S12-S16.

Infrared, visible and ultraviolet light are marked along the top; the visible range is tinted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heterode.optics.colour import INFRARED_ABOVE_NM, ULTRAVIOLET_BELOW_NM
from heterode.optics.spectrum import EV_UM, Spectrum
from heterode.viewing import style
from heterode.viewing.legends import lay_out
from heterode.viewing.micrographs import CHANNEL_LOOKS

Floats = npt.NDArray[np.floating[Any]]

VISIBLE_EV = (1e3 * EV_UM / INFRARED_ABOVE_NM, 1e3 * EV_UM / ULTRAVIOLET_BELOW_NM)
_LINES = {
    "in plane (ab)": (style.CHARGE, "-"),
    "across (c)": (style.DISCHARGE, "-"),
    "polycrystal": (style.INK, (0, (3, 1.4))),
    "isotropic": (style.INK, "-"),
}
_SHOWN_EV = 12.0


def dielectric_figure(spectra: Mapping[str, Spectrum]) -> Figure:
    """Draw eps1 and eps2 side by side.

    Args:
        spectra: spectra by direction: "in plane (ab)", "across (c)", "polycrystal" or "isotropic".
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 2.7)
        panels = figure.subplots(1, 2)
        for axes, name, symbol in zip(
            panels, ("eps1", "eps2"), (r"$\varepsilon_1$", r"$\varepsilon_2$"), strict=True
        ):
            for direction, spectrum in spectra.items():
                values = getattr(spectrum, name)
                _line(axes, direction, spectrum.energy_eV, values)
            axes.set_ylabel(symbol)
            _finish(axes, spectra)
        panels[0].axhline(0.0, color=style.NEUTRAL, linewidth=0.5, zorder=0)
        panels[1].legend()
        lay_out(figure)
    return figure


def constants_figure(spectra: Mapping[str, Spectrum], medium: float) -> Figure:
    """Draw n, k, R and alpha in four panels.

    Args:
        spectra: as in `dielectric_figure`.
        medium: refractive index in front of the surface, for R.
    """
    with style.style():
        figure = style.new_figure(style.DOUBLE_COLUMN_IN, 4.8)
        panels = figure.subplots(2, 2).ravel()
        for direction, spectrum in spectra.items():
            curves = (
                spectrum.n,
                spectrum.k,
                spectrum.reflectance(medium),
                spectrum.absorption_per_m * 1e-8,
            )
            for axes, values in zip(panels, curves, strict=True):
                _line(axes, direction, spectrum.energy_eV, values)
        front = "" if medium == 1.0 else f" from n = {medium:g}"
        names = (
            "refractive index $n$",
            "extinction coefficient $k$",
            f"reflectance $R${front}",
            r"absorption $\alpha$ / 10$^6$ cm$^{-1}$",
        )
        for axes, name in zip(panels, names, strict=True):
            axes.set_ylabel(name)
            axes.set_ylim(bottom=0.0)
            _finish(axes, spectra)
        panels[0].legend()
        lay_out(figure)
    return figure


def colours_figure(lithium_fractions: Sequence[float], brightness: Floats) -> Figure:
    """Draw the red, green and blue brightness of a smooth surface over the lithium fraction.

    Args:
        lithium_fractions: (K,) lithium fractions.
        brightness: (K, 3), with 1 for a perfect mirror.
    """
    with style.style():
        figure = style.new_figure(0.5 * style.DOUBLE_COLUMN_IN, 2.6)
        axes = figure.subplots()
        order = np.argsort(lithium_fractions)
        for index, (channel, look) in enumerate(CHANNEL_LOOKS.items()):
            axes.plot(
                np.asarray(lithium_fractions)[order],
                brightness[order, index],
                **look,
                marker="o",
                markersize=3,
                label=channel,
            )
        axes.set_xlabel("lithium fraction")
        axes.set_ylabel("brightness (mirror = 1)")
        axes.legend()
        lay_out(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    with style.style():
        style.save(figure, path)
    return path


def _line(axes: Axes, direction: str, energy: Floats, values: Floats) -> None:
    colour, dashes = _LINES[direction]
    axes.plot(energy, values, color=colour, linestyle=dashes, label=direction)


def _finish(axes: Axes, spectra: Mapping[str, Spectrum]) -> None:
    end = min(max(float(s.energy_eV[-1]) for s in spectra.values()), _SHOWN_EV)
    axes.set_xlim(0.0, end)
    axes.set_xlabel("photon energy / eV")
    low, high = VISIBLE_EV
    axes.axvspan(low, min(high, end), color="#f6e7b4", alpha=0.6, linewidth=0, zorder=0)
    for left, right, name in ((0.0, low, "IR"), (low, high, "visible"), (high, end, "UV")):
        if right - left > 0.04 * end and left < end:
            axes.text(
                (left + min(right, end)) / 2,
                1.015,
                name,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=6.5,
                color=style.NEUTRAL,
            )
    axes.tick_params(which="both", top=False, right=True)
