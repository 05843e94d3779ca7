"""Warnings of a run: one record a kind, in the manifest and on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.synthetic import synthetic_run, write_run
from heterode import load
from heterode.base.errors import InputError
from heterode.base.run_warnings import RunWarning, merge_warnings
from heterode.reporting.page import write_page
from heterode.results.json_record import record_problem
from heterode.results.manifest import INDENT, Manifest, add_warnings, read_manifest

SALT = RunWarning(
    "salt_above_range",
    "salt reaches 5400 mol/m^3 <b>",
    value=5400.0,
    unit="mol/m^3",
    allowed=(100.0, 3000.0),
    key="electrolyte.model",
    count=3,
    first_time_s=10.0,
    last_time_s=30.0,
    where={"position_um": [1.0, 2.0], "field": "electrolyte.concentration"},
)


def test_a_manifest_without_warnings_has_an_empty_list(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "manifest.json")
    assert read_manifest(manifest.path)["warnings"] == []


def test_a_record_reads_back_as_it_was_written(tmp_path: Path) -> None:
    Manifest(tmp_path / "manifest.json").warn(SALT)
    (entry,) = read_manifest(tmp_path / "manifest.json")["warnings"]
    assert set(entry) == set(RunWarning.__dataclass_fields__)
    assert RunWarning.from_dict({**entry, "added later": 1}) == SALT


def test_a_code_has_one_record_and_keeps_its_place() -> None:
    other, again = RunWarning("altered", "changed"), RunWarning("salt_above_range", "again")
    merged = merge_warnings([SALT.as_dict(), other.as_dict()], [again])
    assert [entry["message"] for entry in merged] == ["again", "changed"]


def test_warnings_are_added_to_a_run_that_ended(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    Manifest(path).finish("completed", "done")
    before = read_manifest(path)
    add_warnings(path, SALT)
    after = read_manifest(path)
    assert [entry["code"] for entry in after.pop("warnings")] == ["salt_above_range"]
    # The digest is of the content as it is now: nothing shows as altered.
    assert after.pop("digest") != before.pop("digest")
    assert record_problem(path, INDENT) == ""
    assert after == {key: value for key, value in before.items() if key != "warnings"}
    with pytest.raises(InputError, match="not readable as a manifest"):
        add_warnings(tmp_path / "none.json", SALT)


def test_the_text_counts_steps_only_where_there_are_any() -> None:
    assert SALT.text == f"{SALT.message} (3 time steps, t = 10 s to 30 s)"
    assert RunWarning("altered", "history.csv was changed").text == "history.csv was changed"


def test_the_page_shows_warnings_where_there_are_any(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "out", synthetic_run(samples=3))
    assert 'id="warnings"' not in write_page(folder.path).read_text("utf-8")
    assert load(folder.path).warnings == []
    add_warnings(folder.manifest, SALT)
    assert load(folder.path).warnings == [SALT.text]
    html = write_page(folder.path).read_text("utf-8")
    assert 'id="warnings"' in html
    assert "salt reaches 5400 mol/m^3 &lt;b&gt; (3 time steps, t = 10 s to 30 s)" in html
    assert "position um (1, 2), field electrolyte.concentration" in html
