"""Running of claims and controls, including those that turn out not to be measurable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from helpers.own_venv import NotRunError
from verification.claim import Claim, Measurement, Verified

Note = Callable[[Verified], None]
Keep = Callable[[list[Verified]], None]


def verify(claim: Claim) -> Verified:
    """Measure a claim."""
    return _timed(claim, "", claim.measure)


def verify_controls(claim: Claim) -> Iterator[Verified]:
    """Measure every damaged version of a claim."""
    for damage, measure in claim.controls.items():
        yield _timed(claim, damage, measure)


def _timed(claim: Claim, damage: str, measure: Measurement) -> Verified:
    begin = time.perf_counter()
    try:
        outcome, reason = measure(), ""
    except NotRunError as problem:
        outcome, reason = None, str(problem)
    except Exception as problem:
        # The fault of one claim must not keep others from being measured, but it does not count as
        # a pass.
        first = (str(problem).splitlines() or [""])[0]
        outcome, reason = None, f"{type(problem).__name__}: {first}"
    return Verified(claim, damage, outcome, reason, time.perf_counter() - begin)


def verify_all(
    claims: Iterable[Claim], *, controls: bool, note: Note, keep: Keep | None = None
) -> list[Verified]:
    """Measure claims, and their controls on request.

    Args:
        claims: the claims.
        controls: whether their controls are measured as well.
        note: called with each result.
        keep: called after each claim with all results so far, so that an end in between loses none.
    """
    found: list[Verified] = []
    for claim in claims:
        results = [verify(claim), *(verify_controls(claim) if controls else ())]
        for result in results:
            note(result)
            found.append(result)
        if keep is not None:
            keep(found)
    return found


def exit_code(found: Iterable[Verified]) -> int:
    """Return 0 if everything passed; 1 if anything failed or was not run."""
    results = list(found)
    return 0 if results and all(result.verdict == "pass" for result in results) else 1
