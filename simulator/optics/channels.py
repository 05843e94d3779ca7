"""Names of the channels of a picture: red, green and blue, or grey alone."""

from __future__ import annotations

from heterode.base.errors import ArgumentError

CHANNELS = ("red", "green", "blue")
"""Channels of a picture in colour."""

GREY = ("grey",)
"""The channel of a picture in grey: an electron microscope's, a monochrome camera's."""

ALL_CHANNELS = (*CHANNELS, *GREY)


def channels_of(count: int) -> tuple[str, ...]:
    """Return the names of a picture's 1 or 3 channels."""
    return GREY if count == 1 else CHANNELS


def chosen_channel(name: str, channels: tuple[str, ...], wanted: str | None) -> str:
    """Return the channel that becomes a picture's value.

    Args:
        name: name of the picture.
        channels: the picture's channels.
        wanted: one of ALL_CHANNELS; None takes green, or grey where that is all there is.

    Raises:
        InputError: the picture lacks that channel.
    """
    if wanted is None:
        return "grey" if channels == GREY else "green"
    if wanted not in channels:
        kind = "in grey" if channels == GREY else "in colour"
        raise ArgumentError(
            f"{name}: is {kind}, and {{channel}} is none of its channels (allowed:"
            f" {', '.join(channels)}). Leave it out",
            channel=wanted,
        )
    return wanted
