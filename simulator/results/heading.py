"""The heading of a run: the user's title, if there is one, and facts about the run.

The facts come from the manifest: the material whose open-circuit curve was used, the particles that
were meshed, and the protocol. The title is what the user wrote for exactly these parameters;
`heterode.parameters.loading` drops it if `--set` changed what it was written for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heterode.base.words import counted


def heading(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return one line: "Title: facts", the facts alone, or the folder's name without either."""
    parts = [str(manifest.get("title") or ""), facts(manifest)]
    return ": ".join(part for part in parts if part) or folder.absolute().name


def facts(manifest: Mapping[str, Any]) -> str:
    """Return facts such as "NMC532, 60 particles in 2D, charge at C/10 until 4.5 V", or ""."""
    parameters = manifest.get("parameters") or {}
    parts = [
        _material(parameters.get("active_material") or {}),
        _particles(manifest),
        _protocol(parameters.get("protocol") or {}),
    ]
    return ", ".join(part for part in parts if part)


def _material(section: Mapping[str, Any]) -> str:
    """Return the name of the included material, or of the open-circuit curve."""
    curve, name = section.get("open_circuit_potential"), section.get("material")
    if name:
        return Path(str(name)).stem
    if isinstance(curve, Mapping):
        return Path(str(curve["file"])).stem if "file" in curve else str(curve.get("source") or "")
    return str(curve or "")


def _particles(manifest: Mapping[str, Any]) -> str:
    """Return the number of particles meshed, and of their pieces if walls cut particles."""
    count = manifest.get("particles")
    if not count:
        return ""
    geometry = (manifest.get("parameters") or {}).get("geometry") or {}
    cut = geometry.get("walls") == "cut" and not geometry.get("mesh_file")
    packed = (geometry.get("particles") if cut else None) or count
    dimension = geometry.get("dimension")
    text = f"{packed} particle{'s' * (packed != 1)}" + (f" in {dimension}D" if dimension else "")
    if packed != count:
        return f"{text} ({counted(count, 'piece')}, cut at the walls)"
    return f"{text} (pieces cut at the walls counted)" if cut else text


def _protocol(protocol: Mapping[str, Any]) -> str:
    """Return the first step, the number of further ones, and how often all of it is repeated."""
    steps = list(protocol.get("steps") or ())
    if not steps:
        return ""
    first = steps[0]
    while isinstance(first, Mapping) and first.get("steps"):
        first = first["steps"][0]
    words = str(first)
    if len(steps) > 1:
        words += f" and {len(steps) - 1} more step{'s' * (len(steps) > 2)}"
    elif first is not steps[0]:
        words += ", repeated"
    repeat = protocol.get("repeat") or 1
    return words + (f", {counted(repeat, 'time')}" if repeat > 1 else "")
