"""Checkpoint files prove to be whole, and results are cut back to what a checkpoint counts on."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pytest

from helpers.breaking import no_room_beyond
from helpers.commands import environment
from helpers.paths import PRESET
from helpers.refusals import one_line
from helpers.synthetic import SyntheticRun, synthetic_run
from heterode.base.errors import InputError
from heterode.parameters import Parameters, load_parameters
from heterode.results import Manifest, OutputError, ResultsFolder, SampleFiles, read_manifest
from heterode.results.checkpoint import (
    Checkpoint,
    Checkpoints,
    CorruptError,
    encode,
    list_checkpoints,
    read_checkpoint,
)
from heterode.results.lock import FolderLock
from heterode.runs.resuming import Intent, newest, stage

HASHES = {"mesh": "mm", "penalty": "pp"}


@pytest.fixture(scope="module")
def run() -> SyntheticRun:
    return synthetic_run(samples=8)


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return load_parameters(PRESET)


def small(number: float = 1.0) -> Checkpoint:
    # Smooth values: a flipped bit in them is nothing HDF5 itself would notice.
    arrays = {"past_0": np.linspace(0, number, 900), "linearised": np.arange(50.0)}
    return Checkpoint({"number": number, "none": None, "list": [0.1, "x"]}, arrays)


# -- the file ---------------------------------------------------------------------------------


def test_reads_back_bit_for_bit(tmp_path: Path) -> None:
    number = 0.1 + 0.2
    path = tmp_path / "1.h5"
    path.write_bytes(encode(small(number)))
    back = read_checkpoint(path)
    assert back.header == small(number).header
    for name, array in small(number).arrays.items():
        assert back.arrays[name].tobytes() == array.tobytes()
    # Any HDF5 reader opens it as well.
    with h5py.File(path) as file:
        assert set(file["arrays"]) == {"past_0", "linearised"}


def refused(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    try:
        read_checkpoint(path)
    except CorruptError as error:
        return str(path) in str(error) and "\n" not in str(error)
    return False


def test_every_damage_is_detected(tmp_path: Path) -> None:
    whole, path = encode(small()), tmp_path / "1.h5"
    assert not refused(path, whole)
    chance = np.random.default_rng(3)
    places = [*range(600), *chance.integers(0, len(whole), 400).tolist()]
    for place in places:
        bit = 1 << int(chance.integers(8))
        torn = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
        assert refused(path, torn), place
    for length in [0, 1, 511, 512, 513, len(whole) - 1, *chance.integers(0, len(whole), 50)]:
        assert refused(path, whole[: int(length)])
    assert refused(path, whole + b"\0")
    for start in range(0, len(whole), 512):
        holed = whole[:start] + bytes(512) + whole[start + 512 :]
        assert refused(path, holed[: len(whole)]) or holed[: len(whole)] == whole


def test_hdf5_alone_does_not_notice() -> None:
    """The negative control: without the checksum, changed numbers would be read as if right."""
    body = bytearray(encode(small())[512:])
    place = bytes(body).rindex(np.float64(49.0).tobytes())
    body[place + 6] ^= 4
    with h5py.File(io.BytesIO(bytes(body))) as file:
        assert file["arrays/linearised"][-1] != 49.0


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="cannot be read"):
        read_checkpoint(tmp_path / "7.h5")


# -- the last two -----------------------------------------------------------------------------


def numbers(directory: Path) -> list[int]:
    return [int(path.stem) for path in list_checkpoints(directory)]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoint")
    for number in (3, 7, 7, 12, 1_000_000):
        checkpoints.write(number, small(number))
    assert numbers(tmp_path / "checkpoint") == [1_000_000, 12]
    assert read_checkpoint(tmp_path / "checkpoint" / "000012.h5").header["number"] == 12
    checkpoints.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_never_pushes_out_a_good_one(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path)
    for number in (10, 20):
        first.write(number, small(number))
    (tmp_path / "000020.h5").write_bytes(b"damaged")
    (tmp_path / ".heterode-0a1b2c3d.partial").write_bytes(b"stray")
    later = Checkpoints(tmp_path, tmp_path / "000010.h5")
    later.write(15, small(15))
    # The number alone would have kept 20 and 15.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000010.h5", "000015.h5"]


def test_full_disk_keeps_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(1, small(1))
    before = (tmp_path / "000001.h5").read_bytes()
    with no_room_beyond(2000), pytest.raises(OutputError, match="cannot be written") as error:
        checkpoints.write(2, small(2))
    assert "000002.h5" in one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == ["000001.h5"]
    assert (tmp_path / "000001.h5").read_bytes() == before


# -- cutting results back ---------------------------------------------------------------------


def record(recorder: SampleFiles, run: SyntheticRun, samples: range) -> None:
    for i in samples:
        sample, fields = run.samples[i]
        recorder.record(sample, fields if i % 3 == 0 else None, particles=i % 2 == 0)


def contents(folder: Path) -> dict[str, object]:
    """Every file by name: bytes, or the arrays of an HDF5 file."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".h5":
            with h5py.File(path) as file:
                arrays: dict[str, bytes] = {}
                file.visititems(
                    lambda name, item, arrays=arrays: (
                        arrays.update({name: item[()].tobytes()}) if hasattr(item, "shape") else 0
                    )
                )
            found[str(path.relative_to(folder))] = arrays
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


