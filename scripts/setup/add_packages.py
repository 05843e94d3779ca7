"""Add packages to the venv of this Python, with known digests only.

    python3 add_packages.py LOCK REQUIREMENT...

Packages that the machine has are kept. Of those missing, pip chooses the versions in LOCK, and a
package is installed only if its digest is listed there. The script uses the standard library only,
as the venv may be bare.
"""

import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "install", "--only-binary", ":all:")


def name_of(text):
    """Return a name in the form in which package indexes compare it."""
    return re.sub("[-_.]+", "-", text).lower()


def locked(text):
    """Return the entries of a lock file, {(name, version): [lines of digests]}, and its pins."""
    entries, pins = {}, []
    for block in re.split(r"\n(?=\S)", text):
        # A pin has a name, a version and perhaps a marker; digests follow, on this line or on
        # others.
        head = re.match(r"([\w.-]+)==([^\s;\\]+)([^\\\n]*?)\s*(?:\\|--hash|$)", block)
        if head is None:
            continue
        digests = re.findall(r"--hash=sha256:[0-9a-f]{64}", block)
        entries[name_of(head[1]), head[2]] = digests
        pins.append((name_of(head[1]), f"{head[1]}=={head[2]}{head[3]}".strip()))
    return entries, pins


def is_here(name):
    """Whether the machine has the package."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def chosen(requirements, pins, folder):
    """Return what pip would install for the requirements: [(name, version)]."""
    wanted = {name_of(re.split("[<>=!~]", text)[0]) for text in requirements}
    constraints = folder / "constraints.txt"
    kept = [pin for name, pin in pins if name in wanted or not is_here(name)]
    constraints.write_text("\n".join(kept) + "\n", encoding="utf-8")
    report = folder / "report.json"
    words = ["--dry-run", "--quiet", "--report", str(report), "-c", str(constraints)]
    if subprocess.run([*PIP, *words, *requirements], check=False).returncode:
        sys.exit("pip does not find them")
    items = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [(name_of(i["metadata"]["name"]), i["metadata"]["version"]) for i in items]


def main(lock, *requirements):
    """Install the requirements; returns the exit code."""
    entries, pins = locked(Path(lock).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = []
        for name, at in chosen(requirements, pins, folder):
            digests = entries.get((name, at))
            if not digests:
                print(f"{name} {at} is not among the packages whose digests are known ({lock})")
                return 1
            lines.append(" ".join([f"{name}=={at}", *digests]))
        asked = folder / "asked.txt"
        asked.write_text("\n".join(lines) + "\n", encoding="utf-8")
        words = [*PIP, "--no-deps", "--require-hashes", "-r", str(asked)]
        return subprocess.run(words, check=False).returncode if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
