"""heterode verify: which files of a results folder are as the run wrote them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.cli.endings import DONE
from heterode.cli.results_folder import with_results

if TYPE_CHECKING:
    from heterode.results.integrity import Finding

_REPORT = "Draw it again with `heterode figures` or `heterode report`"


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    with_results(
        commands,
        "verify",
        _verify,
        "say file by file what of RESULTS is as its run wrote it; code 0: all, 2: not all",
    )


def _verify(options: argparse.Namespace, comm: Any) -> int:
    from heterode.base.ranks import on_root

    on_root(comm, lambda: _look(options.results))
    return DONE


def _look(place: Path) -> None:
    from heterode.results.folder import ResultsFolder
    from heterode.results.integrity import examine
    from heterode.results.json_record import REMEDY
    from heterode.results.report_record import report_findings
    from heterode.results.trust import summary

    folder = ResultsFolder.open(place)
    found = examine(folder)
    report = report_findings(folder)
    findings = [*found.findings, *report]
    known = {finding.name for finding in findings}
    others = _others(folder.path, known)
    width = max(len(name) for name in [*known, *others])
    for finding in findings:
        print(f"{finding.name:<{width}}  {_verdict(finding)}")
    for name in others:
        print(f"{name:<{width}}  not known: {_why(found.covers, name)}")
    bad = [finding for finding in findings if finding.problem]
    print(
        f"{len(findings) - len(bad)} of {counted(len(findings), 'file', 'is')} whole; "
        f"{summary(found)}"
    )
    if bad:
        more = f" (and {len(bad) - 1} more, see above)" if len(bad) > 1 else ""
        remedy = REMEDY if found.problems else _REPORT
        raise InputError(f"{place / bad[0].name}: {bad[0].problem}{more}. {remedy}")


def _verdict(finding: Finding) -> str:
    if finding.problem:
        return f"NOT WHOLE: {finding.problem}"
    return f"whole ({finding.extent})" if finding.extent else "whole"


def _others(top: Path, known: set[str]) -> list[str]:
    """Return the files in the folder for which no digest is known."""
    files = (path for path in sorted(top.rglob("*")) if path.is_file())
    names = [path.relative_to(top).as_posix() for path in files]
    return [name for name in names if name not in known]


def _why(covers: str, name: str) -> str:
    if covers == "nothing" and not name.startswith("report/"):
        return "an earlier version kept no digest of it"
    if covers == "prefix" and name.startswith(("fields/", "stops/", "checkpoint/")):
        return "written after the last checkpoint, or not by the run"
    if name.startswith("report/"):
        return "heterode has no record of having written it"
    return "not written by the run"
