"""MP4 and GIF files from frames, by the ffmpeg that imageio-ffmpeg supplies."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from heterode.base.temporary import new_beside
from heterode.results.storage import OutputError
from heterode.results.written import put_output, unwritable

Picture = NDArray[np.uint8]

_GIF_WIDTH = 960
_GIF_FPS = 12.5
"""Frame rate of a GIF; its unit of time is a hundredth of a second, and a frame lasts 8 of them."""


def write_mp4(path: Path, frames: Iterable[Picture], size: tuple[int, int], fps: float) -> int:
    """Write frames as H.264 in the colours that every player accepts (yuv420p).

    Args:
        path: a path ending in .mp4; the file appears when it is complete.
        frames: (height, width, 3) each.
        size: width and height, both even.
        fps: frames per second.

    Returns:
        the number of frames.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        # ffmpeg chooses the format by the ending.
        with new_beside(path, path.suffix) as partial:
            count = _encode(partial, frames, size, fps)
            put_output(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error
    return count


def _encode(path: Path, frames: Iterable[Picture], size: tuple[int, int], fps: float) -> int:
    count = 0
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=fps,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        quality=None,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-crf", "18", "-preset", "fast", "-movflags", "+faststart"],
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
            count += 1
    finally:
        writer.close()
    return count


def write_gif(path: Path, movie: Path, *, width: int = _GIF_WIDTH) -> None:
    """Write a movie as GIF, with a palette chosen for it.

    Args:
        path: a path ending in .gif; the file appears when it is complete.
        movie: the MP4 file.
        width: width of the GIF, pixels; a narrower movie keeps its own.

    Raises:
        OutputError: the file cannot be written.
    """
    filters = (
        f"fps={_GIF_FPS},scale='min({width},iw)':-2:flags=lanczos,split[a][b];"
        "[a]palettegen=max_colors=200[p];[b][p]paletteuse=dither=bayer:bayer_scale=4"
    )
    words = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(movie)]
    words += ["-filter_complex", filters, "-loop", "0"]
    try:
        with new_beside(path, path.suffix) as partial:
            words.append(str(partial))
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["ffmpeg failed"])[-1]
                raise OutputError(f"{path}: cannot be written ({reason})")
            put_output(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error
