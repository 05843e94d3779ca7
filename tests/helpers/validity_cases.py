"""Parameters whose numbers leave their validity, and the warnings that say so."""

from __future__ import annotations

from helpers.paths import PRESET
from heterode.base.run_warnings import RunWarning
from heterode.parameters import Parameters, load_parameters
from heterode.validity import before_run


def steps(*texts: str) -> str:
    return "protocol.steps=[" + ", ".join(f'"{text}"' for text in texts) + "]"


def given(*overrides: str) -> Parameters:
    """The quickstart's parameters, charged to 4.2 V: nothing leaves its range."""
    return load_parameters(PRESET, [steps("charge at C/10 until 4.2 V"), *overrides])


def codes(p: Parameters) -> dict[str, RunWarning]:
    before = before_run(p)
    return {warning.code: warning for warning in (*before.holding, *before.foreseen)}


CONSTANT = (
    'electrolyte.model="constant"',
    "electrolyte.conductivity=1 S/m",
    "electrolyte.diffusivity=3e-10 m^2/s",
    "electrolyte.transference_number=0.3",
    "electrolyte.thermodynamic_factor=2.0",
)

AUTOCATALYTIC = ('active_material.exchange_current="autocatalytic"',)
