"""Losses that limit a current, from the parameters alone: voltages, salt and diffusion.

    separator         I L_sep / kappa_sep
    electrolyte       I L / (2 kappa_coating)        where the reaction is uniform in depth
    carbon            I L / (2 sigma_coating)
    contact           I R_contact
    lithium metal     (2 RT/F) asinh(I / (2 i0_Li))
    interface         (2 RT/F) asinh(i / (2 pen i0)),      i = I / (a L)
    particles         i R / (dim sigma_particle)     if electrons flow through them

I is the current density of a step. A loss above half of the voltage window leaves no room for the
step: it meets its cut-off at once, or Newton's method finds no solution of the equations.

    salt          heterode.validity.salt
    diffusion     the surface of a sphere is ahead of the mean by R^2/(15 D) dx/dt, that of a disc
                  by R^2/(8 D) dx/dt, in a short step by 1.13 (R/dim) dx/dt sqrt(t/D)
    elements      diffusion length sqrt(D t) of lithium in a step, against the edge of an element
    double layer  charge C a L dV that never enters the particles, relative to the capacity; time
                  constant C RT / (pen i0 F)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from heterode.base.run_warnings import RunWarning
from heterode.forecast.regimes import (
    REFERENCE_FRACTION,
    MeshSummary,
    exchange_current,
    median_penalty,
)
from heterode.parameters import Parameters
from heterode.physics.terminals import lithium_metal_exchange
from heterode.validity.mesh import MeshFacts
from heterode.validity.ranges import refined_by
from heterode.validity.salt import SaltEstimate, depletion
from heterode.validity.slab import MOST, Drive, Slab, sized

UNIFORM = {2: 8.0, 3: 15.0}
"""Ratio of R^2 dx/dt / D to the lead of the surface over the mean, by dimension."""

FELT = 0.01
"""Lithium fraction by which a surface must be ahead for the profile to matter."""

STORED = 0.05
"""Share of the capacity that the double layer may take up."""

LIMITING = ("loss_", "salt_depletion", "diffusion_limit")
"""Codes of warnings about causes that can make a solve fail."""


def loss_warnings(
    p: Parameters, slab: Slab, salt: Sequence[SaltEstimate], facts: MeshFacts | None = None
) -> list[RunWarning]:
    """Return warnings about losses that leave the protocol no room, each for its worst step."""
    if not slab.drives:
        return []
    summary = None if facts is None else facts.summary
    fastest = max(slab.drives, key=lambda drive: drive.current)
    found = [_loss(slab, fastest, *loss) for loss in _losses(p, slab, fastest.current, summary)]
    found += [depletion(salt), _diffusion(p, slab), _elements(p, slab, facts)]
    found += [_stored(p, slab), _slow_layer(p, slab, summary)]
    return [warning for warning in found if warning is not None]


def likely_cause(warnings: Sequence[RunWarning]) -> str:
    """Return the likely cause of a failed solve, which exceeds its bound by most, or ""."""
    limiting = [w for w in warnings if w.code.startswith(LIMITING)]
    worst = max(limiting, key=_factor, default=None)
    return "" if worst is None else f"likely cause: {worst.message}"


def _factor(warning: RunWarning) -> float:
    assert warning.value is not None
    assert warning.allowed is not None
    low, high = warning.allowed
    if high:
        return warning.value / high
    return MOST if low is None else low - warning.value


def _losses(
    p: Parameters, slab: Slab, current: float, summary: MeshSummary | None
) -> Iterator[tuple[str, str, float, str]]:
    """Yield (code, name, loss in V, keys) of each loss."""
    material, metal = p.active_material, p.lithium_metal
    separator = "separator.porosity, separator.bruggeman_exponent"
    coating = "carbon_binder.electrolyte_fraction, carbon_binder.bruggeman_exponent"
    if p.electrolyte.model == "constant":
        separator, coating = (f"electrolyte.conductivity, {keys}" for keys in (separator, coating))
    meshed = p.geometry.mesh_file is not None
    thickness = "geometry.mesh_file" if meshed else "geometry.separator_thickness"
    drop = "the ohmic drop across the"
    yield (
        "loss_separator",
        f"{drop} separator",
        current * slab.L_separator / slab.kappa_separator,
        f"{separator}, {thickness}",
    )
    yield (
        "loss_electrolyte",
        f"{drop} electrolyte of the coating",
        current * slab.L / (2.0 * slab.kappa_coating),
        coating,
    )
    yield (
        "loss_carbon",
        f"{drop} carbon binder",
        current * slab.L / (2.0 * slab.sigma_coating),
        f"carbon_binder.conductivity, {coating.removeprefix('electrolyte.conductivity, ')}",
    )
    yield (
        "loss_contact",
        f"{drop} contact of the collector",
        current * p.collector.contact_resistance,
        "collector.contact_resistance",
    )
    if metal.kinetics == "butler_volmer":
        exchange = lithium_metal_exchange(p, p.electrolyte.initial_concentration)
        yield (
            "loss_lithium_metal",
            "the overpotential of the lithium metal",
            2.0 / slab.f * math.asinh(current / (2.0 * sized(float(exchange)))),
            "lithium_metal.rate_constant",
        )
    at_surface = current / (slab.a * slab.L)
    exchange = sized(median_penalty(p, summary) * exchange_current(p, REFERENCE_FRACTION))
    yield (
        "loss_interface",
        f"the overpotential of the particles (i/(2 pen i0) = {at_surface / (2 * exchange):.3g})",
        2.0 / slab.f * math.asinh(at_surface / (2.0 * exchange)),
        f"active_material.{_exchange_key(p)}, penalty",
    )
    if material.electronic_conduction_in_particles:
        given = material.electronic_conductivity_at(p.temperature)
        sigma = given if isinstance(given, float) else float(given(REFERENCE_FRACTION))
        yield (
            "loss_particles",
            "the ohmic drop inside the particles",
            at_surface * slab.R / (p.geometry.dimension * sized(sigma)),
            "active_material.electronic_conductivity",
        )


def _loss(
    slab: Slab, drive: Drive, code: str, what: str, volts: float, keys: str
) -> RunWarning | None:
    most = 0.5 * slab.window
    if volts <= most:
        return None
    return RunWarning(
        code,
        f"{what} is {volts:.3g} V at {drive.current:.3g} A/m^2 ('{drive.text}'), above {most:.3g} "
        "V, half of the voltage window: little or no room is left to charge or discharge. Change "
        f"{keys}, or lower the current (protocol.steps)",
        value=volts,
        unit="V",
        allowed=(None, most),
        key=keys,
    )


def _lead(p: Parameters, slab: Slab, drive: Drive) -> float:
    """Return the lithium fraction by which surfaces are ahead of the particles' mean in a step."""
    rate = slab.fractions * drive.current / slab.capacity
    steady = slab.R / slab.D * slab.R * rate / UNIFORM[p.geometry.dimension]
    begin = 1.13 * slab.R / p.geometry.dimension * rate * math.sqrt(drive.duration / slab.D)
    return min(steady, begin)


