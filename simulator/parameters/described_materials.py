"""What there is to include: shipped materials and named functions, with ranges and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from heterode.base.errors import MistakesError
from heterode.materials.electrolytes import ELECTROLYTES, Electrolyte
from heterode.materials.galleries import GALLERIES
from heterode.materials.open_circuit import OpenCircuitPotential, open_circuit_potential
from heterode.materials.solid_diffusion import MEASURED_RANGES
from heterode.parameters.active_material import ActiveMaterial
from heterode.parameters.electrolyte import ElectrolyteSection
from heterode.parameters.fields import MistakeError
from heterode.parameters.material_files import MaterialFile, material_named, shipped_materials
from heterode.parameters.messages import first_line


@dataclass(frozen=True)
class Described:
    """A material or function that a parameter file can name.

    Attributes:
        name: the name.
        kind: "active material", "electrolyte", "open-circuit curve", "diffusivity".
        title: what it is.
        range: where it holds, in words.
        source: where it comes from.
    """

    name: str
    kind: str
    title: str
    range: str
    source: str


def every_material() -> list[Described]:
    """Return the shipped materials, then the functions that have names.

    Raises:
        InputError: a shipped file is wrong.
    """
    return [*map(described, shipped_materials()), *_named_functions()]


def described(file: MaterialFile) -> Described:
    """Return what is told of a material of a file."""
    section = section_of(file)
    if isinstance(section, ElectrolyteSection):
        where = _of_electrolyte(section.functions)
        return Described(file.name, "electrolyte", file.title, where, file.source)
    where = _of_curve(section.curve())
    return Described(file.name, "active material", file.title, where, file.source)


def section_of(file: MaterialFile) -> ActiveMaterial | ElectrolyteSection:
    """Return the section that a material gives, with the middle of its window as the start.

    Raises:
        InputError: a key of it is wrong or missing.
    """
    values = dict(file.values)
    try:
        if file.section == "electrolyte":
            return ElectrolyteSection.model_validate({"initial_concentration": "1 M"} | values)
        values["initial_lithium_fraction"] = 0.5
        try:
            return ActiveMaterial.model_validate(values)
        except ValidationError as error:
            middle = _middle(error)
            if middle is None:
                raise
            return ActiveMaterial.model_validate(values | {"initial_lithium_fraction": middle})
    except ValidationError as error:
        root = ElectrolyteSection if file.section == "electrolyte" else ActiveMaterial
        raise MistakesError(first_line(error, values, file.file, root=root)) from None


def _middle(error: ValidationError) -> float | None:
    """Return the middle of the window if 0.5 is outside and nothing else is wrong."""
    (details, *_) = error.errors(include_url=False)
    mistake = details.get("ctx", {}).get("error")
    if not isinstance(mistake, MistakeError) or mistake.key != ("initial_lithium_fraction",):
        return None
    numbers = [float(word.strip(",")) for word in mistake.allowed.split() if word[0].isdigit()]
    return float(np.mean(numbers))


def named(name: str) -> MaterialFile | OpenCircuitPotential | Electrolyte:
    """Return the shipped material, the curve or the electrolyte with a name, or a user's file.

    Raises:
        InputError: there is none.
    """
    if name in GALLERIES:
        return open_circuit_potential(name)
    if name in ELECTROLYTES:
        return ELECTROLYTES[name]
    return material_named(name)


def _named_functions() -> Iterator[Described]:
    for name in GALLERIES:
        curve = open_circuit_potential(name)
        yield Described(name, "open-circuit curve", name, _of_curve(curve), curve.source)
    for name, found in MEASURED_RANGES.items():
        where = f"x {found.low:g} to {found.high:g}"
        yield Described(name, "diffusivity", f"solid diffusivity {name}", where, found.source)
    for name, electrolyte in ELECTROLYTES.items():
        where = _of_electrolyte(electrolyte)
        yield Described(name, "electrolyte", f"LiPF6, {name}", where, electrolyte.source)


def _of_curve(curve: OpenCircuitPotential) -> str:
    low, high = curve.measured_range
    volts = curve.measured_voltage
    return f"x {low:.3g} to {high:.3g}, {volts[0]:.3f} to {volts[1]:.3f} V"


def _of_electrolyte(functions: Electrolyte) -> str:
    low, high = (each / 1000.0 for each in functions.range)
    cold, warm = functions.temperature_range
    kelvin = f"{cold:g} to {warm:g} K" if cold < warm else f"{cold:g} K"
    if (cold, warm) == (0.0, 1e4):
        kelvin = "any temperature"
    return f"{low:g} to {high:g} mol/l, {kelvin}"
