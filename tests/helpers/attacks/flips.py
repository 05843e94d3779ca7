"""Bits that flip in what a run wrote, file kind by file kind."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from helpers.attacks.attack import Attack, Result
from helpers.attacks.runs import arguments
from helpers.breaking import flip_bit
from helpers.same_run import TOLERANCE, difference
from heterode.cli import main
from heterode.results import read_history
from heterode.runs.prepared import Prepared

KINDS = {
    "manifest.json": ("manifest.json",),
    "history.csv": ("history.csv",),
    "particles.csv": ("particles.csv",),
    "particles.h5": ("particles.h5",),
    "fields: XDMF": ("fields/*.xdmf",),
    "fields: HDF5": ("fields/**/*.h5",),
    "tables of stops": ("stops/*.csv",),
    "checkpoints": ("checkpoint/*",),
    "report": ("report/*",),
}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing is tidied up."""


def killed_run(out: Path, after: int) -> None:
    """A run that is gone after some time steps, with checkpoints before."""
    observed = Prepared._observed

    def observing(self, marched):
        if self.cell.stepper.steps == after:
            raise KilledError
        return observed(self, marched)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prepared, "_observed", observing)
        patch.setattr(Prepared, "_leave", lambda self, error: None)
        with pytest.raises(KilledError):
            main([*arguments(output__checkpoint_every="1 us"), "--out", str(out)])


def quiet(words: list[str]) -> tuple[int, str]:
    """A command's exit code and what it said on stderr; 1 with the traceback, where it raised."""
    said = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(said):
        try:
            return main(words), said.getvalue()
        except Exception:
            return 1, traceback.format_exc()


def flips(
    result: Result,
    whole: Path,
    patterns: tuple[str, ...],
    count: int,
    judge: Callable[[Path, Path], tuple[str, str]],
) -> Result:
    """Flip bits in copies of a folder, each in one file that a pattern finds.

    Args:
        result: is added to.
        whole: the folder.
        patterns: of the files.
        count: of the flips.
        judge: told the copy and the file; returns "held", "lost", "wrong" or "traceback", and why.
    """
    files = sorted({path for pattern in patterns for path in whole.glob(pattern) if path.is_file()})
    for seed in range(count if files else 0):
        chance = np.random.default_rng(seed)
        name = files[chance.integers(len(files))].relative_to(whole)
        copy = whole.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        done = flip_bit(copy / name, chance)
        verdict, why = judge(copy, copy / name)
        result.tried += 1
        result.lost += verdict == "lost"
        result.wrong += verdict == "wrong"
        result.tracebacks += verdict == "traceback"
        if verdict != "held":
            result.notes.append(f"{name}, {done}: {why}")
    return result


def found_by_verify(copy: Path, file: Path) -> tuple[str, str]:
    """`heterode verify` ends with 2 and names the file, or says that the manifest is none."""
    code, said = quiet(["verify", str(copy)])
    if "Traceback" in said:
        return "traceback", said.strip().splitlines()[-1]
    one_line = said.count("\n") == 1
    return ("held", "") if code == 2 and one_line else ("wrong", f"code {code}: {said[:200]}")


def resumed_or_refused(unbroken: Path) -> Callable[[Path, Path], tuple[str, str]]:
    """--resume either refuses with one line, or ends with the numbers of an unbroken run."""

    def judge(copy: Path, file: Path) -> tuple[str, str]:
        code, said = quiet([*arguments(), "--out", str(copy), "--resume"])
        if "Traceback" in said:
            return "traceback", said.strip().splitlines()[-1]
        if code in (2, 3) and "heterode: error: " in said:
            return "held", ""
        if code == 0 and difference(unbroken, copy) <= TOLERANCE:
            return "held", ""
        return "wrong", f"code {code}: {said[:200]}"

    return judge


def corruptions(place: Path, thorough: bool) -> list[Result]:
    """Every file kind, 5 flips each and 50 if thorough; resuming, 2 or 50."""
    whole = place / "whole"
    assert quiet([*arguments(output__report="true"), "--out", str(whole)])[0] == 0
    count, results = (50 if thorough else 5), []
    for kind, patterns in KINDS.items():
        if kind != "checkpoints":
            result = Result(f"{kind}: a bit flipped, `heterode verify` must find it")
            results.append(flips(result, whole, patterns, count, found_by_verify))
    unbroken, killed = place / "unbroken", place / "killed"
    assert quiet([*arguments(), "--out", str(unbroken)])[0] == 0
    killed_run(killed, len(read_history(unbroken)) // 2)
    judge = resumed_or_refused(unbroken)
    for kind, patterns in KINDS.items():
        if kind != "report":
            result = Result(
                f"{kind}: a bit flipped in a killed run, `--resume` refuses or mends it"
            )
            results.append(flips(result, killed, patterns, count if thorough else 2, judge))
    return results


CORRUPTIONS = Attack("corruptions", corruptions)
