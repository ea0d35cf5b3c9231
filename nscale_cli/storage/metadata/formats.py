"""The three formats, by their first bytes, and what each can do with metadata."""

from collections.abc import Callable
from typing import Protocol

from nscale_cli.storage.metadata import jpeg, png, webp
from nscale_cli.storage.metadata.blocks import Blocks


class Format(Protocol):
    """What the module of a format offers."""

    def read(self, data: bytes, /) -> Blocks:
        """Return what the file says, as far as it makes sense."""

    def insert(self, data: bytes, packet: bytes, parameters: str | None, /) -> bytes:
        """Return the file with an XMP packet and, in a PNG, the text; raise CannotHold if not."""

    def without(self, data: bytes, is_ours: Callable[[str, bytes], bool], /) -> list[bytes]:
        """Return what the file may have been before ours was added, the likeliest first."""


def format_of(data: bytes) -> Format | None:
    """Return the format of a PNG, JPEG or WebP, or None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg
    return webp if data[:4] + data[8:12] == b"RIFFWEBP" else None


def read_blocks(data: bytes) -> Blocks:
    """Return what a file of any of the formats says; nothing where it is of none."""
    image_format = format_of(data)
    return image_format.read(data) if image_format else Blocks()
