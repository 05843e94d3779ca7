"""Time and try the heterogeneity statistics: python3 scripts/benchmark_heterogeneity.py.

    benchmark_heterogeneity.py [PARTICLES ...]   prints seconds and memory
    benchmark_heterogeneity.py --tests [TABLES]  puts the share of tables that the test against
                                                 randomly exchanged values rejects (2,000 null
                                                 tables, 10 minutes) into docs/statistics.md
    benchmark_heterogeneity.py --equal [DRAWS]   puts how often two electrodes are told apart into
                                                 docs/statistics.md
    benchmark_heterogeneity.py --coverage [--page] [PARTICLES ...] [shapes]
                                                 prints how often the interval of L* holds the true
                                                 one, for numbers of particles or other shapes of
                                                 correlation; --page also puts it into
                                                 docs/statistics.md

The cases are jittered lattices with a smooth value and noise, 0.019 particles per um^2, pairs up to
100 um, 199 permutations, 24 cluster sizes and 5 seeds. Compilation is done before the clock starts.
Seconds are wall-clock, so any number that is kept needs a note of the machine, which must be idle;
`cpu` adds up the threads.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from heterode.heterogeneity import (
    MarkedPoints,
    Settings,
    analyse,
    cluster_curve,
    correlogram,
    density_map,
    fit_variogram,
)
from verification import equal_electrodes, random_exchange, scale_coverage
from verification.pages import markdown, put_on_page

PAGE = Path(__file__).parents[1] / "docs/statistics.md"

DENSITY = 0.019
PARTICLES = (1_000, 10_000, 100_000)
PHASES = ("correlogram", "variogram", "clusters", "density", "all", "all, cpu")


def random_field(particles: int) -> MarkedPoints:
    """Return a field with waves of 200 um and noise."""
    rng = np.random.default_rng(particles)
    side = int(np.sqrt(particles))
    spacing = 1 / np.sqrt(DENSITY)
    x, y = np.meshgrid(np.arange(side), np.arange(-(-particles // side)))
    lattice = np.column_stack([x.ravel(), y.ravel()])[:particles] + 0.5
    positions = spacing * (lattice + rng.uniform(-0.3, 0.3, (particles, 2)))
    waves = np.sin(positions / 30.0).sum(axis=1)
    return MarkedPoints(f"{particles}", positions, waves + rng.standard_normal(particles))


def row(particles: int) -> str:
    """Return one line of the table."""
    points, settings = random_field(particles), Settings()
    rng = np.random.default_rng(0)
    work = (
        lambda: correlogram([points], settings.edges_um([points]), rng=rng),
        lambda: fit_variogram([points]),
        lambda: cluster_curve([points], rng=rng),
        lambda: density_map(points),
        lambda: analyse([points], settings, rng),
    )
    seconds = []
    for phase in work:
        start, used = time.perf_counter(), time.process_time()
        phase()
        seconds.append(time.perf_counter() - start)
    seconds.append(time.process_time() - used)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return f"{particles:>9}" + "".join(f"{s:>13.2f}" for s in seconds) + f"{memory:>8.2f}"


def printed(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Print rows as they come, and return them."""
    found = []
    for line in rows:
        print(*line, sep=", ", flush=True)
        found.append(line)
    return found


def tests(arguments: list[str]) -> int:
    """Print the share of tables that the test against randomly exchanged values rejects."""
    found = printed(random_exchange.rows(int(arguments[0]) if arguments else 2000))
    put_on_page(PAGE, "tests", markdown(random_exchange.HEADING, found))
    return 0


def equal(arguments: list[str]) -> int:
    """Print how often two electrodes are told apart by L* and by correlograms."""
    found = printed(equal_electrodes.rows(int(arguments[0]) if arguments else 50))
    put_on_page(PAGE, "equal", markdown(equal_electrodes.HEADING, found))
    return 0


def coverage(arguments: list[str]) -> int:
    """Print how often the interval of L* holds the true one, a table for each argument."""
    named = [a for a in arguments if a != "--page"]
    for name in named or [*map(str, scale_coverage.DRAWS), "shapes"]:
        shapes = name == "shapes"
        found = printed(scale_coverage.shape_rows() if shapes else scale_coverage.rows(int(name)))
        if "--page" in arguments:
            put_on_page(PAGE, f"coverage {name}", markdown(scale_coverage.HEADING, found))
    return 0


def main(arguments: list[str]) -> int:
    """Print the table; GB is the peak of the process so far."""
    if arguments[:1] == ["--tests"]:
        return tests(arguments[1:])
    if arguments[:1] == ["--equal"]:
        return equal(arguments[1:])
    if arguments[:1] == ["--coverage"]:
        return coverage(arguments[1:])
    analyse([random_field(200)], Settings(), np.random.default_rng(0))
    print(f"{'particles':>9}" + "".join(f"{phase + ' s':>13}" for phase in PHASES) + f"{'GB':>8}")
    for particles in [int(a) for a in arguments] or PARTICLES:
        print(row(particles), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