@pytest.mark.parametrize("at", [1, 4, 7])
def test_results_go_on_as_if_they_had_not_been_broken(
    at: int, tmp_path: Path, run: SyntheticRun
) -> None:
    count = len(run.samples)
    whole, broken = (ResultsFolder.create(tmp_path / name) for name in ("whole", "broken"))
    with SampleFiles(whole, len(run.discs), run.grids) as recorder:
        record(recorder, run, range(count))
    with SampleFiles(broken, len(run.discs), run.grids) as recorder:
        record(recorder, run, range(at))
        written = recorder.written
        # Killed some samples later, one of them complete only in part; then a torn row.
        record(recorder, run, range(at, min(at + 4, count)))
        recorder.complete(*run.samples[min(at + 4, count) - 1])
    with broken.history.open("ab") as file:
        file.write(b"1234.5,3.9")
    for _ in range(2):  # also when cutting back is itself interrupted and repeated
        recorder = SampleFiles(broken, len(run.discs), run.grids, keep=written)
    assert recorder.written == written
    record(recorder, run, range(at, count))
    recorder.close()
    assert contents(broken.path) == contents(whole.path)


def test_the_rest_of_the_last_sample_is_written_once(tmp_path: Path, run: SyntheticRun) -> None:
    folder = ResultsFolder.create(tmp_path / "out")
    with SampleFiles(folder, len(run.discs), run.grids) as recorder:
        record(recorder, run, range(6))
        written = recorder.written
        for _ in range(2):
            recorder.complete(*run.samples[5])
        assert recorder.written == written
    assert (written.rows, written.particles, written.fields) == (6, 3, 2)
    names = [path.name for path in (folder.fields / "data").glob("0*.h5")]
    assert sorted(names) == ["000000.h5", "000001.h5", "000002.h5"]


# -- which to go on from ----------------------------------------------------------------------


@pytest.fixture
def under_way(tmp_path: Path, run: SyntheticRun, parameters: Parameters) -> ResultsFolder:
    """A run that was killed after its checkpoints at samples 3 and 6."""
    folder = ResultsFolder.create(tmp_path / "out")
    folder.start_manifest(parameters=parameters.to_si_dict())
    run.discs.write_csv(folder.particles)
    checkpoints = Checkpoints(folder.checkpoint)
    with SampleFiles(folder, len(run.discs), run.grids) as recorder:
        for part in (range(3), range(3, 6)):
            record(recorder, run, part)
            recorder.make_durable()
            header = {
                "version": "0.0.1",
                "parameters": parameters.to_si_dict(),
                "hashes": HASHES,
                "written": asdict(recorder.written),
            }
            checkpoints.write(part.stop, Checkpoint(header, {"past_0": np.zeros(3)}))
        record(recorder, run, range(6, 8))
    return folder


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def test_the_newest_whole_one_is_taken(under_way: ResultsFolder, parameters: Parameters) -> None:
    found = newest(under_way, parameters, HASHES)
    assert found.path.name == "000006.h5"
    assert found.written.rows == 6
    (remark,) = found.remarks
    assert "000006.h5 was written by heterode 0.0.1" in remark
    damage(found.path)
    found = newest(under_way, parameters, HASHES)
    assert found.path.name == "000003.h5"
    assert "000006.h5: is damaged" in found.remarks[0]
    assert found.remarks[0].endswith("going on from " + str(found.path))


def test_one_that_the_results_fall_short_of_is_passed_over(
    under_way: ResultsFolder, parameters: Parameters
) -> None:
    lines = under_way.history.read_bytes().splitlines(keepends=True)
    under_way.history.write_bytes(b"".join(lines[:6]))
    found = newest(under_way, parameters, HASHES)
    assert found.path.name == "000003.h5"
    assert "history.csv: has 5 rows, but 6 were written" in found.remarks[0]


