"""All warnings that an input file, and the mesh if there is one, give before a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heterode.accuracy.plan import Plan
from heterode.base.run_warnings import RunWarning
from heterode.materials.arrhenius import REFERENCE_TEMPERATURE
from heterode.parameters import Parameters
from heterode.parameters.function_values import LARGEST_RISE
from heterode.parameters.functions import MaterialFunction
from heterode.validity.layers import planned_warnings, without_what_layers_resolve
from heterode.validity.losses import loss_warnings
from heterode.validity.mesh import MeshFacts
from heterode.validity.protocol import protocol_warnings
from heterode.validity.ranges import SALT, valid_ranges
from heterode.validity.salt import SaltEstimate, salt_estimates
from heterode.validity.slab import Slab, slab_of
from heterode.validity.visited import visited_fractions

SAME_TEMPERATURE = 1.0
"""Temperature difference, K, over which 20 to 40 kJ/mol change a number by 3 to 6 %."""

CURVE_TEMPERATURE = 10.0
"""Temperature difference, K, for open-circuit curves, which change by about 0.1 mV/K."""

SEPARATOR = (3e-6, 1e-3)
"""Thickness of separators, m, from the thinnest ceramic-coated films to glass fibre."""

COATING = (1e-6, 1e-3)
"""Thickness of coatings, m, from thin films to the thickest printed electrodes."""

BRUGGEMAN = (1.0, 4.0)
"""Bruggeman exponents. Below 1 the pores would conduct better than straight channels of the same
porosity, which is impossible (Wiener's upper bound); above 4 tortuosities exceed all measured ones.
"""

NMC_CONCENTRATION = (35_000.0, 64_000.0)
"""Concentrations, mol m^-3; for NMC 35 380 (Mohtat et al. 2020) to 63 104 (Chen et al. 2020)."""


@dataclass(frozen=True)
class Before:
    """The warnings before a run.

    Attributes:
        holding: warnings that apply to the whole run, whatever happens in it.
        foreseen: ranges that the run will probably leave, for which it is watched as well.
    """

    holding: tuple[RunWarning, ...]
    foreseen: tuple[RunWarning, ...]


def before_run(p: Parameters, facts: MeshFacts | None = None, plan: Plan | None = None) -> Before:
    """Return all warnings, with the most basic ones first.

    Args:
        p: parameters of the run.
        facts: facts about its mesh, if there is one.
        plan: its layers; with None they are not looked at.
    """
    found = [*_temperature(p), *_curve(p), *_sizes(p, facts), *protocol_warnings(p)]
    if facts is not None:
        found += facts.warnings()
    slab = slab_of(p, facts)
    salt = salt_estimates(p, slab)
    found += loss_warnings(p, slab, salt, facts)
    if plan is not None:
        found = [*planned_warnings(plan), *without_what_layers_resolve(found, plan)]
    return Before(tuple(found), tuple(_foreseen(p, slab, salt)))


def _temperature(p: Parameters) -> Iterator[RunWarning]:
    apart = abs(p.temperature - REFERENCE_TEMPERATURE)
    material = p.active_material
    constant = []
    if not _warms(material.diffusivity) and material.diffusivity_activation_energy == 0:
        constant.append("active_material.diffusivity_activation_energy")
    own = not isinstance(material.exchange_current, str) and _warms(material.exchange_current)
    if not own and material.rate_constant_activation_energy == 0:
        constant.append("active_material.rate_constant_activation_energy")
    metal = p.lithium_metal
    if metal.kinetics == "butler_volmer" and metal.rate_constant_activation_energy == 0:
        constant.append("lithium_metal.rate_constant_activation_energy")
    if constant and apart > SAME_TEMPERATURE:
        yield RunWarning(
            "temperature_without_activation",
            f"temperature is {p.temperature:g} K, but {', '.join(constant)} "
            f"{'is' if len(constant) == 1 else 'are'} 0: numbers that hold at "
            f"{REFERENCE_TEMPERATURE:g} K are used as they are. Give activation energies, such as "
            '"30 kJ/mol"',
            value=p.temperature,
            unit="K",
            allowed=(
                REFERENCE_TEMPERATURE - SAME_TEMPERATURE,
                REFERENCE_TEMPERATURE + SAME_TEMPERATURE,
            ),
            key=", ".join(constant),
        )
    if not p.electrolyte.warms and apart > SAME_TEMPERATURE:
        yield _outside(
            "temperature_of_electrolyte",
            "temperature",
            p.temperature,
            (REFERENCE_TEMPERATURE - SAME_TEMPERATURE, REFERENCE_TEMPERATURE + SAME_TEMPERATURE),
            "K",
            f'electrolyte.model = "{p.electrolyte.model}" does not change with temperature: its '
            "numbers must be those of this temperature",
        )
    own = _warms(material.open_circuit_potential, names=False)
    if apart > CURVE_TEMPERATURE and not own and material.entropic_coefficient is None:
        yield _outside(
            "temperature_of_curve",
            "temperature",
            p.temperature,
            (REFERENCE_TEMPERATURE - CURVE_TEMPERATURE, REFERENCE_TEMPERATURE + CURVE_TEMPERATURE),
            "K",
            "the open-circuit curve holds at 298.15 K, and its change with temperature is left out",
        )


def _warms(given: float | str | MaterialFunction | None, *, names: bool = True) -> bool:
    """Check whether a function has a temperature dependence of its own, as names may have."""
    if isinstance(given, MaterialFunction):
        return given.depends_on_temperature
    return names and isinstance(given, str)


def _curve(p: Parameters) -> Iterator[RunWarning]:
    curve, key = p.curve, "active_material.open_circuit_potential"
    if curve.correction > 0.0:
        yield RunWarning(
            "open_circuit_smoothed",
            f"the open-circuit curve {curve.name} rises in places: it was changed by up to "
            f"{1e3 * curve.correction:.3g} mV, by isotonic regression, so that it falls",
            value=1e3 * curve.correction,
            unit="mV",
            allowed=(0.0, 1e3 * LARGEST_RISE),
            key=key,
        )


def _sizes(p: Parameters, facts: MeshFacts | None) -> Iterator[RunWarning]:
    geometry, material = p.geometry, p.active_material
    of = geometry if facts is None else facts.summary
    separator, coating = of.separator_thickness, of.coating_thickness
    in_um = tuple(tuple(1e6 * end for end in ends) for ends in (SEPARATOR, COATING))
    checks = (
        (
            "separator_thickness",
            "geometry.separator_thickness",
            1e6 * separator,
            (in_um[0][0], in_um[0][1]),
            "um",
            "no separator is as thin or as thick",
        ),
        (
            "coating_thickness",
            "geometry.coating_thickness",
            1e6 * coating,
            (in_um[1][0], in_um[1][1]),
            "um",
            "no coating is as thin or as thick",
        ),
        (
            "bruggeman_separator",
            "separator.bruggeman_exponent",
            p.separator.bruggeman_exponent,
            BRUGGEMAN,
            "",
            "below 1 pores would conduct better than straight channels, above 4 worse than any "
            "measured layer",
        ),
        (
            "bruggeman_coating",
            "carbon_binder.bruggeman_exponent",
            p.carbon_binder.bruggeman_exponent,
            BRUGGEMAN,
            "",
            "below 1 a domain would conduct better than straight channels, above 4 worse than any "
            "measured layer",
        ),
    )
    for code, key, value, allowed, unit, reason in checks:
        if not allowed[0] * (1 - 1e-9) <= value <= allowed[1] * (1 + 1e-9):
            yield _outside(code, key, value, allowed, unit, reason)
    c_max = material.maximum_concentration
    curve = material.open_circuit_potential
    nmc = isinstance(curve, str) and curve.startswith("NMC")
    if nmc and not NMC_CONCENTRATION[0] <= c_max <= NMC_CONCENTRATION[1]:
        yield _outside(
            "maximum_concentration",
            "active_material.maximum_concentration",
            c_max,
            NMC_CONCENTRATION,
            "mol/m^3",
            "published for NMC are 35 380 (Mohtat 2020) to 63 104 (Chen 2020)",
        )


def _outside(
    code: str, key: str, value: float, allowed: tuple[float, float], unit: str, reason: str
) -> RunWarning:
    shown = f" {unit}" if unit else ""
    return RunWarning(
        code,
        f"{key} is {value:.6g}{shown}, outside {allowed[0]:g} to {allowed[1]:g}{shown}: {reason}",
        value=value,
        unit=unit,
        allowed=allowed,
        key=key,
    )


def _foreseen(p: Parameters, slab: Slab, estimates: Sequence[SaltEstimate]) -> Iterator[RunWarning]:
    fractions = visited_fractions(p, slab.capacity)
    # If the salt runs out, there is a separate warning.
    ends = [end for e in estimates if not e.depleted for end in (e.least, e.most)]
    ends.append(p.electrolyte.initial_concentration)
    for valid in valid_ranges(p):
        reached = (min(ends), max(ends)) if valid.quantity == SALT else fractions
        worst = max(reached, key=valid.excess)
        if valid.excess(worst) > 0.0:
            yield valid.warning(worst, "may reach")
