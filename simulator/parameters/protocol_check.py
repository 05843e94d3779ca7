"""Checks that a protocol's voltages are on the material's curve and its first step can start."""

from __future__ import annotations

from dataclasses import dataclass

from heterode.parameters.fields import MistakeError
from heterode.protocol import Cutoff, Group, Step

Key = tuple[str, ...]
Volts = tuple[float, float]


@dataclass(frozen=True)
class Known:
    """The state of the cell where a step begins, as far as it is known; otherwise None.

    Attributes:
        potential: open-circuit potential, V.
        fraction: mean lithium fraction.
    """

    potential: float | None = None
    fraction: float | None = None


UNKNOWN = Known()


def check_protocol(group: Group, key: Key, start: Known, allowed: Volts) -> None:
    """Refuse steps outside the open-circuit curve, and a first step that begins beyond its end.

    The state at which a later step begins depends on the run. If its end is met at once, as may
    happen to a charge after a slower one, the run skips it and says so.

    Args:
        group: the protocol, or a group of it.
        key: key of its list of steps.
        start: the state at its beginning, at rest.
        allowed: least and greatest voltage that a step may ask for, V.

    Raises:
        MistakeError: there is such a step; the first one is named.
    """
    known = start
    for index, item in enumerate(group.steps):
        here = (*key, f"[{index}]")
        if isinstance(item, Group):
            # A titration is one text, so its steps have no keys.
            inner = here if item.written else (*here, "steps")
            for cutoff in item.until:
                _check_range(cutoff, here, allowed)
            check_protocol(item, inner, known, allowed)
        else:
            check_step(item, here if not group.written else key, known, allowed)
        known = UNKNOWN


def _check_range(cutoff: Cutoff, key: Key, allowed: Volts) -> None:
    if cutoff.quantity == "voltage" and isinstance(cutoff.value, float):
        check_voltage(cutoff.value, key, allowed)


def check_voltage(value: float, key: Key, allowed: Volts) -> None:
    """Refuse a voltage, V, outside those allowed, at a key of the file."""
    low, high = allowed
    if not low <= value <= high:
        raise MistakeError(
            f"asks for {value:g} V, outside the range of the open-circuit curve",
            allowed=f"from {low:.4g} to {high:.4g} V",
            remedy="Change the voltage.",
            key=key,
        )


def check_step(step: Step, key: Key, start: Known, allowed: Volts) -> None:
    """Refuse a step outside the open-circuit curve, or that starts beyond its own end.

    Args:
        step: the step.
        key: key of the step.
        start: the state at its beginning.
        allowed: least and greatest voltage that it may ask for, V.
    """
    if step.voltage is not None:
        check_voltage(step.voltage, key, allowed)
    for cutoff in step.cutoffs:
        _check_range(cutoff, key, allowed)
    if step.kind not in ("charge", "discharge"):
        return
    # From rest, a charge raises the voltage and extracts lithium, however small its current.
    charging = step.kind == "charge"
    low, high = allowed
    end, at = step.cutoff("voltage"), start.potential
    if isinstance(end, float) and at is not None and (end <= at if charging else end >= at):
        raise MistakeError(
            f"would end at once: the cell starts it at {at:.3f} V already",
            allowed=f"above {at:.3f} V, up to {high:g} V"
            if charging
            else f"from {low:g} V, below {at:.3f} V",
            remedy="Raise the cut-off, or charge from a higher lithium fraction."
            if charging
            else "Lower the cut-off, or charge first.",
            key=key,
        )
    goal, x = step.cutoff("lithium fraction"), start.fraction
    if isinstance(goal, float) and x is not None and (goal >= x if charging else goal <= x):
        raise MistakeError(
            f"would end at once: the particles start it at a mean fraction of {x:g}",
            allowed=f"x below {x:g}" if charging else f"x above {x:g}",
            remedy="Charging lowers the lithium fraction, discharging raises it.",
            key=key,
        )
