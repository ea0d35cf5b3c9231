"""The chunks of a WebP (RFC 9649, section 2)."""

import struct
from collections.abc import Callable, Iterator

from nscale_cli.storage.metadata.blocks import (
    MAX_PARTS,
    MAX_TEXT_BYTES,
    XMP_KEYWORD,
    Blocks,
    CannotHold,
    require_free,
)

_FIRST = 12  # where the first chunk starts, behind RIFF, size and WEBP
_EXTENDED_BYTES = 18  # a whole VP8X chunk
_FLAGS = 20  # where the flags of a VP8X are, which is always the first chunk
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10
_PICTURES = (b"VP8 ", b"VP8L")
Chunk = tuple[bytes, int, int]  # its kind, and where it starts and, with its padding, ends


def _riff_end(data: bytes) -> int:
    return 8 + int.from_bytes(data[4:8], "little")


def _chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks, which end short of the file's where they do not add up."""
    position, riff_end = _FIRST, min(_riff_end(data), len(data))
    for _ in range(MAX_PARTS):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + length + length % 2
        if position + 8 > riff_end or end > riff_end:
            return
        yield data[position : position + 4], position, end
        position = end


def read(data: bytes) -> Blocks:
    """Return what the chunks say, as far as they make sense."""
    found: dict[bytes, bytes] = {}
    chunks = list(_chunks(data))
    for kind, start, _ in chunks:
        if kind in (b"XMP ", b"EXIF", b"C2PA"):
            length = int.from_bytes(data[start + 4 : start + 8], "little")
            found.setdefault(kind, data[start + 8 : start + 8 + min(length, MAX_TEXT_BYTES)])
    return Blocks(
        xmp=found.get(b"XMP "),
        exif=found[b"EXIF"].removeprefix(b"Exif\0\0") if b"EXIF" in found else None,
        credentials=b"C2PA" in found,
        whole=bool(chunks) and chunks[-1][2] == _riff_end(data),
    )


def insert(data: bytes, packet: bytes, _parameters: str | None) -> bytes:
    """Return the file with an XMP packet; raise CannotHold if it cannot have one.

    A simple file becomes an extended one, which says the same.
    """
    require_free(read(data))
    first = data[_FIRST : _FIRST + 4]
    if first in _PICTURES:
        data = _assembled(data, _extended_header(data) + data[_FIRST : _riff_end(data)])
    elif first != b"VP8X" or data[_FLAGS] & _XMP_FLAG:
        raise CannotHold("it is no WebP as they are written today")
    chunk = struct.pack("<4sI", b"XMP ", len(packet)) + packet + bytes(len(packet) % 2)
    marked = bytearray(data[_FIRST : _riff_end(data)])
    marked[_FLAGS - _FIRST] |= _XMP_FLAG
    return _assembled(data, bytes(marked) + chunk)


def _assembled(data: bytes, chunks: bytes) -> bytes:
    """Return the file with `chunks` for its own; what stands behind its end stays there."""
    head = struct.pack("<4sI4s", b"RIFF", len(chunks) + 4, b"WEBP")
    return head + chunks + data[_riff_end(data) :]


def _extended_header(data: bytes) -> bytes:
    """Return the VP8X chunk that says what the picture says of itself."""
    picture, flags = data[_FIRST + 8 : _FIRST + 18], 0
    if data[_FIRST : _FIRST + 4] == b"VP8L":
        bits = int.from_bytes(picture[1:5], "little")
        width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF
        flags = _ALPHA_FLAG if bits >> 28 & 1 else 0
    else:
        sides = struct.unpack("<HH", picture[6:10])
        width, height = ((side & 0x3FFF) - 1 for side in sides)
    if min(width, height) < 0:
        raise CannotHold("its picture has no size")
    sizes = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    return struct.pack("<4sIB3x", b"VP8X", 10, flags) + sizes


def without(data: bytes, is_ours: Callable[[str, bytes], bool]) -> list[bytes]:
    """Return the file without the XMP packet that is ours.

    A second candidate is the simple file that it may once have been.
    """
    for kind, start, end in _chunks(data):
        length = int.from_bytes(data[start + 4 : start + 8], "little")
        if kind == b"XMP " and is_ours(XMP_KEYWORD, data[start + 8 : start + 8 + length]):
            chunks = bytearray(data[_FIRST:start] + data[end : _riff_end(data)])
            chunks[_FLAGS - _FIRST] &= ~_XMP_FLAG
            return [_assembled(data, bytes(each)) for each in (chunks, chunks[_EXTENDED_BYTES:])]
    return [data]
