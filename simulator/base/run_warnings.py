"""Warnings of a run: what left the range in which its numbers mean something, or was assumed.

One record serves the terminal, the manifest (key `warnings`, a list, empty where there is nothing
to say) and the page. Each kind of warning has a code, and a run keeps one record of each code: what
happens again is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunWarning:
    """One kind of warning.

    Attributes:
        code: names the kind in a few words with underscores, such as "salt_above_range".
        message: one line: what, the number, what is allowed and why, which key to change.
        value: the worst value met, in `unit`; None where there is no number.
        unit: of `value` and `allowed`.
        allowed: least and largest value allowed; None at an open end, or for both.
        key: of the input file that changes it.
        count: how often: accepted time steps, files, images; 1 for what holds for the whole run.
        first_time_s, last_time_s: between which simulated times; None for the whole run.
        where: what else tells the place: particle, position_um, field, file.
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
        """For the manifest; every key is there in every entry."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> RunWarning:
        """The record that `as_dict` wrote; keys that another version added are left out."""
        known = {name: entry[name] for name in cls.__dataclass_fields__ if name in entry}
        allowed = known.get("allowed")
        return cls(**{**known, "allowed": None if allowed is None else tuple(allowed)})

    @property
    def text(self) -> str:
        """The message, with how often and when where it happened within the run."""
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
    """Entries of a manifest with `new` ones: one of a code that is there takes its place.

    Args:
        entries: as in a manifest.
        new: to be added, in their order.

    Returns:
        The entries, in the order in which their codes came up first.
    """
    merged = {str(entry.get("code")): dict(entry) for entry in entries}
    for warning in new:
        merged[warning.code] = warning.as_dict()
    return list(merged.values())
