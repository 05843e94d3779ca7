"""Report to set-up what the invoking Python has; standard library only, for any Python 3.

Prints lines `key value`:

    python PATH         this interpreter
    watch PATH          a folder; a change in it can change the answer
    dolfinx VERSION     the version of DOLFINx, if one is installed
    problem TEXT        why that DOLFINx cannot be used
    missing REQUIREMENT a Python package to be added, in pip's notation
"""

import os
import sys

# DOLFINx 0.9 introduced the mixed-domain assembly that the particle surfaces need; 0.11 is the
# newest version tried.
DOLFINX_MINIMUM, DOLFINX_BELOW = (0, 9), (0, 12)


def numbers(version):
    """Return the leading integers of a version: "0.9.0.post1" -> (0, 9, 0)."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def missing(requirements):
    """Yield the requirements ("name>=1.2", lower bounds only) that this Python does not fulfil."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    for requirement in requirements:
        name, _, minimum = requirement.partition(">=")
        try:
            installed = version(name)
        except PackageNotFoundError:
            # Debian's gmsh, for example, is a module without package metadata.
            if find_spec(name) is None:
                yield requirement
            continue
        if numbers(installed) < numbers(minimum):
            yield requirement


def main():
    """Print the answer for the project folder given as the first argument."""
    print("python", sys.executable)
    for folder in dict.fromkeys([os.path.dirname(sys.executable), *sys.path[1:]]):
        if os.path.isdir(folder):
            print("watch", folder)

    from importlib.util import find_spec

    if find_spec("dolfinx") is None:
        return
    # DOLFINx is installed, so that it can be imported and checked from here on.
    try:
        import dolfinx
    except Exception as error:
        print("dolfinx unknown")
        print("problem", "importing it fails:", " ".join(str(error).split())[:200])
        return
    print("dolfinx", dolfinx.__version__)
    version = numbers(dolfinx.__version__)
    if sys.version_info < (3, 11):  # noqa: UP036  (set-up meets any Python)
        print("problem its Python is older than 3.11")
    elif not DOLFINX_MINIMUM <= version[:2] < DOLFINX_BELOW:
        print("problem heterode needs 0.9 to 0.11")
    else:
        import tomllib

        with open(os.path.join(sys.argv[1], "pyproject.toml"), "rb") as file:
            required = tomllib.load(file)["project"]["dependencies"]
        for requirement in missing([*required, "pytest"]):
            print("missing", requirement)


main()
