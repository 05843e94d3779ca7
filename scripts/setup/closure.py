"""Print what a venv of the userland holds and is to hold, a pinned requirement a line.

    python3 closure.py REPORT

REPORT is pip's, of a dry run: what it would add. The rest is what the venv around this Python has
of its own already, the system's packages left out.
"""

import json
import sys
from importlib.metadata import distributions


def name_of(text):
    """A name as package indexes compare it."""
    return text.lower().replace("_", "-").replace(".", "-")


def main(report):
    """Print the lines."""
    found = {
        name_of(package.metadata["Name"]): package.version
        for package in distributions(path=[p for p in sys.path if p.startswith(sys.prefix)])
    }
    with open(report, encoding="utf-8") as file:
        for item in json.load(file)["install"]:
            found[name_of(item["metadata"]["name"])] = item["metadata"]["version"]
    found.pop("pip", None)
    for name, version in sorted(found.items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main(*sys.argv[1:])
