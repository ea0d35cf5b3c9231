"""The places in a file that may say how its picture was made, and the bounds of reading them."""

import zlib
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from nscale_cli.values import frozen

XMP_KEYWORD = "XML:com.adobe.xmp"  # of the text of a PNG, and the name of the block elsewhere
MAX_PARTS = 100_000  # of one file: chunks, segments, padding; no loop over them takes longer
MAX_TEXT_BYTES = 4 * 1024 * 1024  # of one text, when unpacked; a workflow of ComfyUI takes 200 kB


class CannotHold(ValueError):
    """The file has no place for metadata of ours; the text says why."""


@frozen
class Blocks:
    """What was found in one file. `texts` are a PNG's, by their keywords.

    `credentials`: Content Credentials (C2PA) are present, which any change would break. `whole`
    is False where the parts of the file do not add up.
    """

    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    xmp: bytes | None = None
    exif: bytes | None = None
    credentials: bool = False
    whole: bool = True


def unpacked(data: bytes) -> bytes:
    """Return what zlib packed, at most MAX_TEXT_BYTES of it; nothing where it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        return b""


def require_free(blocks: Blocks) -> None:
    """Raise CannotHold where metadata of ours would break, or stand beside, what is there."""
    if blocks.credentials:
        raise CannotHold("it carries Content Credentials, which any change would break")
    if blocks.xmp is not None:
        raise CannotHold("it already carries XMP metadata, which are left as they are")
    if not blocks.whole:
        raise CannotHold("its parts do not add up")
