"""fields/: the fields over the mesh, for ParaView and for the figures.

    fields/particles.xdmf      lithium_fraction (points); particle, penalty (cells)
    fields/electrolyte.xdmf    concentration (mol m^-3), potential (V)
    fields/carbon.xdmf         potential (V)
    fields/data/mesh.h5        the three grids, once
    fields/data/000000.h5 ...  the fields of one sample, all three domains

Each XDMF file is plain XML (without xi:include, which crashes ParaView's legacy reader) with one
temporal collection and one grid for each time, which carries all fields of the domain; it thus
opens as one block in every XDMF reader. Points are XYZ with z = 0 in 2D. Each sample has an HDF5
file of its own, so that a file is never changed while an XDMF file names it and ParaView can read
while the run goes on.
"""

from __future__ import annotations

import hashlib
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from heterode.base.digests import PrefixDigest, text_digest
from heterode.base.errors import InputError
from heterode.base.words import counted
from heterode.physics.balances import CELL
from heterode.results.hdf5 import UnreadableError, hdf5_bytes, read_hdf5
from heterode.results.run_files import matching
from heterode.results.sample import FieldGrid, FieldValues, Floats
from heterode.results.storage import (
    OutputError,
    TruncatedError,
    explain,
    make_durable,
    write_atomically,
)

_MESH = "data/mesh.h5"
_TOPOLOGY = {3: "Triangle", 4: "Tetrahedron"}
_HEAD = '<?xml version="1.0"?>\n<Xdmf Version="3.0">\n<Domain>\n'
_TAIL = "</Grid>\n</Domain>\n</Xdmf>\n"
_DATA = re.compile(r">data/(\d+)\.h5:")
_TIME = re.compile(r'<Time Value="([^"]*)"')
UNITS = {
    **CELL.units,
    "penalty": "1",
    "particle": "1",
    "points": "um",
}


@dataclass(frozen=True, eq=False)
class FieldSeries:
    """The fields of a domain, as read back.

    Attributes:
        grid: the mesh.
        times_s: (T,) the times for which fields exist, s.
        load: function from the index of a sample to {field name: (P,) values at the grid's points}.
    """

    grid: FieldGrid
    times_s: Floats
    load: Callable[[int], dict[str, Floats]]

    def __iter__(self) -> Iterator[Any]:
        """Support `grid, times_s, load = ...`; a named tuple would add `count` and `index`."""
        return iter((self.grid, self.times_s, self.load))


