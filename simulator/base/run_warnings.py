"""Warnings of a run: quantities that left their range of validity, and assumptions made.

One record serves the terminal, the manifest (key `warnings`, a list that is empty if there are no
warnings) and the page. Each kind of warning has a code, and a run keeps one record for each code,
which counts repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunWarning:
    """One kind of warning.

    Attributes:
        code: the kind, in a few words joined by underscores, such as "salt_above_range".
        message: one line: what happened, the value, the allowed range, the reason for it, and the
            key to change.
        value: the worst value that occurred, in `unit`; None if there is no number.
        unit: the unit of `value` and `allowed`.
        allowed: the smallest and largest allowed value; None at an open end, or for both.
        key: the key of the input file that changes the value.
        count: the number of accepted time steps, files or images concerned; 1 if the warning
            applies to the whole run.
        first_time_s, last_time_s: the simulated times of its first and last occurrence, s; None if
            it applies to the whole run.
        where: further details of the place: particle, position_um, field, file.
    """

    code: str
    message: str
    value: float | None = None
    unit: str = ""
    allowed: tuple[float | None, float | None] | None = None
    key: str = ""
    count: int = 1
    first_time_s: float | None = None
    last_time_s: float | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of the manifest, which always has all keys."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> RunWarning:
        """Return the record that `as_dict` wrote, ignoring keys that another version added."""
        known = {name: entry[name] for name in cls.__dataclass_fields__ if name in entry}
        allowed = known.get("allowed")
        return cls(**{**known, "allowed": None if allowed is None else tuple(allowed)})

    @property
    def text(self) -> str:
        """The message, with the count and the times if it concerns a part of the run."""
        if self.first_time_s is None:
            return self.message
        steps = f"{self.count} time step{'' if self.count == 1 else 's'}"
        when = f"t = {self.first_time_s:.6g} s"
        if self.last_time_s is not None and self.last_time_s != self.first_time_s:
            when += f" to {self.last_time_s:.6g} s"
        return f"{self.message} ({steps}, {when})"


def merge_warnings(
    entries: Iterable[Mapping[str, Any]], new: Iterable[RunWarning]
) -> list[dict[str, Any]]:
    """Add new warnings to a manifest's entries; each replaces an entry of the same code.

    Args:
        entries: the entries of the manifest.
        new: the warnings to be added, in their order.

    Returns:
        The entries, in the order in which their codes first occurred.
    """
    merged = {str(entry.get("code")): dict(entry) for entry in entries}
    for warning in new:
        merged[warning.code] = warning.as_dict()
    return list(merged.values())
