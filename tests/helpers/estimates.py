"""Presets whose cost is estimated, and a machine that has enough for all of them."""

from __future__ import annotations

from helpers.commands import settings
from helpers.paths import ROOT
from heterode.forecast.estimate import Limits
from heterode.parameters import Parameters, load_parameters

GB = 10**9
AMPLE = Limits(memory_bytes=1e15, seconds=None, source="on this machine")


def load(preset: str = "quickstart", **values: str) -> Parameters:
    sets = settings(**values)[1::2]
    return load_parameters(ROOT / "params" / f"{preset}.toml", sets)
