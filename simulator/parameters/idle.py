"""Keys that have no effect because of another key's value; they are refused or left out.

Whatever a user writes is used or refused. A rule names a choice and the keys that have no effect
with it. If a `--set` changes the choice and makes keys of the file idle, these are left out, so
that `--set penalty.distribution=none` does not require removing shape and scale. Every other idle
key is a mistake, in a file or in a `--set`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from heterode.materials.exchange_currents import EXCHANGE_CURRENTS
from heterode.parameters.electrolyte import ELECTROLYTE_NUMBERS
from heterode.parameters.fields import MistakeError
from heterode.parameters.functions import MaterialFunction
from heterode.parameters.geometry import MeshSettings
from heterode.parameters.model import Parameters
from heterode.parameters.notes import When
from heterode.parameters.quantities import SOLID_DIFFUSIVITY
from heterode.parameters.sizes import SIZE_TABLES
from heterode.protocol.records import each_step

Key = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """A choice that leaves keys without effect.

    Attributes:
        choice: the key that decides.
        keys: the keys without effect; a section stands for all keys in it.
        idle: returns whether the choice leaves them without effect.
        only: what gives them an effect.
        advice: sentence on what to do, where it is not just to make `only` hold.
        also: other keys that decide together with it.
    """

    choice: Key
    keys: tuple[Key, ...]
    idle: Callable[[Parameters], bool]
    only: When
    advice: str = ""
    also: tuple[Key, ...] = ()

    @property
    def remedy(self) -> str:
        """Sentence on what to do about a key without effect."""
        return self.advice or f"Remove it, or set {self.only.text}."

    def makes_idle(self, key: Key, changed: AbstractSet[Key]) -> bool:
        """Check whether a `--set` of the choice left a key of the file without effect."""
        deciding = (self.choice, *self.also)
        mine = any(choice[: len(c)] == c for choice in deciding for c in changed)
        return mine and not any(_related(key, c) for c in changed)


def _below(section: str, *names: str) -> tuple[Key, ...]:
    return tuple((*section.split("."), name) for name in names)


def _composition_gives_nothing(p: Parameters) -> bool:
    """Check whether the file gives all that would follow from [composition]."""
    return p.composition is not None and not p.composition_gives


def _law_needs_no(key: str) -> Callable[[Parameters], bool]:
    return lambda p: p.active_material.law.needs != key


def _a_law_with(key: str) -> When:
    """The condition of a key that some laws of the exchange current need."""
    names = tuple(name for name, law in EXCHANGE_CURRENTS.items() if law.needs == key)
    return When("active_material.exchange_current", names)


RULES: tuple[Rule, ...] = (
    Rule(
        ("geometry", "mesh_file"),
        (
            *_below(
                "geometry",
                "particles",
                "width",
                "particle_size",
                "active_fraction",
                "minimum_gap",
                "walls",
                "separator_thickness",
            ),
            *_below("geometry.mesh", *MeshSettings.model_fields),
            ("seeds", "packing"),
        ),
        lambda p: p.geometry.mesh_file is not None,
        When("geometry.mesh_file"),
        "The mesh has its own: remove the key, or geometry.mesh_file.",
    ),
    Rule(
        ("geometry", "mesh_file"),
        _below("geometry", "coating_thickness"),
        # The fractions that [composition] gives depend on it.
        lambda p: p.geometry.mesh_file is not None and not p.composition_gives,
        When(
            "geometry.mesh_file",
            words="geometry.mesh_file is not given, or [composition] gives a fraction",
        ),
        "The mesh has its own: remove the key, or geometry.mesh_file.",
    ),
    Rule(
        ("geometry", "dimension"),
        (("geometry", "mesh", "gap_elements"),),
        lambda p: p.geometry.dimension == 3,
        When("geometry.dimension", (2,)),
        "It refines gaps of curved cells in 2D: remove it.",
    ),
    Rule(
        ("geometry", "active_fraction"),
        (("composition",),),
        _composition_gives_nothing,
        When(
            "geometry.active_fraction",
            words="geometry.active_fraction or carbon_binder.electrolyte_fraction is not given",
        ),
        "Remove [composition], or geometry.active_fraction or carbon_binder.electrolyte_fraction.",
        also=(("carbon_binder", "electrolyte_fraction"),),
    ),
    Rule(
        ("active_material", "exchange_current"),
        _below(
            "active_material", "rate_constant", "rate_constant_cathodic", "rate_constant_anodic"
        ),
        _law_needs_no("rate_constant"),
        _a_law_with("rate_constant"),
    ),
    Rule(
        ("active_material", "exchange_current"),
        _below("active_material", "exchange_current_table"),
        _law_needs_no("exchange_current_table"),
        _a_law_with("exchange_current_table"),
    ),
    Rule(
        ("active_material", "exchange_current"),
        _below("active_material", "exchange_current_prefactor"),
        _law_needs_no("exchange_current_prefactor"),
        _a_law_with("exchange_current_prefactor"),
    ),
    Rule(
        ("active_material", "exchange_current"),
        _below("active_material", "vacancy_exponent", "occupancy_exponent"),
        lambda p: p.active_material.law.needs != "rate_constant",
        _a_law_with("rate_constant"),
    ),
    Rule(
        ("active_material", "exchange_current"),
        _below("active_material", "salt_exponent", "reference_concentration"),
        lambda p: (
            isinstance(p.active_material.exchange_current, MaterialFunction)
            and p.active_material.exchange_current.depends_on_salt
        ),
        When("active_material.exchange_current", words="exchange_current is no formula in c"),
        "The formula has the salt in c: remove it.",
    ),
    Rule(
        ("active_material", "electronic_conduction_in_particles"),
        _below("active_material", "electronic_conductivity", "electronic_conductivity_table"),
        lambda p: not p.active_material.electronic_conduction_in_particles,
        When("active_material.electronic_conduction_in_particles", (True,)),
    ),
    Rule(
        ("penalty", "distribution"),
        (
            *_below("penalty", "shape", "scale", "minimum", "restriction"),
            *_below("penalty", "correlation_length", "correlation"),
            ("seeds", "penalty"),
        ),
        lambda p: p.penalty.distribution != "weibull",
        When("penalty.distribution", ("weibull",)),
    ),
    Rule(
        ("penalty", "distribution"),
        _below("penalty", "file"),
        lambda p: p.penalty.distribution != "table",
        When("penalty.distribution", ("table",)),
    ),
    Rule(
        ("penalty", "distribution"),
        _below("penalty", "conditioning"),
        lambda p: p.penalty.distribution == "none",
        When("penalty.distribution", ("weibull", "table")),
        "Remove it, or choose another penalty.distribution.",
    ),
    Rule(
        ("penalty", "correlation_length"),
        _below("penalty", "correlation"),
        lambda p: p.penalty.correlation_length == 0.0,
        When("penalty.correlation_length", words="penalty.correlation_length is above 0"),
        "Remove it, or give penalty.correlation_length.",
    ),
    Rule(
        ("penalty", "conditioning", "rule"),
        _below("seeds", "conditioning"),
        lambda p: p.penalty.conditioning is None or p.penalty.conditioning.rule != "redraw",
        When("penalty.conditioning.rule", ("redraw",)),
    ),
    Rule(
        ("lithium_metal", "kinetics"),
        _below(
            "lithium_metal",
            "rate_constant",
            "rate_constant_activation_energy",
            "lithium_concentration",
            "anodic_transfer",
            "symmetry",
        ),
        lambda p: p.lithium_metal.kinetics == "ideal",
        When("lithium_metal.kinetics", ("butler_volmer",)),
    ),
    Rule(
        ("collector", "connection"),
        _below("collector", "contact_resistance"),
        lambda p: p.collector.connection == "uniform_flux",
        When("collector.connection", ("equipotential",)),
    ),
    Rule(
        ("solver", "linear_solver"),
        _below("solver", "krylov_tolerance"),
        lambda p: p.solver.linear_solver == "direct",
        When("solver.linear_solver", ("fieldsplit", "auto")),
    ),
    Rule(
        ("solver", "linear_solver"),
        _below("solver", "direct_limit"),
        lambda p: p.solver.linear_solver != "auto",
        When("solver.linear_solver", ("auto",)),
    ),
    Rule(
        ("protocol", "steps"),
        _below("protocol", "stops"),
        lambda p: (
            not any(step.kind in ("charge", "discharge") for step in each_step(p.protocol.steps))
        ),
        When("protocol.steps", words="protocol.steps has a charge or a discharge"),
        "Remove it, or add a charge or a discharge.",
    ),
)


def idle_keys(parameters: Parameters, data: dict[str, Any]) -> Iterator[tuple[Key, Rule]]:
    """Yield keys that were given and have no effect, each with the rule that explains why.

    Args:
        parameters: the parameters made from the data.
        data: the tables of the file after overrides.
    """
    for rule in RULES:
        if rule.idle(parameters):
            yield from ((key, rule) for key in rule.keys if given(data, key))


def keys_without_effect(parameters: Parameters) -> set[Key]:
    """Return the keys that would be refused beside these parameters if they were given."""
    return {key for rule in RULES if rule.idle(parameters) for key in rule.keys}


def _fields_of_others(distribution: Any) -> tuple[Key, ...]:
    """Return the keys of [geometry.particle_size] that a distribution does not have."""
    tables = {name: set(table.model_fields) for name, table in SIZE_TABLES.items()}
    every: set[str] = set().union(*tables.values())
    own = tables.get(distribution, every) if isinstance(distribution, str) else every
    return _below("geometry.particle_size", *sorted(every - own))


def _without_penalties(distribution: Any) -> tuple[Key, ...]:
    lost = {"none": ("conditioning", "correlation_length"), "table": ("correlation_length",)}
    return _below("penalty", *lost.get(str(distribution), ()))


def _of_other_rules(rule: Any) -> tuple[Key, ...]:
    own = {"relax": "fraction", "uniform": "value"}
    others = (key for name, key in own.items() if name != rule)
    return _below("penalty.conditioning", *others)


def _warms_by_itself(value: Any) -> bool:
    """Check whether a diffusivity is a name, or a formula in T."""
    text = value.get("expression", "") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return False
    return text in SOLID_DIFFUSIVITY.names or re.search(r"\bT\b", text) is not None


SWITCHES: dict[Key, Callable[[Any], tuple[Key, ...]]] = {
    ("geometry", "particle_size", "distribution"): _fields_of_others,
    ("geometry", "dimension"): lambda value: (("geometry", "mesh", "order"),) if value == 3 else (),
    ("active_material", "diffusivity"): lambda value: (
        (("active_material", "diffusivity_activation_energy"),) if _warms_by_itself(value) else ()
    ),
    ("electrolyte", "model"): lambda value: (
        ()
        if value in ("constant", "functions")
        else _below("electrolyte", *ELECTROLYTE_NUMBERS, "temperature_range")
    ),
    ("penalty", "distribution"): _without_penalties,
    ("penalty", "conditioning", "rule"): _of_other_rules,
}
"""For each choice, a function of its value that returns the keys that do not go with it."""


def switched_off(data: dict[str, Any], changed: AbstractSet[Key]) -> list[Key]:
    """Return the keys of a file that do not go with a choice made by `--set`.

    Args:
        data: the tables of the file after overrides.
        changed: keys that `--set` gave.
    """
    found = []
    for choice, wrong in SWITCHES.items():
        if choice in changed and given(data, choice):
            keys = wrong(_value(data, choice))
            found += [k for k in keys if not any(_related(k, c) for c in changed)]
    return [key for key in found if given(data, key)]


def _value(data: Any, key: Key) -> Any:
    for part in key:
        data = data[part]
    return data


def given(data: Any, key: Key) -> bool:
    """Check whether tables hold a key."""
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def leave_out(data: dict[str, Any], key: Key) -> None:
    """Remove a key from tables if they hold it."""
    table: Any = data
    for part in key[:-1]:
        table = table.get(part)
        if not isinstance(table, dict):
            return
    table.pop(key[-1], None)


def mistake_of(key: Key, rule: Rule, data: dict[str, Any]) -> MistakeError:
    """Return the mistake of giving an idle key."""
    choice = ".".join(rule.choice)
    value: Any = data
    for part in rule.choice:
        value = value.get(part) if isinstance(value, dict) else None
    because = (
        f"{choice} = {_shown(value)}" if value is not None else f"{choice} as it is by default"
    )
    return MistakeError(f"has no effect with {because}", remedy=rule.remedy, key=key)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:20]} ... {text[-30:]}"


def _related(one: Key, other: Key) -> bool:
    """Check whether one key is a part of the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
