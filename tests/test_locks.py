"""pip installs nothing whose digest is not written down: the lock files, and who reads them."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.paths import LOCKS, ROOT
from helpers.surroundings import PATIENCE
from heterode.base.own_python import InstallError, python_with

SETUP = ROOT / "scripts" / "setup"
LOCKS = {
    "userland": SETUP / "locks" / "userland.txt",
    "machine": SETUP / "locks" / "machine.txt",
    "pybamm": ROOT / "simulator" / "homogenised" / "pybamm.lock",
    "ngsolve": LOCKS / "ngsolve.lock",
    "pymatgen": LOCKS / "pymatgen.lock",
}


def pins(path: Path) -> dict[str, set[str]]:
    """Versions by name; each entry has its digests."""
    found: dict[str, set[str]] = {}
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    for block in re.split(r"\n(?=\S)", text):
        head = re.match(r"([\w.-]+)==([\w.!+-]+)", block)
        assert head is not None, block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), head[0]
        found.setdefault(canonicalize_name(head[1]), set()).add(head[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_is_pinned_and_has_digests(name: str) -> None:
    assert len(pins(LOCKS[name])) > 5


def test_the_userlands_lock_holds_what_is_asked_for_and_all_that_needs() -> None:
    locked = pins(LOCKS["userland"])
    asked = [
        Requirement(line.split("#")[0].strip())
        for line in (SETUP / "requirements.txt").read_text().splitlines()
        if line.split("#")[0].strip()
    ]
    assert all(len(versions) == 1 for versions in locked.values())
    for requirement in asked:
        (version,) = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True)
    # It is installed without looking at dependencies, so the list itself has to be complete.
    left, seen = [requirement.name for requirement in asked], set()
    while left:
        name = canonicalize_name(left.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(metadata.version(needed.name), prereleases=True)
                left.append(needed.name)
    assert {name for name in locked if name not in seen} == set()


def test_no_pip_is_called_without_digests() -> None:
    files = [ROOT / "Dockerfile", ROOT / "scripts" / "cluster" / "heterode.def"]
    files += [path for path in SETUP.rglob("*") if path.suffix in {".sh", ".py"}]
    files += (ROOT / "simulator").rglob("*.py")
    calls = 0
    for path in files:
        text = path.read_text().replace("\\\n", " ")
        for line in text.splitlines():
            if re.search(r"pip\W+install\W.* -r |pip\[@\].*-r |\"-r\", str", line):
                calls += 1
                assert "--require-hashes" in line, f"{path}: {line}"
    assert calls >= 5


def make_wheel(folder: Path) -> str:
    """A package `heterode_probe` 1.0 that pip can install; returns the digest of its file."""
    files = {
        "heterode_probe.py": "here = True\n",
        "heterode_probe-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: heterode-probe\nVersion: 1.0\n"
        ),
        "heterode_probe-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "heterode_probe-1.0.dist-info/RECORD"
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{name},sha256={digest.decode()},{len(text)}\n")
    path = folder / "heterode_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, record: "".join(rows) + f"{record},,\n"}.items():
            wheel.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("right", [True, False])
def test_a_package_of_another_digest_is_not_installed(
    right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    digest = make_wheel(wheels)
    lock = tmp_path / "probe.lock"
    lock.write_text(f"heterode-probe==1.0 --hash=sha256:{digest if right else digest[::-1]}\n")
    # No network, and only the folder of wheels.
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    # The machine's own Python, where it lacks packages.
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python3"
    added = subprocess.run(
        [python, SETUP / "add_packages.py", lock, "heterode-probe>=0.5"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    imported = subprocess.run([python, "-c", "import heterode_probe"], capture_output=True)
    assert (added.returncode == 0) == right, added.stderr
    assert (imported.returncode == 0) == right
    # The venvs of other programs.
    monkeypatch.setenv("HETERODE_CACHE", str(tmp_path / "cache"))
    if right:
        own = python_with("probe", lock, lambda _: None)
        subprocess.run([own, "-c", "import heterode_probe"], check=True)
    else:
        with pytest.raises(InstallError, match="probe cannot be installed"):
            python_with("probe", lock, lambda _: None)


def test_a_package_without_a_known_digest_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels)
    lock = tmp_path / "empty.lock"
    lock.write_text("# nothing\n")
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, SETUP / "add_packages.py", lock, "heterode-probe>=0.5"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "heterode-probe 1.0 is not among the packages whose digests are known" in done.stdout
