"""Kills a writer of results at random moments, again and again, and reads what it left.

    python kill_writer.py FOLDER ROUNDS atomic|in_place

Prints one JSON object: rounds, damaged (what readers complained about), samples (found in all).
"in_place" is the negative control: the same writers, but files are overwritten where they stand.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

from heterode.base.errors import InputError
from heterode.results import (
    FieldGrid,
    FieldWriter,
    History,
    ParticleSeries,
    ResultsFolder,
    Sample,
    fields,
    history,
    manifest,
    particle_series,
    read_fields,
    read_history,
    read_manifest,
    read_particle_series,
)

N = 50
POINTS = np.random.default_rng(0).random((400, 2))
CELLS = np.arange(1200, dtype=np.int64).reshape(-1, 3) % 400


def main() -> None:
    place, rounds, mode = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if mode == "in_place":
        for module in (fields, history, manifest, particle_series):
            module.write_atomically = write_in_place
    chance = random.Random(5)
    damaged, samples = [], 0
    for _ in range(rounds):
        shutil.rmtree(place, ignore_errors=True)
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            write_forever(place, told)
        os.close(told)
        # By progress: after some samples, and then at any moment of the next.
        for _ in range(chance.randrange(6)):
            os.read(heard, 1)
        time.sleep(chance.uniform(0.0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        try:
            samples += check(place)
        except (InputError, AssertionError) as error:
            damaged.append(f"{type(error).__name__}: {error}"[:200])
    print(json.dumps({"rounds": rounds, "damaged": damaged, "samples": samples}))


def write_in_place(path: Path, content: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        for piece in np.array_split(np.frombuffer(content, dtype=np.uint8), 4):
            file.write(piece.tobytes())


def write_forever(place: Path, told: int) -> None:
    folder = ResultsFolder.create(place)
    record = folder.start_manifest(particles=N)
    grids = [FieldGrid("particles", POINTS, CELLS, {"particle": np.arange(len(CELLS))})]
    writer = FieldWriter(folder.fields, grids)
    series = ParticleSeries(folder.particle_series, N, wall_share=float("inf"))
    rows = History(folder.history)
    i = 0
    while True:
        value = np.full(N, float(i))
        sample = Sample(float(i), 3.0 + i / 7, 1.0, i / 3, 0.5, 0.1, 0, 0, i, value, value, value)
        writer.write(sample.time_s, {"particles": {"lithium_fraction": np.full(400, float(i))}})
        series.append(sample)
        rows.append(sample)
        record.update(steps=i + 1)
        os.write(told, b".")
        i += 1


def check(place: Path) -> int:
    """Assert that all is whole, and that a row in the history promises all the rest."""
    if not (place / "history.csv").exists():
        return 0  # killed before the run had begun
    content = read_manifest(place / "manifest.json")
    assert content["status"] == "running"
    rows = read_history(place)
    numbers = np.arange(len(rows))
    assert np.array_equal(rows["voltage_V"], 3.0 + numbers / 7)
    assert content["steps"] in (len(rows), len(rows) - 1)
    particles = read_particle_series(place)
    assert len(particles.time_s) in (len(rows), len(rows) + 1)
    expected = np.arange(len(particles.time_s), dtype=float)
    assert np.array_equal(particles.lithium_fraction, np.repeat(expected[:, None], N, axis=1))
    if len(rows) == 0:
        return 0
    series = read_fields(place, "particles")
    assert len(series.times_s) in (len(rows), len(rows) + 1)
    for i in range(len(series.times_s)):
        assert np.all(series.load(i)["lithium_fraction"] == i)
    return len(rows)


if __name__ == "__main__":
    main()
