"""Tries to break heterode: scripts/break [ATTACK ...] [--thorough] [--write].

Kills runs, damages files, supplies inputs that nobody foresaw, takes away disks, locks and ranks,
and starts the tests in unusual places. Prints a table of what was tried and what failed; the exit
code is 0 if nothing did. The default takes some minutes, --thorough takes hours. --write puts the
table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

# The folder holds `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.attacks.attack import Attack, Result
from helpers.attacks.environments import ENVIRONMENTS
from helpers.attacks.faults import FAULT
from helpers.attacks.flips import CORRUPTIONS
from helpers.attacks.inputs import INPUTS
from helpers.attacks.kills import KILLS
from helpers.paths import ROOT
from helpers.surroundings import settle
from verification.pages import markdown

ATTACKS = (KILLS, CORRUPTIONS, INPUTS, FAULT, ENVIRONMENTS)
PAGE = ROOT / "docs" / "reliability.md"
HEADING = ("command", "what", "tried", "lost", "wrong accepted", "tracebacks", "hangs")


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(prog="scripts/break", description="Try to break heterode.")
    names = [attack.name for attack in ATTACKS]
    parser.add_argument(
        "attacks", nargs="*", metavar="ATTACK", help=f"these alone: {', '.join(names)}"
    )
    parser.add_argument("--thorough", action="store_true", help="many more of each, for hours")
    parser.add_argument("--write", action="store_true", help="put the table into the documents")
    options = parser.parse_args()
    unknown = [name for name in options.attacks if name not in names]
    if unknown:
        parser.error(f"no attack {unknown[0]!r} (allowed: {', '.join(names)})")
    return options


def rows_of(attack: Attack, found: list[Result], thorough: bool) -> list[tuple[str, ...]]:
    """Return the rows of the table for one attack."""
    command = f"`scripts/break {attack.name}{' --thorough' if thorough else ''}`"
    return [
        (command, r.what, *map(str, (r.tried, r.lost, r.wrong, r.tracebacks, r.hangs)))
        for r in found
    ]


def write(attack: Attack, table: str) -> None:
    """Put the table of an attack between its marks on the page."""
    text = PAGE.read_text(encoding="utf-8")
    marks = f"<!-- table: {attack.name} -->", f"<!-- end: {attack.name} -->"
    pattern = re.compile(f"({re.escape(marks[0])}\n).*?({re.escape(marks[1])})", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"{PAGE}: has no {marks[0]}")
    PAGE.write_text(pattern.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), encoding="utf-8")


def main() -> int:
    """Run the attacks and print the table; returns the exit code."""
    options, held = arguments(), True
    settle()
    for attack in ATTACKS:
        if options.attacks and attack.name not in options.attacks:
            continue
        begun = time.monotonic()
        # The folder is not below pytest's own ones, since another user has to be able to enter it.
        with tempfile.TemporaryDirectory(prefix="heterode-break-") as place:
            Path(place).chmod(0o755)
            found = list(attack.run(Path(place), options.thorough))
        table = markdown(HEADING, rows_of(attack, found, options.thorough))
        print(table, flush=True)
        for result in found:
            held = held and result.held
            for note in result.notes:
                print(f"break: {result.what}: {note}", file=sys.stderr)
        print(
            f"break: {attack.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True
        )
        if options.write:
            write(attack, table)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
