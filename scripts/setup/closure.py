"""Print what a venv of the userland holds and is to hold, one pinned requirement on each line.

    python3 closure.py REPORT

REPORT is pip's report of a dry run, which lists what pip would add. The other lines are what the
venv of this Python already has of its own, without the system's packages.
"""

import json
import sys
from importlib.metadata import distributions


def name_of(text):
    """Return a name in the form in which package indexes compare it."""
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
