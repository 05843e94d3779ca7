"""CSV tables in the form that heterode.optics writes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def write_csv(columns: dict[str, Sequence[object] | npt.NDArray[np.generic]]) -> bytes:
    """Return equally long columns as the bytes of a CSV file; floats are short and exact."""
    lists = [c.tolist() if isinstance(c, np.ndarray) else list(c) for c in columns.values()]
    lines = [",".join(columns)]
    for row in zip(*lists, strict=True):
        lines.append(",".join("" if _absent(entry) else _quoted(entry) for entry in row))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _absent(entry: object) -> bool:
    return entry is None or (isinstance(entry, float) and not np.isfinite(entry))


def _quoted(entry: object) -> str:
    text = repr(entry) if isinstance(entry, float) else str(entry)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text