def _diffusion(p: Parameters, slab: Slab) -> RunWarning | None:
    drive = max(slab.drives, key=lambda drive: _lead(p, slab, drive))
    lead = _lead(p, slab, drive) / slab.fractions
    if lead <= 1.0:
        return None
    number = slab.R / slab.D * slab.R * drive.current / slab.capacity
    return RunWarning(
        "diffusion_limit",
        f"surfaces run ahead of the particles by {lead:.3g} of the whole range of lithium "
        f"fractions, above 1 (R^2/(D t) = {number:.3g}, '{drive.text}'): little of the capacity is "
        "reached. Raise active_material.diffusivity, or lower the current (protocol.steps)",
        value=lead,
        allowed=(None, 1.0),
        key="active_material.diffusivity",
    )


def _elements(p: Parameters, slab: Slab, facts: MeshFacts | None) -> RunWarning | None:
    mesh = p.geometry.mesh
    if facts is None:
        size = min(max(mesh.surface_size_factor * slab.R, mesh.minimum_size), mesh.maximum_size)
    else:
        size = facts.element_size
    felt = [drive for drive in slab.drives if _lead(p, slab, drive) > FELT]
    drive = min(felt, key=lambda drive: drive.duration, default=None)
    if drive is None:
        return None
    length = math.sqrt(slab.D * drive.duration)
    if length >= size:
        return None
    remedy, keys = refined_by(p)
    return RunWarning(
        "coarse_elements",
        f"within '{drive.text}' ({drive.duration:.3g} s) lithium diffuses {1e6 * length:.3g} um "
        f"into the particles, less than an element of {1e6 * size:.3g} um: the profile is not "
        f"resolved. {remedy}",
        value=1e6 * length,
        unit="um",
        allowed=(1e6 * size, None),
        key=keys,
    )


def _slow_layer(p: Parameters, slab: Slab, summary: MeshSummary | None) -> RunWarning | None:
    capacitance = p.active_material.double_layer_capacitance
    exchange = sized(median_penalty(p, summary) * exchange_current(p, REFERENCE_FRACTION))
    tau, drive = capacitance / (exchange * slab.f), max(slab.drives, key=lambda d: d.duration)
    if tau <= drive.duration:
        return None
    return RunWarning(
        "double_layer_time",
        f"the double layer takes {tau:.3g} s to charge (C RT / (pen i0 F)), longer than the "
        f"longest step ('{drive.text}', {drive.duration:.3g} s): the particles hardly react. Lower "
        "active_material.double_layer_capacitance, or raise "
        f"active_material.{_exchange_key(p)}",
        value=tau,
        unit="s",
        allowed=(None, drive.duration),
        key="active_material.double_layer_capacitance",
    )


def _stored(p: Parameters, slab: Slab) -> RunWarning | None:
    capacitance = p.active_material.double_layer_capacitance
    share = capacitance * slab.a * slab.L * slab.window / slab.capacity
    if share <= STORED:
        return None
    return RunWarning(
        "double_layer_share",
        f"the double layer takes up {share:.2g} of the capacity over the voltage window, above "
        f"{STORED:g}: the cell is a capacitor in good part. Lower "
        "active_material.double_layer_capacitance (about 0.2 F/m^2 is usual)",
        value=share,
        allowed=(None, STORED),
        key="active_material.double_layer_capacitance",
    )


def _exchange_key(p: Parameters) -> str:
    """Return the key of [active_material] that sets the size of the exchange current."""
    return p.active_material.law.needs or "exchange_current"
