"""Measures every claim that heterode's numbers rest on: scripts/verify [CLAIM ...] [--damage].

Prints claim, figure, bound, pass, and writes docs/verification.md with plots after each claim, when
all are asked for. Exit code 0 when everything passed, 1 when anything failed or was not run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

# The folder holds `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.paths import ROOT
from verification.all_claims import CLAIMS
from verification.claim import Claim, Verified
from verification.page import write_page
from verification.pages import markdown
from verification.running import exit_code, verify_all
from verification.table import CONTROL_HEADING, HEADING, control_rows, line, rows

PAGE = ROOT / "docs" / "verification.md"


def arguments() -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog="scripts/verify", description="Measure every claim that heterode's numbers rest on."
    )
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="these alone; see --list")
    parser.add_argument(
        "--damage",
        "--twins",
        action="store_true",
        help="measure each again with one thing damaged, which must be noticed",
    )
    parser.add_argument("--list", action="store_true", help="name the claims and measure nothing")
    parser.add_argument(
        "--page",
        type=Path,
        help="write the page here; what it says of claims that are not measured is kept",
    )
    options = parser.parse_args()
    known = {claim.name for claim in CLAIMS}
    unknown = [name for name in options.claims if name not in known]
    if unknown:
        parser.error(f"no claim {unknown[0]!r} (allowed: {', '.join(c.name for c in CLAIMS)})")
    return options


def chosen(names: list[str]) -> list[Claim]:
    """Return the named claims, or all of them."""
    return [claim for claim in CLAIMS if not names or claim.name in names]


def note(result: Verified) -> None:
    """Print one line on a result to stderr."""
    print(line(result), file=sys.stderr, flush=True)


def main() -> int:
    """Measure the claims and print the table; returns the exit code."""
    options = arguments()
    if options.list:
        width = 2 + max(len(claim.name) for claim in CLAIMS)
        for claim in CLAIMS:
            print(f"{claim.name:{width}s}{claim.text}")
        return 0
    page = options.page or (None if options.claims else PAGE)

    def keep(found: Sequence[Verified]) -> None:
        if page is not None:
            write_page(found, page, [claim.name for claim in CLAIMS])

    claims = chosen(options.claims)
    found = verify_all(claims, controls=options.damage, note=note, keep=keep)
    print(markdown(HEADING, rows(found)))
    if options.damage:
        print("\n" + markdown(CONTROL_HEADING, control_rows(found)))
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main())
