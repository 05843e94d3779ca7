"""Parameter files and --set: whatever stands there is used or refused in one line, at once."""

from __future__ import annotations

import os
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.any_input import (
    HangError,
    any_text,
    check_line,
    edges,
    ends_soon,
    examples,
    heterode_here,
    returns_or_refuses,
    schema_keys,
    toml,
    toml_values,
)
from helpers.commands import settings
from helpers.paths import PRESET
from heterode.base.errors import InputError
from heterode.parameters import load_parameters
from heterode.parameters.toml_file import LARGEST_FILE, parse_toml

# Long texts are among the examples, and what shows them says so.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

TEXT = PRESET.read_text(encoding="utf-8")
LINES = TEXT.splitlines(keepends=True)


@given(st.lists(st.tuples(st.sampled_from(schema_keys()), toml_values), min_size=1, max_size=2))
@examples(80)
def test_any_value_of_any_key(pairs: list[tuple[str, object]]) -> None:
    sets = [word for key, value in pairs for word in ("--set", f"{key}={toml(value)}")]
    heterode_here(["check", str(PRESET), *sets])


at_the_edge = st.sampled_from(sorted(edges())).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from(edges()[key]))
)


@given(st.lists(at_the_edge, min_size=1, max_size=3))
@examples(120)
def test_numbers_at_the_edges_of_their_ranges(pairs: list[tuple[str, str]]) -> None:
    sets = [word for key, value in pairs for word in ("--set", f"{key}={value}")]
    heterode_here(["check", str(PRESET), *sets])


@given(st.one_of(any_text, st.builds("{}={}".format, any_text, any_text)))
@examples(80)
def test_any_text_behind_set(text: str) -> None:
    returns_or_refuses(lambda: load_parameters(PRESET, [text]))


steps = st.one_of(
    any_text,
    st.builds(
        "{} at {} {} {}".format,
        st.sampled_from(("charge", "discharge", "hold", "rest", "cycle", "gitt", "repeat")),
        any_text,
        st.sampled_from(("until", "for", "or until", "and")),
        any_text,
    ),
)


@given(st.recursive(steps, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
@examples(120)
def test_any_protocol(protocol: object) -> None:
    value = protocol if isinstance(protocol, list) else [protocol]
    returns_or_refuses(lambda: load_parameters(PRESET, [f"protocol.steps={toml(value)}"]))


def edited(where: float, kind: str, text: str) -> str:
    """The preset with a piece of it cut out, said twice or replaced."""
    at = int(where * (len(LINES) - 1))
    change = {
        "cut": [],
        "twice": [LINES[at], LINES[at]],
        "replaced": [text],
        "inserted": [LINES[at], text],
        "half": [LINES[at][: len(LINES[at]) // 2]],
    }
    return "".join([*LINES[:at], *change[kind], *LINES[at + 1 :]])


files = st.one_of(
    st.builds(
        edited,
        st.floats(0.0, 1.0),
        st.sampled_from(("cut", "twice", "replaced", "inserted", "half")),
        st.one_of(any_text, st.text(string.printable, max_size=40)),
    ).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=300),
    st.binary(max_size=40).map(lambda some: TEXT.encode() + some),
)


@given(files)
@examples(80)
def test_any_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "p.toml"
        file.write_bytes(content)
        returns_or_refuses(lambda: load_parameters(file))


KNOWN = {
    "power of powers": "geometry.coating_thickness=46 um**9**9**9**9",
    "long unit": f"geometry.coating_thickness=46 {'um*' * 30_000}um",
    "many spaces": f"geometry.coating_thickness=46 {' ' * 100_000}x",
    "long number": f"geometry.coating_thickness={'4' * 100_000} um",
    "long key": f"{'a.' * 100_000}a=1",
    "deep list": f"seeds.packing={'[' * 50_000}",
    "long hexadecimal": f"seeds.packing=0x{'f' * 5000}",
    "vanishing fraction": "geometry.active_fraction=5e-324",
    "vanishing scale": "penalty.scale=1e-300",
    "vanishing step": "solver.maximum_step_fraction=1e-320",
    "endless rest": 'protocol.steps=["rest for 1e300 h"]',
    "vanishing rate": 'protocol.steps=["charge at C/1e308 until 4.2 V"]',
    "control characters": "penalty.distribution=\x1b[31mred\x07",
    "folder with a null character": 'output.directory="nu\\u0000ll"',
    "folder over two lines": 'output.directory="two\\nlines"',
    "folder without a name": 'output.directory=""',
    "file over two lines": "penalty.file=two\nlines.csv",
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_hung_or_failed_once(name: str) -> None:
    with ends_soon(), pytest.raises(InputError) as caught:
        load_parameters(PRESET, [KNOWN[name]])
    check_line(str(caught.value), type(caught.value).longest)


FILES = {
    "key of many parts": b"a." * 100_000 + b"a = 1\n",
    "header of many parts": b"[" + b"a." * 100_000 + b"a]\n",
    "key of many parts in a table": b"x = {" + b'"a". ' * 40 + b"b = 1}\n",
    "nested lists": b"a = " + b"[" * 100_000,
    "nested lists that close": b"a = " + b"[" * 400 + b"]" * 400,
    "nested tables": b"a = " + b"{a = " * 20_000,
    "whole number of many digits": b"[seeds]\npacking = " + b"9" * 5000,
    "many keys": b"".join(b"k%d = 1\n" % n for n in range(100_000)),
    "too large": b"#" * (LARGEST_FILE + 1),
    "nothing but quotes": b"'" * 300_000,
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_hung_or_failed_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_bytes(FILES[name])
    with ends_soon(), pytest.raises(InputError) as caught:
        load_parameters(file)
    check_line(str(caught.value), type(caught.value).longest)
    assert "p.toml" in str(caught.value)


def test_toml_within_the_bounds_is_read() -> None:
    # The negative control of the bounds: what a file may well hold is as the library reads it.
    assert parse_toml("# " + "." * 200 + "\na.b.c = [[1, 2.5], {d = 'e.f'}]\n") == {
        "a": {"b": {"c": [[1, 2.5], {"d": "e.f"}]}}
    }
    steps = ", ".join(f'"rest for {n}.{n} s"' for n in range(5000))
    assert len(parse_toml(f"steps = [{steps}]")["steps"]) == 5000


def test_nearly_one_size(tmp_path: Path) -> None:
    narrow = settings(
        geometry__particle_size__sigma="1e-5",
        geometry__particles="6",
        geometry__active_fraction="0.3",
        geometry__mesh__surface_size_factor="0.8",
    )
    ended = heterode_here(["mesh", str(PRESET), "-o", str(tmp_path / "a.msh"), *narrow])
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "a.msh").stat().st_size > 0


def test_the_watch_sees_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.any_input.CPU_S", 0.05)

    def hang() -> None:
        with ends_soon():
            while True:
                os.getpid()

    with pytest.raises(HangError):
        hang()


@pytest.mark.parametrize("line", ["two\nlines", "x" * 700, "", "a fault of the program (x)"])
def test_the_check_of_lines_can_fail(line: str) -> None:
    with pytest.raises(AssertionError):
        check_line(line)
