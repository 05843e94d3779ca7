"""The accuracy that a run reached, as rows of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heterode.base.words import counted
from heterode.viewing.style import spoken_time

_ERRORS = (
    ("voltage_space_error_V", "error of the voltage by the mesh of the particles", 1e3, "mV"),
    ("voltage_time_error_V", "error of the voltage by the time steps", 1e3, "mV"),
    ("current_space_error_A_m2", "error of the current by the mesh, voltage held", 1.0, "A m⁻²"),
)


def accuracy_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of what was asked for and of the errors, as far as they are known."""
    entries = manifest.get("accuracy") or {}
    rows = []
    if (asked := entries.get("asked_V")) is not None:
        rows.append(("accuracy of the voltage asked for", f"{1e3 * asked:.3g} mV"))
    if layers := entries.get("layers"):
        rows.append(("layers under the particles' surfaces", _layers(layers)))
    for key, name, scale, unit in _ERRORS:
        if error := entries.get(key):
            largest, rms = scale * error["largest"], scale * error["rms"]
            when = spoken_time(error["at_s"])
            rows.append(
                (name, f"at most {largest:.2g} {unit} (after {when}), rms {rms:.2g} {unit}")
            )
    if (mean := entries.get("particle_mean_error")) is not None:
        rows.append(("error of a particle's mean lithium fraction by the mesh", f"{mean:.2g}"))
    if clip := entries.get("largest_clip"):
        cut = clip.get("lithium_fraction") or 0.0
        rows.append(("largest cut of a lithium fraction to its bounds", f"{cut:.2g}"))
    # A single number says nothing of what was reached.
    return rows if len(rows) > 1 else []


def _layers(layers: Mapping[str, Any]) -> str:
    parts = [counted(layers["count"], "layer")] if "count" in layers else []
    if layers.get("first_um") is not None:
        parts.append(f"from {1e3 * layers['first_um']:.3g} nm")
    if layers.get("ratio") is not None:
        parts.append(f"ratio {layers['ratio']:.3g}")
    if layers.get("lumping") is not None:
        parts.append(f"lumped {layers['lumping']:.3g}")
    if thinner := layers.get("particles_with_thinner"):
        parts.append(f"thinner somewhere on {counted(thinner, 'particle')}")
    return ", ".join(parts)
