"""HDF5 files as bytes, for `simulator.results.storage` to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py


def hdf5_bytes(build: Callable[[Any], None], size_hint: int = 0) -> bytes:
    """The bytes of an HDF5 file that `build(h5py.File)` fills in memory.

    Args:
        build: receives the open file.
        size_hint: expected size in bytes, which saves the buffer from growing by small steps.
    """
    block = max(1 << 16, size_hint + size_hint // 8)
    with h5py.File("memory", "w", driver="core", backing_store=False, block_size=block) as file:
        build(file)
        file.flush()
        return bytes(file.id.get_file_image())
