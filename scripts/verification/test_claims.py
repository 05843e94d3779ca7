"""The claims of scripts/verify hold, and each notices the damages it names.

Claims that other tests of this folder assert figure by figure are left to them here.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.commands import run_script_of_project
from helpers.own_venv import NotRunError, ask, python_with
from helpers.paths import ROOT
from verification.all_claims import CLAIMS
from verification.claim import (
    Claim,
    Curve,
    Figure,
    Outcome,
    Plot,
    Verified,
    at_most,
    near,
)
from verification.page import write_page
from verification.running import exit_code, verify, verify_all, verify_controls
from verification.table import control_rows, rows

TESTED_ELSEWHERE = {
    "coupled-2d": "test_manufactured.py",
    "time-formulas": "test_time_order.py",
    "time-cell": "test_time_order.py",
    "disc": "test_physics.py",
    "asinh": "test_physics.py",
}


def cases(controls: bool) -> list:
    """Return the claims to run here, or pairs of claim and damage; long ones are marked slow."""
    found = []
    for claim in CLAIMS:
        if claim.name in TESTED_ELSEWHERE:
            continue
        marks = () if claim.quick else (pytest.mark.slow,)
        for damage in claim.controls if controls else ("",):
            name = f"{claim.name}: {damage}" if controls else claim.name
            found.append(pytest.param(claim, damage, marks=marks, id=name))
    return found


def required(outcome_of: Claim, damage: str = "") -> Verified:
    results = verify_controls(outcome_of) if damage else [verify(outcome_of)]
    return next(result for result in results if result.damage == damage)


@pytest.mark.parametrize(("claim", "damage"), cases(controls=False))
def test_claim_holds(claim: Claim, damage: str) -> None:
    found = required(claim, damage)
    assert found.verdict == "pass", f"{found.reason} {rows([found])}"


@pytest.mark.parametrize(("claim", "damage"), cases(controls=True))
def test_damage_is_noticed(claim: Claim, damage: str) -> None:
    alone = replace(claim, controls={damage: claim.controls[damage]})
    found = required(alone, damage)
    assert found.verdict == "pass", f"{found.reason} {control_rows([found])}"


def test_every_claim_has_a_negative_control_and_a_name_of_its_own() -> None:
    assert all(claim.controls for claim in CLAIMS)
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for name, file in TESTED_ELSEWHERE.items():
        assert name in {claim.name for claim in CLAIMS}
        assert (ROOT / "tests" / file).is_file()


# -- the machinery ----------------------------------------------------------------------------


def claim_of(value: float, damaged: float = 9.0) -> Claim:
    def outcome(v: float) -> Outcome:
        plot = Plot("time, s", "error", (Curve("a", [1, 2], [v, v]),))
        return Outcome(
            (at_most("error", v, 1.0, "V"), near("order", [2.0, 2.1], 2.0, 0.2)), (plot,)
        )

    return Claim("one", "One is one", lambda: outcome(value), {"worse": lambda: outcome(damaged)})


def unavailable() -> Outcome:
    raise NotRunError("no network")


def faulty() -> Outcome:
    raise ZeroDivisionError("in the middle")


@pytest.mark.parametrize(("value", "verdict"), [(0.5, "pass"), (1.5, "FAIL"), (math.nan, "FAIL")])
def test_verdict_of_a_claim(value: float, verdict: str) -> None:
    found = verify(claim_of(value))
    assert found.verdict == verdict
    assert exit_code([found]) == (0 if verdict == "pass" else 1)
    assert rows([found])[0][-1] == verdict


@pytest.mark.parametrize(("damaged", "verdict"), [(9.0, "pass"), (0.5, "FAIL"), (math.nan, "FAIL")])
def test_verdict_of_a_negative_control(damaged: float, verdict: str) -> None:
    """A damage that leaves the figures in range, or yields no number, is not noticed."""
    (found,) = verify_controls(claim_of(0.5, damaged))
    assert found.verdict == verdict
    assert exit_code([found]) == (0 if verdict == "pass" else 1)
    assert (control_rows([found])[0][-1] == "noticed") == (verdict == "pass")


@pytest.mark.parametrize("measure", [unavailable, faulty])
def test_what_was_not_run_is_no_pass(measure) -> None:
    claim = replace(claim_of(0.5), measure=measure, controls={"worse": measure})
    found = verify_all([claim, claim_of(0.5)], controls=True, note=lambda result: None)
    assert [result.verdict for result in found] == ["not run", "not run", "pass", "pass"]
    assert exit_code(found) == 1
    assert rows(found)[0][-1] == "not run"


def test_an_end_in_between_loses_no_claim_that_was_measured(tmp_path: Path) -> None:
    def ended() -> Outcome:
        raise KeyboardInterrupt

    page, lengths = tmp_path / "verification.md", []

    def keep(found: list[Verified]) -> None:
        lengths.append(len(found))
        write_page(found, page)

    last = replace(claim_of(0.5), name="two", measure=ended)
    with pytest.raises(KeyboardInterrupt):
        verify_all([claim_of(0.5), last], controls=True, note=lambda result: None, keep=keep)
    assert lengths == [2]
    assert "| one   | error: 0.5 V" in page.read_text()


def test_nothing_measured_is_no_pass() -> None:
    assert exit_code([]) == 1
    assert not Outcome(()).holds
    assert not Figure("empty", (), most=1.0).holds


def test_page_has_table_and_pictures(tmp_path: Path) -> None:
    page = tmp_path / "verification.md"
    stale = tmp_path / "verification" / "old.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    found = verify_all([claim_of(0.5)], controls=True, note=lambda result: None)
    write_page(found, page)
    text = page.read_text()
    assert "| one   | error: 0.5 V" in text
    assert "| at most 1 V" in text
    assert "worse" in text
    assert "](verification/one.png)" in text
    assert (tmp_path / "verification" / "one.png").stat().st_size > 5_000
    assert [file.name for file in (tmp_path / "verification").iterdir()] == ["one.png"]
    # A run without damages leaves their table on the page.
    write_page(verify_all([claim_of(0.4)], controls=False, note=lambda result: None), page)
    again = page.read_text()
    assert "error: 0.4 V" in again
    damages = text.partition("## With one thing damaged")[2].partition("\n## one")[0]
    assert "worse" in damages
    assert damages in again
    # A claim's note stands in its section, and not where it has none.
    noted = replace(claim_of(0.4), note="It is a note.")
    assert "It is a note." not in again
    write_page(verify_all([noted], controls=False, note=lambda result: None), page)
    assert "\n\nIt is a note.\n\n![" in page.read_text().partition("\n## one")[2]


def test_page_keeps_what_it_says_of_claims_that_were_not_measured(tmp_path: Path) -> None:
    page = tmp_path / "verification.md"
    order = ["one", "two|three"]
    first, second = (replace(claim_of(0.5), name=name, note=f"Of {name}.") for name in order)

    def written(*claims: Claim, controls: bool = True, order: list[str] = order) -> str:
        found = verify_all(claims, controls=controls, note=lambda result: None)
        write_page(found, page, order)
        return page.read_text()

    whole = written(first, second)
    picture = tmp_path / "verification" / "one.png"
    before = picture.read_bytes()
    # What is measured anew is what was measured before: the page stays the same in all characters.
    assert written(second) == whole
    assert picture.read_bytes() == before
    moved = replace(claim_of(0.4, damaged=8.0), name="two|three")
    lines = set(written(moved).splitlines()) - set(whole.splitlines())
    assert {line.split("|")[1].strip() for line in lines} == {"two\\"}
    assert len(lines) == 2
    again = written(moved, controls=False)
    assert "| worse  | error: 8 V" in again
    assert "Of one." in again
    # Without their order claims that were not measured are left out.
    assert "Of one." not in written(moved, order=[])
    assert not picture.exists()


def test_packages_that_cannot_be_had_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    lock = tmp_path / "other.lock"
    lock.write_text(f"heterode-has-no-such-requirement==1 --hash=sha256:{64 * '0'}\n")
    with pytest.raises(NotRunError, match="other-program cannot be installed"):
        python_with("other-program", lock)


def test_a_script_that_fails_is_not_silent(tmp_path: Path) -> None:
    script = tmp_path / "other.py"
    script.write_text("raise SystemExit('no such mesh')")
    with pytest.raises(RuntimeError, match="no such mesh"):
        ask(Path(sys.executable), script, {})


@pytest.mark.parametrize("option", ["--damage", "--twins"])
def test_the_script_measures_claims_and_their_damages(option: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    ended = run_script_of_project("verify", "time-formulas", option, "--page", page)
    assert ended.code == 0, ended.err
    assert "| BDF2: order: 2.02 |" in ended.out
    assert "| noticed |" in ended.out
    assert page.read_text(encoding="utf-8").startswith("# Verification")


def test_the_script_refuses_a_claim_that_is_none() -> None:
    ended = run_script_of_project("verify", "perpetual-motion")
    assert ended.code == 2
    assert "no claim 'perpetual-motion' (allowed: blocks-2d, " in ended.err
