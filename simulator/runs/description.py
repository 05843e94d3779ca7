"""The text of `heterode check`: resolved parameters with units, regimes and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from heterode.base.words import counted
from heterode.forecast.estimate import Limits, forecast
from heterode.forecast.regimes import (
    MeshSummary,
    areal_capacity,
    effective_radius,
    expected_particles,
    expected_width,
    fastest_current,
    regime_numbers,
)
from heterode.parameters.listing import parameter_rows
from heterode.parameters.model import Parameters
from heterode.parameters.penalty import Penalty
from heterode.particles.drawn_penalties import gaussian_length
from heterode.protocol import Group, Item
from heterode.protocol.records import each_step
from heterode.runs.layering import Layering, expected_layering
from heterode.validity import MeshFacts, before_run


def describe(
    parameters: Parameters,
    mesh: MeshSummary | None = None,
    *,
    layering: Layering | None = None,
    ranks: int = 1,
) -> list[str]:
    """Return every value in force, then what follows from them, the regimes and the size.

    Args:
        parameters: the parameters of the run.
        mesh: a summary of the mesh, if there is one already.
        layering: the layers on that mesh.
        ranks: the number of ranks for which time and memory are estimated.
    """
    title = parameters.title
    if parameters.dropped_title:
        title = f"title '{parameters.dropped_title}' left out, as --set changes what it is for"
    lines = [f"{parameters.source_file}: {title}".rstrip(": "), ""]
    lines += describe_parameters(parameters)
    lines += ["", "Protocol", *describe_protocol(parameters, mesh)]
    lines += ["", "What follows", *describe_derived(parameters, mesh)]
    lines += ["", "Regimes", *describe_regimes(parameters, mesh)]
    return [*lines, "", "Size", *describe_size(parameters, mesh, layering=layering, ranks=ranks)]


def record_of(parameters: Parameters, mesh: MeshSummary | None = None) -> dict[str, Any]:
    """Return what a manifest keeps for readers who do not have the input file.

    Args:
        parameters: the parameters of the run.
        mesh: summary of geometry.mesh_file, whose own lengths and particles are then used.

    Returns:
        parameters: values with their units, by name; protocol and derived: lines; regimes: a
            mapping for each, as in `heterode.forecast.regimes.Regime`.
    """
    return {
        "parameters": dict(parameter_rows(parameters)),
        "protocol": [line.removeprefix("  ") for line in describe_protocol(parameters, mesh)],
        "derived": [line.strip() for line in describe_derived(parameters, mesh)],
        "regimes": [asdict(regime) for regime in regime_numbers(parameters, mesh)],
    }


def describe_parameters(parameters: Parameters) -> list[str]:
    """Return one line for each key that has a value, 'section.key  value unit'."""
    rows = parameter_rows(parameters)
    pad = max(len(name) for name, _ in rows)
    return [f"{name:<{pad}}  {value}" for name, value in rows]


def describe_protocol(parameters: Parameters, mesh: MeshSummary | None = None) -> list[str]:
    """Return a line for each step with its current, and lines on groups and cycles."""
    protocol = parameters.protocol
    lines = _described(protocol.steps, parameters, mesh, "  ")
    if protocol.repeat > 1:
        lines.append(f"  all of it {counted(protocol.repeat, 'time')}, each a cycle")
    if protocol.stops:
        stops = ", ".join(f"{voltage:g}" for voltage in protocol.stops)
        lines.append(f"  stops at {stops} V: a table of the particles each in stops/")
    return lines


def describe_tables(parameters: Parameters) -> list[str]:
    """Return a line for each current table whose unit of current was converted."""
    tables = [(s.text, s.table) for s in each_step(parameters.protocol.steps) if s.table]
    lines = [
        f"'{text}': {table.origin}; up to {table.peak:.4g} A/m^2"
        for text, table in tables
        if table.origin
    ]
    return list(dict.fromkeys(lines))


def _described(
    items: Sequence[Item], parameters: Parameters, mesh: MeshSummary | None, indent: str
) -> list[str]:
    lines = []
    one_C = areal_capacity(parameters, mesh) / 3600.0
    for item in items:
        if isinstance(item, Group):
            how = f"until {item.ends}" if item.repeat is None else counted(item.repeat, "time")
            lines.append(f"{indent}repeated {how}:")
            lines += _described(item.steps, parameters, mesh, indent + "  ")
            continue
        current = item.current_density(one_C, parameters.active_material.mean_potential)
        comes_to = ""
        if item.table is not None:
            kind = "stepwise" if item.table.stepwise else "linear between rows"
            comes_to = (
                f"  ({counted(len(item.table.times), 'row')}, {kind}, {item.table.duration:g} s, "
            )
            comes_to += f"up to {item.table.peak:.4g} A/m^2"
            comes_to += f"; {item.table.origin})" if item.table.origin else ")"
        elif current is not None:
            about = "about " if item.power is not None else ""
            comes_to = f"  ({about}{current:.4g} A/m^2, {current / one_C:.3g}C)"
        lines.append(f"{indent}{item.text}{comes_to}")
    return lines


def describe_derived(parameters: Parameters, mesh: MeshSummary | None = None) -> list[str]:
    """Return the potentials, capacity and currents that the parameters imply."""
    material = parameters.active_material
    least, most = material.lithium_fraction_window
    capacity = areal_capacity(parameters, mesh)
    one_C = capacity / 3600.0
    low, high = parameters.curve.measured_range
    volts = material.window_voltages
    lines = [
        f"  open circuit at the start   {material.initial_potential(parameters.temperature):.4f} V "
        f"(x = {material.initial_lithium_fraction:g})",
        f"  lithium fraction            {most:.4f} at {volts[0]:.4g} V, "
        f"{least:.4f} at {volts[1]:.4g} V (curve measured {low:.3f}-{high:.3f})",
        f"  capacity                    {one_C:.2f} Ah/m^2 ({one_C / 10:.3f} mAh/cm^2)",
        f"  1C                          {one_C:.2f} A/m^2",
        f"  particle radius 3V/A        {effective_radius(parameters, mesh) * 1e6:.2f} um",
    ]
    if parameters.geometry.dimension == 2:
        lines[-1] = lines[-1].replace("radius 3V/A ", "radius 2A/P ")
        lines.append(
            "  two dimensions              particles are discs (cylinders): a third less surface "
            "per volume than spheres of their radius"
        )
    current = fastest_current(parameters, mesh)
    if current is not None:
        lines.append(f"  fastest step                {current:.4g} A/m^2 ({current / one_C:.3g}C)")
    if parameters.penalty.distribution == "weibull" and parameters.penalty.restriction == "rescale":
        lines.append(
            "  penalties                   divided by the largest drawn, so they fall as particles "
            "become more: compare only electrodes of equal number"
        )
    if parameters.penalty.correlation_length > 0:
        lines.append(f"  penalties                   {_correlated(parameters.penalty)}")
    return lines


def _correlated(penalty: Penalty) -> str:
    l = 1e6 * gaussian_length(penalty)
    rho = (
        f"exp(-h/{l:.4g} um)" if penalty.correlation == "exponential" else f"exp(-(h/{l:.4g} um)^2)"
    )
    at = f"{1e6 * penalty.correlation_length:.4g} um"
    return f"correlated, 1/e at {at}: a Gaussian field of correlation {rho} beneath"


def describe_regimes(parameters: Parameters, mesh: MeshSummary | None = None) -> list[str]:
    """Return two lines for each number: name, symbol, value and meaning, then the formula."""
    lines = []
    for regime in regime_numbers(parameters, mesh):
        lines.append(
            f"  {regime.name:<36}{regime.symbol:<14}{regime.value:>9.3g}  {regime.meaning}"
        )
        lines.append(f"  {'':<36}{regime.formula}")
    return lines


def describe_size(
    parameters: Parameters,
    mesh: MeshSummary | None = None,
    *,
    layering: Layering | None = None,
    ranks: int = 1,
    limits: Limits | None = None,
) -> list[str]:
    """Return particles, width, unknowns, linear solver, time and memory, and whether they fit.

    Args:
        parameters: the parameters of the run.
        mesh: a summary of the mesh, if there is one already.
        layering: the layers on that mesh, with the unknowns counted.
        ranks: the number of ranks that share the run.
        limits: the limits of memory; None takes those of this machine or job.
    """
    particles = expected_particles(parameters) if mesh is None else mesh.particles
    layering = expected_layering(parameters) if layering is None else layering
    dofs, about = layering.unknowns, "" if layering.is_made else "about "
    solver = parameters.solver.preset(dofs, parameters.geometry.dimension)
    lines = [counted(particles, "particle")]
    if parameters.geometry.mesh_file is None:
        lines[0] += f" in a slab {expected_width(parameters) * 1e6:.1f} um wide"
    spaced = f"{dofs:,}".replace(",", " ")
    lines.append(f"{about}{spaced} unknowns, {solver} linear solver")
    lines.append(layering.text)
    lines += forecast(parameters, dofs, ranks, solver, limits)
    return [f"  {line}" for line in lines]


def describe_validity(
    parameters: Parameters, facts: MeshFacts | None = None, layering: Layering | None = None
) -> list[str]:
    """Return a warning for each quantity outside the range in which a run's results are valid.

    Args:
        parameters: the parameters of the run.
        facts: facts about the mesh, if there is one already.
        layering: its layers; with None they are planned.
    """
    layering = expected_layering(parameters) if layering is None else layering
    before = before_run(parameters, facts, layering.plan)
    found = [*before.holding, *before.foreseen]
    return [f"  warning: {warning.text}" for warning in found] or ["  nothing leaves its range"]
