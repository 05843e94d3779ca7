"""The table of claims: claim, figure, bound, pass."""

from __future__ import annotations

from collections.abc import Iterable

from verification.claim import Verified

HEADING = ("claim", "figure", "bound", "pass")
CONTROL_HEADING = ("claim", "damage", "figure", "bound", "noticed")

Row = tuple[str, ...]


def rows(found: Iterable[Verified]) -> list[Row]:
    """Return a row for each figure of each claim, without the controls."""
    table: list[Row] = []
    for result in found:
        if result.damage:
            continue
        name = result.claim.name
        if result.outcome is None:
            table.append((name, result.reason, "", result.verdict))
            continue
        for figure in result.outcome.figures:
            verdict = "pass" if figure.holds else "FAIL"
            table.append((name, f"{figure.name}: {figure.shown}", figure.bound, verdict))
    return table


def control_rows(found: Iterable[Verified]) -> list[Row]:
    """Return a row for each negative control: a figure that left its range, or the first."""
    table: list[Row] = []
    for result in found:
        if not result.damage:
            continue
        start = (result.claim.name, result.damage)
        if result.outcome is None:
            table.append((*start, result.reason, "", result.verdict))
            continue
        figures = result.outcome.figures
        shown = next((figure for figure in figures if figure.caught), figures[0])
        verdict = "noticed" if result.verdict == "pass" else "NOT NOTICED"
        table.append((*start, f"{shown.name}: {shown.shown}", shown.bound, verdict))
    return table


def line(result: Verified) -> str:
    """Return one line on a claim or negative control that has just been run."""
    what = f"{result.claim.name}: {result.damage}" if result.damage else result.claim.name
    verdict = result.verdict
    if result.damage and verdict != "not run":
        verdict = "pass" if verdict == "pass" else "FAIL"
        what = f"{result.claim.name}, damaged ({result.damage})"
    reason = f" ({result.reason})" if result.reason else ""
    return f"{verdict:8s}{result.seconds:7.1f} s  {what}{reason}"
