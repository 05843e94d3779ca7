"""Attacks that are tests: they are run by pytest, and what it counts is what came of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.attacks.attack import Result
from helpers.paths import ROOT

HANGS = 4 * 3600.0
"""Seconds after which a whole suite counts as hung."""


def by_pytest(
    what: str,
    place: Path,
    tests: Sequence[str],
    *,
    before: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    per_example: bool = False,
) -> Result:
    """Run tests in a process of its own.

    Args:
        what: for the result.
        place: a folder; the report is written to it.
        tests: files, nodes and options of pytest.
        before: words in front of the command, such as nohup.
        settings: changes to the environment.
        per_example: count hypothesis' examples instead of tests.
    """
    result, report = Result(what), place / "report.xml"
    report.unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    words += [f"--junit-xml={report}", "--hypothesis-show-statistics", *tests]
    try:
        done = subprocess.run(
            [*before, *words],
            cwd=ROOT,
            env=os.environ | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
    except subprocess.TimeoutExpired:
        result.tried, result.hangs = 1, 1
        return result
    examples = re.findall(r"(\d+) passing(?: examples)?, (\d+) failing", done.stdout)
    cases = ET.parse(report).getroot().findall(".//testcase") if report.is_file() else []
    run = [case for case in cases if case.find("skipped") is None]
    result.tried = sum(int(passed) for passed, _ in examples) if per_example else len(run)
    for case in run:
        for failure in (*case.findall("failure"), *case.findall("error")):
            text = failure.text or ""
            hung = "HangError" in text or "TimeoutExpired" in text
            result.hangs += hung
            result.tracebacks += not hung and "Traceback" in text
            result.wrong += not hung and "Traceback" not in text
            result.notes.append(f"{case.get('classname')}::{case.get('name')}")
    if done.returncode not in (0, 1):
        result.wrong += 1
        result.notes.append(f"pytest ended with code {done.returncode}: {done.stdout[-300:]}")
    return result