class FieldWriter:
    """Writes the grids once, and the fields of each sample.

    Args:
        directory: fields/, which is created.
        grids: the grids of the domains.
        keep: the number of samples to keep of an earlier run's files; None starts new ones.
        note: called with the name and the digest of each HDF5 file that is written.

    Attributes:
        samples: the number of samples so far.

    Raises:
        OutputError: the folder cannot be written.
        TruncatedError: an earlier run's files list fewer samples than `keep`.
    """

    def __init__(
        self,
        directory: Path,
        grids: Sequence[FieldGrid],
        *,
        keep: int | None = None,
        note: Callable[[str, str], None] = lambda name, digest: None,
    ) -> None:
        self.directory, self._note = directory, note
        self._grids = {grid.name: grid for grid in grids}
        self._samples: dict[str, list[str]] = {name: [] for name in self._grids}
        # Digests of the text before the last sample, which the next sample may replace.
        self._hashes = {name: hashlib.sha256(_opening(name)) for name in self._grids}
        self._static = {name: _static_xml(grid) for name, grid in self._grids.items()}
        self.samples = self._next = 0
        self._last_time = -math.inf
        self._unsynced: set[Path] = set()
        if keep is not None:
            self._go_on(keep)
            return
        try:
            (directory / "data").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(explain(directory, error)) from error
        self._write_data(_MESH, hdf5_bytes(self._build_mesh, _size(self._grids)))

    @property
    def digests(self) -> dict[str, PrefixDigest]:
        """The digest of the samples so far for each XDMF file, without the end of the file."""
        return {
            f"{domain}.xdmf": PrefixDigest(len(self._samples[domain]), self._hash(domain))
            for domain in self._grids
        }

    @property
    def files(self) -> list[Path]:
        """The HDF5 files that the XDMF files name."""
        samples = next(iter(self._samples.values()), [])
        numbers = [number for text in samples for number in _DATA.findall(text)]
        names = dict.fromkeys([_MESH, *(f"data/{number}.h5" for number in numbers)])
        return [self.directory / name for name in names]

    @property
    def file_digests(self) -> dict[str, str]:
        """Return the present digests, by name, of the XDMF files that have samples."""
        listed = (domain for domain in self._grids if self._samples[domain])
        return {f"{domain}.xdmf": self._hash(domain, _TAIL) for domain in listed}

    def write(self, time_s: float, values: FieldValues) -> None:
        """Write one sample, which is complete on disk for every reader when this returns.

        Args:
            time_s: the time, s, not before that of the last sample. A second sample at the same
                time replaces the first, because ParaView silently shows an empty block if a time
                occurs twice.
            values: (P,) values at the grid's points by domain and field.

        Raises:
            OutputError: the disk is full or the folder gone; the earlier samples are intact.
            ValueError: the time runs backwards, or the values do not fit the grids.
        """
        self._check(time_s, values)
        name = f"data/{self._next:06d}.h5"
        size = sum(array.nbytes for fields in values.values() for array in fields.values())
        content = hdf5_bytes(lambda file: _build_sample(file, values, self._grids), size)
        self._write_data(name, content)
        again = time_s == self._last_time
        self._last_time = time_s
        self._next += 1
        self.samples += not again
        # The XDMF files are written last, so that they name only files that are safely on disk.
        for domain, fields in values.items():
            samples = self._samples[domain]
            if again:
                samples.pop()
            elif samples:
                self._hashes[domain].update(samples[-1].encode())
            samples.append(self._sample_xml(domain, time_s, name, fields))
            self._list(domain)
        self._unsynced.add(self.directory / name)

    def make_durable(self) -> None:
        """Wait until every sample would survive a power cut.

        Raises:
            OutputError: files are missing, or the disk fails.
        """
        make_durable(self._unsynced | {self.directory / f"{name}.xdmf" for name in self._grids})
        self._unsynced = set()

    def _write_data(self, name: str, content: bytes) -> None:
        write_atomically(self.directory / name, content)
        self._note(name, text_digest(content))

    def _hash(self, domain: str, end: str = "") -> str:
        hashed = self._hashes[domain].copy()
        hashed.update(("".join(self._samples[domain][-1:]) + end).encode())
        return hashed.hexdigest()

    def _list(self, domain: str) -> None:
        """Write a domain's XDMF file for the samples so far."""
        text = _HEAD + _collection(domain) + "".join(self._samples[domain]) + _TAIL
        write_atomically(self.directory / f"{domain}.xdmf", text.encode())

    def _go_on(self, count: int) -> None:
        """Adopt the first `count` samples of an earlier run's files, and delete the later ones."""
        for domain in self._samples:
            samples = first_samples(self.directory, domain, count)
            self._samples[domain] = samples
            self._hashes[domain].update("".join(samples[:-1]).encode())
        last = next(iter(self._samples.values()))[-1]
        self.samples, self._next = count, int(_DATA.findall(last)[-1]) + 1
        self._last_time = float(_TIME.findall(last)[-1])
        for domain in self._samples:
            self._list(domain)
        for file in matching(self.directory / "data", "fields/data"):
            if file.stem != "mesh" and int(file.stem) >= self._next:
                file.unlink()

    def _sample_xml(self, domain: str, time_s: float, name: str, fields: Mapping[str, Any]) -> str:
        attributes = "".join(
            _attribute(field, "Node", f"{name}:/{domain}/{field}", array)
            for field, array in fields.items()
        )
        return (
            f'{_sample(domain)}<Time Value="{float(time_s)!r}"/>\n'
            f"{self._static[domain]}{attributes}</Grid>\n"
        )

    def _check(self, time_s: float, values: FieldValues) -> None:
        if not time_s >= self._last_time:
            raise ValueError(f"a sample at {time_s} s after one at {self._last_time} s")
        if values.keys() != self._grids.keys():
            raise ValueError(f"fields for {sorted(values)}, but grids for {sorted(self._grids)}")
        for domain, fields in values.items():
            points = len(self._grids[domain].points_um)
            for name, array in fields.items():
                if array.shape != (points,):
                    raise ValueError(f"{domain}/{name}: shape {array.shape}, but {points} points")

    def _build_mesh(self, file: Any) -> None:
        for grid in self._grids.values():
            group = file.create_group(grid.name)
            points = np.zeros((len(grid.points_um), 3))
            points[:, : grid.dimension] = grid.points_um
            group["points"] = points
            group["points"].attrs["unit"] = UNITS["points"]
            group["cells"] = grid.cells.astype(np.int32)
            for name, array in grid.cell_data.items():
                group[name] = _storable(array)
                group[name].attrs["unit"] = UNITS.get(name, "")


