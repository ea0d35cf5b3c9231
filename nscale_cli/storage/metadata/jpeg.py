"""The segments of a JPEG before its picture (ITU T.81 annex B; XMP part 3, section 1.1.3)."""

import struct
from collections.abc import Callable, Iterator

from nscale_cli.storage.metadata.blocks import (
    MAX_PARTS,
    XMP_KEYWORD,
    Blocks,
    CannotHold,
    require_free,
)

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF = b"Exif\0\0"
_APP0, _APP1, _APP11, _SCAN, _END = 0xE0, 0xE1, 0xEB, 0xDA, 0xD9
_MAX_SEGMENT = 65_535  # with the two bytes of its length
Segment = tuple[int, int, int]  # its marker, where it starts and ends


def _segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to the picture; the last is another one where they do not add up."""
    position = 2
    for _ in range(MAX_PARTS):
        head = data[position : position + 4]
        if len(head) < 2 or head[0] != 0xFF:
            return
        marker, length = head[1], int.from_bytes(head[2:])
        if marker == 0xFF:  # padding before a marker
            position += 1
            continue
        end = position + 2 + length
        if marker != _END and (len(head) < 4 or length < 2 or end > len(data)):
            return
        yield marker, position, end
        if marker in (_SCAN, _END):
            return
        position = end


def read(data: bytes) -> Blocks:
    """Return what the segments say, as far as they make sense."""
    xmp = exif = None
    credentials, last = False, 0
    for marker, start, end in _segments(data):
        body = data[start + 4 : end] if marker in (_APP1, _APP11) else b""
        if xmp is None and body.startswith(_XMP):
            xmp = body[len(_XMP) :]
        if exif is None and body.startswith(_EXIF):
            exif = body[len(_EXIF) :]
        credentials |= marker == _APP11 and body.startswith(b"JP")  # JUMBF, which holds C2PA
        last = marker
    return Blocks(xmp=xmp, exif=exif, credentials=credentials, whole=last == _SCAN)


def insert(data: bytes, packet: bytes, _parameters: str | None) -> bytes:
    """Return the file with an XMP packet; raise CannotHold if it cannot have one."""
    require_free(read(data))
    body = _XMP + packet
    if len(body) + 2 > _MAX_SEGMENT:
        raise CannotHold("a JPEG holds 64 kB of such metadata, and the request is larger")
    segment = struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body
    place = 2
    for marker, start, end in _segments(data):  # JFIF and Exif both want to be the first
        exif = data[start + 4 : end].startswith(_EXIF) if marker == _APP1 else False
        if marker != _APP0 and not exif:
            break
        place = end
    return data[:place] + segment + data[place:]


def without(data: bytes, is_ours: Callable[[str, bytes], bool]) -> list[bytes]:
    """Return the file without the XMP packet that is ours: the only candidate."""
    for marker, start, end in _segments(data):
        body = data[start + 4 : end]
        if marker == _APP1 and body.startswith(_XMP) and is_ours(XMP_KEYWORD, body[len(_XMP) :]):
            return [data[:start] + data[end:]]
    return [data]
