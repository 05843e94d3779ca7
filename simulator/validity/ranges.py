"""The ranges in which a run's functions were measured, and for which the run is watched."""

from __future__ import annotations

from dataclasses import dataclass

from heterode.base.run_warnings import RunWarning
from heterode.materials.electrolytes import ELECTROLYTES
from heterode.materials.electronic_conduction import MEASURED_RANGES as CONDUCTIVITY_RANGES
from heterode.materials.measured_range import MeasuredRange
from heterode.materials.solid_diffusion import MEASURED_RANGES as DIFFUSIVITY_RANGES
from heterode.parameters import Parameters
from heterode.parameters.active_material import ActiveMaterial
from heterode.parameters.functions import MaterialFunction
from heterode.physics.balances import CELL

ROUNDING = 1e-9
"""Share of its width by which a range may be exceeded."""

INSIDE, SURFACE, SALT = "lithium_fraction", "surface_lithium_fraction", "salt_ratio"
"""Names of quantities that the table of balances watches."""


@dataclass(frozen=True)
class ValidRange:
    """The range in which a quantity must stay.

    Attributes:
        code: code of the warning.
        quantity: name of the quantity, which the table of balances watches.
        low, high: bounds in `unit`.
        subject: name of what leaves the range, for the message.
        reason: why the range ends there, and what happens outside.
        key: key in the input file.
        unit: unit of the values.
        scale: factor from the quantity's own value to `unit`.
    """

    code: str
    quantity: str
    low: float
    high: float
    subject: str
    reason: str
    key: str
    unit: str = ""
    scale: float = 1.0

    @property
    def field(self) -> str:
        """Name of the quantity in fields/, for the warning's place."""
        row, _ = CELL.watched(self.quantity)
        return row.domain if row.written is None else f"{row.domain}.{row.written.name}"

    def excess(self, value: float) -> float:
        """Return how far a value, in `unit`, is outside, as a share of the width; 0 inside."""
        beyond = max(self.low - value, value - self.high) / (self.high - self.low)
        return beyond if beyond > ROUNDING else 0.0

    def message(self, value: float, verb: str = "reaches") -> str:
        """Return the message for a value outside."""
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.subject} {verb} {value:.4g}{unit}, outside {self.low:.4g} to "
            f"{self.high:.4g}{unit}: {self.reason} ({self.key})"
        )

    def warning(self, value: float, verb: str = "reaches") -> RunWarning:
        """Return the warning for a value outside, before times and places are known."""
        return RunWarning(
            self.code,
            self.message(value, verb),
            value=value,
            unit=self.unit,
            allowed=(self.low, self.high),
            key=self.key,
            where={"field": self.field},
        )


def valid_ranges(parameters: Parameters) -> list[ValidRange]:
    """Return all ranges in which a run with these parameters must stay, each code once."""
    found = [_physical(parameters), _of_electrolyte(parameters), _of_curve(parameters)]
    material = parameters.active_material
    found += _of_function(
        "diffusivity", INSIDE, material.diffusivity_table, material.diffusivity, DIFFUSIVITY_RANGES
    )
    if material.law.needs == "exchange_current_table":
        found += _of_function(
            "exchange_current", SURFACE, material.exchange_current_table, None, {}
        )
    found += _of_law(material)
    if material.electronic_conduction_in_particles:
        found += _of_function(
            "electronic_conductivity",
            INSIDE,
            material.electronic_conductivity_table,
            material.electronic_conductivity,
            CONDUCTIVITY_RANGES,
        )
    return found


def refined_by(parameters: Parameters) -> tuple[str, str]:
    """Return what makes elements smaller, as a part of a sentence and as keys."""
    if parameters.geometry.mesh_file is not None:
        return "Make a finer mesh (geometry.mesh_file)", "geometry.mesh_file"
    keys = "geometry.mesh.surface_size_factor", "geometry.mesh.maximum_size"
    return f"Lower {' or '.join(keys)}", ", ".join(keys)


def _physical(parameters: Parameters) -> ValidRange:
    return ValidRange(
        "lithium_fraction_unphysical",
        INSIDE,
        0.0,
        1.0,
        "the lithium fraction inside particles",
        "there is no such fraction; elements that are too coarse for a steep front overshoot it, "
        "and the written fields are clipped to start and surface values. Make them smaller",
        refined_by(parameters)[1],
    )


def _of_electrolyte(parameters: Parameters) -> ValidRange:
    section = parameters.electrolyte
    functions = section.functions
    low, high = functions.range
    reason = f"the measurement ends there ({functions.source}), and properties are held at its end"
    if section.model == "constant":
        # No named electrolyte was measured beyond this concentration.
        low = min(each.range[0] for each in ELECTROLYTES.values())
        high = max(each.range[1] for each in ELECTROLYTES.values())
        reason = "no electrolyte known here was measured there; constants hold near one of them"
    return ValidRange(
        "salt_concentration",
        SALT,
        low,
        high,
        "the salt concentration",
        reason,
        "electrolyte.model",
        unit="mol/m^3",
        scale=section.initial_concentration,
    )


def _of_curve(parameters: Parameters) -> ValidRange:
    curve = parameters.curve
    low, high = curve.measured_range
    volts = curve.measured_voltage
    return ValidRange(
        "open_circuit_curve",
        SURFACE,
        low,
        high,
        "the lithium fraction on particle surfaces",
        f"the open-circuit curve {curve.name} was measured from {volts[0]:.4g} to {volts[1]:.4g} V "
        "and is extrapolated beyond",
        "active_material.open_circuit_potential",
    )


def _of_function(
    key: str,
    quantity: str,
    table: MaterialFunction | None,
    given: str | float | MaterialFunction | None,
    known: dict[str, MeasuredRange],
) -> list[ValidRange]:
    """Return the ranges of a table or named function in [active_material]; a number has none."""
    if table is not None:
        key = f"{key}_table"
        measured = table.measured
    elif isinstance(given, MaterialFunction):
        if (given.low, given.high) == given.quantity.ends:
            return []
        measured = given.measured
    elif isinstance(given, str):
        measured = known[given]
    else:
        return []
    where = "on particle surfaces" if quantity == SURFACE else "inside particles"
    name = key.removesuffix("_table")
    return [
        ValidRange(
            f"{name}_function",
            quantity,
            measured.low,
            measured.high,
            f"the lithium fraction {where}",
            f"the {name.replace('_', ' ')} ({measured.source}) ends there and is held beyond",
            f"active_material.{key}",
        )
    ]


def _of_law(material: ActiveMaterial) -> list[ValidRange]:
    """Return the measured range of a law of the exchange current; a theory has none."""
    measured, given = material.law.measured, material.exchange_current
    if measured is None or (measured.low, measured.high) == (0.0, 1.0):
        return []
    name = given if isinstance(given, str) else "formula"
    beyond = "extrapolated" if isinstance(given, str) else "held beyond"
    return [
        ValidRange(
            "exchange_current_function",
            SURFACE,
            measured.low,
            measured.high,
            "the lithium fraction on particle surfaces",
            f"the exchange current {name} ({measured.source}) ends there and is {beyond}",
            "active_material.exchange_current",
        )
    ]