def first_samples(directory: Path, domain: str, count: int) -> list[str]:
    """Return the first samples of an earlier run's XDMF file, each as a text.

    Args:
        directory: fields/.
        domain: "particles", "electrolyte" or "carbon".
        count: the number of samples, at least 1.

    Raises:
        TruncatedError: the file lists fewer, or files that it names are missing.
    """
    _, samples = _listed(directory, domain, count)
    files = [_MESH, *(f"data/{number}.h5" for text in samples for number in _DATA.findall(text))]
    for name in dict.fromkeys(files):
        if not (directory / name).is_file():
            raise TruncatedError(f"{directory / name}: is missing")
    return samples


def listed_digest(directory: Path, domain: str, count: int) -> PrefixDigest:
    """Return the digest that `FieldWriter.digests` had after `count` samples, for the present file.

    Raises:
        TruncatedError: the file lists fewer samples.
    """
    opening, samples = _listed(directory, domain, count)
    return PrefixDigest(count, text_digest((opening + "".join(samples)).encode()))


def _listed(directory: Path, domain: str, count: int) -> tuple[str, list[str]]:
    """Return the text before the first sample of an XDMF file, and its first samples."""
    path = directory / f"{domain}.xdmf"
    if count == 0 and not path.exists():
        return _opening(domain).decode(), []
    try:
        # Damaged characters are left for the digests to detect.
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise TruncatedError(f"{path}: cannot be read ({error.strerror})") from error
    opening, *found = text.removesuffix(_TAIL).split(_sample(domain))
    if len(found) < count:
        raise TruncatedError(
            f"{path}: lists {counted(len(found), 'sample')}, but {count} were written"
        )
    return opening, [_sample(domain) + rest for rest in found[:count]]


def _opening(domain: str) -> bytes:
    """Return the text before the first sample."""
    return (_HEAD + _collection(domain)).encode()


def _sample(domain: str) -> str:
    """Return the text with which each sample begins."""
    return f'<Grid Name="{domain}" GridType="Uniform">\n'


def _build_sample(file: Any, values: FieldValues, grids: Mapping[str, FieldGrid]) -> None:
    for domain, fields in values.items():
        units = {**UNITS, **grids[domain].units}
        for name, array in fields.items():
            file[f"{domain}/{name}"] = np.asarray(array, dtype=np.float64)
            file[f"{domain}/{name}"].attrs["unit"] = units.get(name, "")


def _collection(domain: str) -> str:
    return f'<Grid Name="{domain}" GridType="Collection" CollectionType="Temporal">\n'