@pytest.mark.parametrize("lost", ["particles.h5", "fields/carbon.xdmf", "fields/data/000000.h5"])
def test_none_usable_changes_nothing(
    lost: str, under_way: ResultsFolder, parameters: Parameters
) -> None:
    (under_way.path / lost).unlink()
    before = contents(under_way.path)
    with pytest.raises(InputError, match="hold less than its checkpoints count on") as error:
        Intent(under_way.path, parameters, resume=True).claim(HASHES)
    message = one_line(error)
    assert message.count(Path(lost).name) >= 2
    # Files that cannot be read now may be worth all the more: no advice deletes them.
    assert "another --out" in message
    assert "--overwrite" not in message
    assert "Restore" in message
    assert contents(under_way.path) == before


def test_other_parameters_are_refused_by_name(under_way: ResultsFolder) -> None:
    cases = {
        "solver.degree=2": ("solver.degree = 2", "has 1"),
        'temperature="300 K"': ("temperature = 300.0", "has 298.15"),
        'protocol.steps=["rest for 1 h"]': ("protocol.steps", "rest for 1 h"),
        "seeds.packing=3": ("seeds.packing = 3", "has 1"),
    }
    for override, parts in cases.items():
        with pytest.raises(InputError) as error:
            stage(under_way.path, load_parameters(PRESET, [override]))
        message = one_line(error)
        for part in (str(PRESET), str(under_way.path), "another --out", *parts):
            assert part in message
        assert "--overwrite" not in message
    for harmless in ("output.fields_every=9", 'output.checkpoint_every="0 s"', 'title="x"'):
        assert stage(under_way.path, load_parameters(PRESET, [harmless])) == "under way"


@pytest.mark.parametrize("name", HASHES)
def test_another_mesh_or_other_penalties_are_refused(
    name: str, under_way: ResultsFolder, parameters: Parameters
) -> None:
    with pytest.raises(InputError, match=f"its {name} has the hash") as error:
        newest(under_way, parameters, HASHES | {name: "other"})
    assert HASHES[name] in one_line(error)


def test_stages(tmp_path: Path, under_way: ResultsFolder, parameters: Parameters) -> None:
    assert stage(tmp_path / "none", parameters) == "unborn"
    (tmp_path / "early").mkdir()
    for name in ("lock", ".heterode-0a1b2c3d.partial"):
        (tmp_path / "early" / name).touch()
        assert stage(tmp_path / "early", parameters) == "unborn"
    ResultsFolder.create(tmp_path / "early")
    (tmp_path / "early" / "thesis.tex").touch()
    with pytest.raises(InputError, match="not a results folder"):
        stage(tmp_path / "early", parameters)
    assert stage(under_way.path, parameters) == "under way"
    Manifest(under_way.manifest, read_manifest(under_way.manifest)).finish("completed", "done")
    assert stage(under_way.path, parameters) == "under way"  # its figures may be missing
    shutil.rmtree(under_way.checkpoint)
    assert stage(under_way.path, parameters) == "completed"
    Manifest(under_way.manifest, read_manifest(under_way.manifest)).finish("stopped", "early")
    assert stage(under_way.path, parameters) == "begun"


@pytest.mark.parametrize("status", ["stopped", "running"])
def test_results_whose_checkpoints_are_gone_are_not_replaced(
    status: Literal["stopped", "running"], under_way: ResultsFolder, parameters: Parameters
) -> None:
    """A run that was killed before its first checkpoint starts again; no other does."""
    Manifest(under_way.manifest, read_manifest(under_way.manifest)).finish(status, "")
    shutil.rmtree(under_way.checkpoint)
    before = contents(under_way.path)
    intent = Intent(under_way.path, parameters, resume=True)
    if status == "running":
        intent.check()
        claim = intent.claim(HASHES)
        claim.release()
        assert claim.replaces
        assert contents(under_way.path) == before, "nothing goes before there is something new"
        return
    for act in (intent.check, lambda: intent.claim(HASHES)):
        with pytest.raises(InputError, match="checkpoints of the run are gone") as error:
            act()
        assert "--overwrite" not in one_line(error)
        assert contents(under_way.path) == before


# -- one run at a time ------------------------------------------------------------------------

HOLD = """
import sys, time
from heterode.results import ResultsFolder
from heterode.results.lock import FolderLock
lock = FolderLock(ResultsFolder(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_folder_is_held_until_its_holder_dies(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    holder = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match="still writing there") as error:
        FolderLock(ResultsFolder(tmp_path))
    assert f"process {holder.pid} on " in one_line(error)
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    FolderLock(ResultsFolder(tmp_path)).release()
    assert list(tmp_path.iterdir()) == []
