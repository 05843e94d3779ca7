"""The type of each value of a manifest, so that readers can rely on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from heterode.results.json_record import type_name

Check = Callable[[Any], str]
"""A function that returns what a value must be, or "" if the value is that."""

STATUSES = ("running", "completed", "stopped", "failed")


def manifest_problem(content: Mapping[str, Any]) -> str:
    """Return the first key whose value cannot be a manifest's, with what is allowed, or ""."""
    for name in ("status", "parameters"):
        if name not in content:
            return f"lacks '{name}', so it is no whole manifest"
    for name, check in _KEYS.items():
        if name in content:
            wanted = check(content[name])
            if wanted:
                value = content[name]
                shown = repr(value)[:40] if isinstance(value, str | int | float) else ""
                return f"{name} is {shown or type_name(value)} (allowed: {wanted})"
    return ""


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a string"


def _number(value: Any) -> str:
    return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"


def _count(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if whole else "a whole number, 0 or more"


def _scalar(value: Any) -> str:
    return "a number or a string" if isinstance(value, dict | list) else ""


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "an object"


def _list(value: Any) -> str:
    return "" if isinstance(value, list) else "a list"


def _or_null(check: Check) -> Check:
    def checked(value: Any) -> str:
        wanted = "" if value is None else check(value)
        return f"{wanted}, or null" if wanted else ""

    return checked


def _object_of(check: Check) -> Check:
    def checked(value: Any) -> str:
        if not isinstance(value, dict):
            return "an object"
        wrong = next(((k, w) for k, item in value.items() if (w := check(item))), None)
        return "" if wrong is None else f"in {wrong[0][:40]!r} {wrong[1]}"

    return checked


def _list_of(check: Check) -> Check:
    def checked(value: Any) -> str:
        if not isinstance(value, list):
            return "a list"
        wrong = next((w for item in value if (w := check(item))), "")
        return f"a list with items that are each {wrong}" if wrong else ""

    return checked


def _record_of(**keys: Check) -> Check:
    """Return a check for an object in which these keys, if present, hold such values."""

    def checked(value: Any) -> str:
        if not isinstance(value, dict):
            return "an object"
        for name, check in keys.items():
            if name in value and (wanted := check(value[name])):
                return f"in '{name}' {wanted}"
        return ""

    return checked


def _prefix(value: Any) -> str:
    if not isinstance(value, dict) or set(value) != {"count", "sha256"}:
        return "an object of 'count' and 'sha256'"
    return _count(value["count"]) or _text(value["sha256"])


def _status(value: Any) -> str:
    return "" if value in STATUSES else ", ".join(STATUSES)


def _regime(value: Any) -> str:
    wanted = _REGIME(value)
    lacking = [] if wanted else [name for name in _TOLD if name not in value]
    return wanted or (f"an object with '{lacking[0]}'" if lacking else "")


_TOLD = ("name", "symbol", "formula", "meaning", "value")
_REGIME = _record_of(
    name=_text,
    symbol=_text,
    unit=_text,
    formula=_text,
    meaning=_text,
    value=_or_null(_number),
)
_PARAMETERS = _record_of(
    title=_or_null(_text),
    geometry=_record_of(particles=_or_null(_count), dimension=_or_null(_count)),
    active_material=_object,
    penalty=_object,
    protocol=_record_of(steps=_or_null(_list), repeat=_or_null(_count), stops=_or_null(_list)),
)

_ERROR = _record_of(largest=_number, rms=_number, at_s=_number)
_ACCURACY = _record_of(
    asked_V=_number,
    layers=_object,
    voltage_space_error_V=_ERROR,
    voltage_time_error_V=_ERROR,
    current_space_error_A_m2=_ERROR,
    particle_mean_error=_number,
    largest_clip=_object_of(_or_null(_number)),
)

_WARNING = _record_of(
    code=_text,
    message=_text,
    value=_or_null(_number),
    unit=_text,
    allowed=_or_null(_list_of(_or_null(_number))),
    key=_text,
    count=_count,
    first_time_s=_or_null(_number),
    last_time_s=_or_null(_number),
    where=_object,
)

_KEYS: Mapping[str, Check] = {
    "status": _status,
    "reason": _text,
    "started": _text,
    "updated": _text,
    "title": _or_null(_text),
    "parameter_file": _or_null(_text),
    "parameters": _PARAMETERS,
    "input": _or_null(_object),
    "described": _or_null(
        _record_of(
            parameters=_object_of(_scalar),
            protocol=_list_of(_text),
            derived=_list_of(_text),
            regimes=_list_of(_regime),
        )
    ),
    "seeds": _object_of(_or_null(_count)),
    "versions": _object_of(_text),
    "mesh_hash": _or_null(_text),
    "ranks": _or_null(_count),
    "dofs": _or_null(_count),
    "particles": _or_null(_count),
    "steps": _or_null(_count),
    "rejected_steps": _or_null(_count),
    "newton_iterations": _or_null(_count),
    "unclosed_iterations": _or_null(_count),
    "linearisations": _or_null(_count),
    "krylov_iterations": _or_null(_count),
    "linear_solver": _or_null(_text),
    "wall_s": _object_of(_number),
    "solve_s": _object_of(_number),
    "peak_memory_bytes": _or_null(_count),
    "balance": _object_of(_or_null(_number)),
    "accuracy": _ACCURACY,
    "pieces": _list_of(_object),
    "warnings": _list_of(_WARNING),
    "skipped_steps": _list_of(
        _record_of(
            cycle=_count,
            step=_count,
            text=_text,
            reason=_text,
            time_s=_number,
            voltage_V=_number,
            steps=_count,
        )
    ),
    "skipped_step_count": _or_null(_count),
    "left_out_stops": _list_of(
        _record_of(
            cycle=_count,
            step=_count,
            text=_text,
            stop_V=_number,
            time_s=_number,
            before_V=_number,
            after_V=_number,
        )
    ),
    "left_out_stop_count": _or_null(_count),
    "digests": _record_of(covers=_text, prefixes=_object_of(_prefix)),
    "digest": _text,
}