def _size(grids: dict[str, FieldGrid]) -> int:
    return sum(24 * len(g.points_um) + 4 * g.cells.size + 12 * len(g.cells) for g in grids.values())


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Convert integers to int32 and other numbers to float64, which every XDMF reader accepts."""
    kind = np.int32 if np.issubdtype(array.dtype, np.integer) else np.float64
    return np.asarray(array).astype(kind)


def _static_xml(grid: FieldGrid) -> str:
    cells = grid.cells.astype(np.int32)
    points = np.empty((len(grid.points_um), 3))
    return (
        f'<Topology TopologyType="{_TOPOLOGY[cells.shape[1]]}" NumberOfElements="{len(cells)}">\n'
        + _data_item(f"{_MESH}:/{grid.name}/cells", cells)
        + '</Topology>\n<Geometry GeometryType="XYZ">\n'
        + _data_item(f"{_MESH}:/{grid.name}/points", points)
        + "</Geometry>\n"
        + "".join(
            _attribute(name, "Cell", f"{_MESH}:/{grid.name}/{name}", _storable(array))
            for name, array in grid.cell_data.items()
        )
    )


def _attribute(name: str, centre: str, where: str, array: NDArray[Any]) -> str:
    return (
        f'<Attribute Name={quoteattr(name)} AttributeType="Scalar" Center="{centre}">\n'
        + _data_item(where, array)
        + "</Attribute>\n"
    )


def _data_item(where: str, array: NDArray[Any]) -> str:
    number = "Int" if np.issubdtype(array.dtype, np.integer) else "Float"
    shape = " ".join(str(extent) for extent in array.shape)
    return (
        f'<DataItem Dimensions="{shape}" NumberType="{number}" '
        f'Precision="{array.dtype.itemsize}" Format="HDF">{where}</DataItem>\n'
    )


def read_fields(folder: Path | str, domain: str) -> FieldSeries:
    """Return the fields of one domain, as its XDMF file lists them.

    Args:
        folder: the results folder, possibly of a run that is going on or was killed.
        domain: "particles", "electrolyte" or "carbon".

    Returns:
        the grid, the times and a function that loads a sample.

    Raises:
        InputError: the folder has no fields of that domain, or files are missing or damaged.
    """
    path = Path(folder) / "fields" / f"{domain}.xdmf"
    try:
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        samples = root.findall("./Domain/Grid/Grid")
        times = np.array([float(_need(sample, "Time").attrib["Value"]) for sample in samples])
        grid = _read_grid(path, domain, samples[0])
    except (
        OSError,
        ET.ParseError,
        KeyError,
        IndexError,
        ValueError,
        UnreadableError,
    ) as error:
        raise InputError(f"{path}: not readable as fields ({error})") from error

    def load(index: int) -> dict[str, Floats]:
        try:
            return dict(_read_attributes(path, samples[index], "Node"))
        except (UnreadableError, KeyError) as error:
            raise InputError(f"{path}: sample {index} is not readable ({error})") from error

    return FieldSeries(grid, times, load)


def _read_grid(path: Path, domain: str, sample: ET.Element) -> FieldGrid:
    cells = _read_item(path, _need(sample, "Topology/DataItem"))
    points = _read_item(path, _need(sample, "Geometry/DataItem"))
    dimension = cells.shape[1] - 1
    cell_data = dict(_read_attributes(path, sample, "Cell"))
    return FieldGrid(domain, points[:, :dimension], cells, cell_data)


def _read_attributes(
    path: Path, sample: ET.Element, centre: str
) -> Iterable[tuple[str, NDArray[Any]]]:
    for attribute in sample.findall("Attribute"):
        if attribute.attrib["Center"] == centre:
            item = _need(attribute, "DataItem")
            yield attribute.attrib["Name"], _read_item(path, item)


def _read_item(path: Path, item: ET.Element) -> NDArray[Any]:
    name, _, dataset = (item.text or "").strip().partition(":")
    try:
        return np.asarray(read_hdf5(path.parent / name, lambda file: file[dataset][()]))
    except UnreadableError as error:
        raise UnreadableError(f"{name}: {error}") from error


def _need(element: ET.Element, name: str) -> ET.Element:
    found = element.find(name)
    if found is None:
        raise KeyError(name)
    return found
