"""A sweep's records and the runs its numbers come from are refused where they were altered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.breaking import change_digit, flip_bit
from helpers.sweeps import swept
from heterode.cli import main


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sweep")
    file = swept(place, "[seeds]\npenalty = 1\n", "charge at C/2 for 20 s")
    out = place / "out"
    assert main(["sweep", str(file), "--out", str(out), "--jobs", "1", "--quiet"]) == 0
    return out


@pytest.fixture
def copy(sweep: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sweep, tmp_path / "copy")


def collect(folder: Path, *more: str) -> int:
    return main(["sweep", str(folder), "--collect", "--quiet", *more])


def test_whole_sweeps_are_collected(copy: Path) -> None:
    assert collect(copy) == 0
    assert "altered" not in pd.read_csv(copy / "sweep.csv").columns


def test_altered_files_are_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = np.random.default_rng(3)
    (outcome,) = (copy / "runs").glob("*.json")
    run = outcome.with_suffix("")
    for path in (copy / "sweep.json", outcome, run / "history.csv", run / "particles.h5"):
        whole = path.read_bytes()
        for _ in range(5):
            flip_bit(path, chance)
            capsys.readouterr()
            assert collect(copy) == 2, path
            err = capsys.readouterr().err
            assert err.count("\n") == 1, err
            assert path.name in err
            path.write_bytes(whole)
    assert collect(copy) == 0


def test_accepted_ones_are_marked(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (outcome,) = (copy / "runs").glob("*.json")
    change_digit(outcome.with_suffix("") / "history.csv", np.random.default_rng(1))
    capsys.readouterr()
    assert collect(copy, "--accept-altered") == 0
    assert "history.csv: differs" in capsys.readouterr().err
    (told,) = pd.read_csv(copy / "sweep.csv")["altered"]
    assert "history.csv: differs" in told
    assert "history.csv: differs" in (copy / "ALTERED.txt").read_text()


@pytest.mark.parametrize("name", ["sweep.json", "outcome"])
def test_records_of_wrong_content_are_one_line(
    name: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (outcome,) = (copy / "runs").glob("*.json")
    path = outcome if name == "outcome" else copy / name
    content = json.loads(path.read_text())
    # As an earlier version wrote it: only the content can be wrong.
    del content["digest"]
    texts = ["[" * 100_000, "{", "[]", '{"program": "heterode"}']
    for key in content:
        texts += [json.dumps({**content, key: value}) for value in ([], 7, None, {"a": 1}, "x")]
    if name == "sweep.json":
        run = content["runs"][0]
        for key in run:
            texts += [
                json.dumps({**content, "runs": [{**run, key: value}]})
                for value in ([], 7.5, None, {"a": 1}, "../x")
            ]
    for text in texts:
        path.write_text(text)
        capsys.readouterr()
        code = collect(copy)
        err = capsys.readouterr().err
        assert code in (0, 2, 3), (text[:80], err)
        assert "Traceback" not in err
        assert "fault of the program" not in err, (text[:300], err)
        if code == 2:
            assert err.count("\n") == 1, err
