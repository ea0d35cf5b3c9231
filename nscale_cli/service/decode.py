"""From a reply's body to image bytes and their true format; the only base64 of the program."""

import binascii
import json
import re
import struct
from contextlib import suppress
from mmap import mmap

from nscale_cli.redact import excerpt
from nscale_cli.request import Size
from nscale_cli.values import frozen

Buffer = bytes | bytearray | mmap
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAMES = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}
# ITU T.81, table B.1: C4, C8 and CC are something else.
_STARTS_OF_FRAME = bytes(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN = b"\xda"
DATA_PREFIX = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
_MAX_SEGMENTS = 10_000  # of a JPEG before its size; far more than any metadata takes
_URL_SAFE = str.maketrans("-_", "+/")


@frozen
class Item:
    """One item of a reply: its bytes, or why it has none, and the address that it came as."""

    data: bytes | None = None
    reason: str = ""
    url: str | None = None


def parse_json(body: bytes) -> object:
    """Return the JSON value of `body` (UTF-8, 16 or 32, with or without a mark), or None."""
    try:
        # A damaged character in some other field must not cost the image beside it.
        return json.loads(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        return None


def items_in(document: object) -> list[object]:
    """Return the items of a reply's `data`, in order; an empty list where there is no `data`."""
    items = document.get("data") if isinstance(document, dict) else None
    if isinstance(items, dict):
        items = [items]
    return items if isinstance(items, list) else []


def decode_item(item: object) -> Item:
    """Return the bytes that one item of a reply holds, an image or not, or why it holds none."""
    text = item.get("b64_json") if isinstance(item, dict) else None
    if not isinstance(text, str) or not text.strip():
        url = item.get("url") if isinstance(item, dict) else None
        if isinstance(url, str) and DATA_PREFIX.match(url[:256]):
            return _decode_text(url)
        if isinstance(url, str):
            return Item(
                reason=f"it came as an address, which nscale does not fetch: {excerpt(url)}",
                url=url,
            )
        return Item(reason="it holds no image data")
    return _decode_text(text)


def _decode_text(text: str) -> Item:
    try:
        data = decode_base64(text)
    except ValueError:
        return Item(reason="its image data is not valid base64")
    return Item(data=data) if data else Item(reason="it holds no image data")


def decode_base64(text: str) -> bytes:
    """Return the bytes of `text`; raise ValueError rather than skip a character.

    Accepts a `data:` prefix, line breaks, missing padding, and the URL-safe alphabet.
    """
    with suppress(ValueError):  # nearly every reply is plain base64, and megabytes of it
        return binascii.a2b_base64(text, strict_mode=True)
    prefix = DATA_PREFIX.match(text[:256])
    encoded = text[prefix.end() :] if prefix else text
    encoded = "".join(encoded.split()).translate(_URL_SAFE).rstrip("=")
    padded = encoded + "=" * (-len(encoded) % 4)
    return binascii.a2b_base64(padded.encode("ascii"), strict_mode=True)


def decode_plain(letters: bytes | memoryview) -> bytes:
    """Return the bytes of plain base64, a multiple of four letters long; raise ValueError if not.

    The fast way for megabytes: anything unusual is refused, and `decode_base64` has the last word.
    """
    import pybase64

    data = pybase64.b64decode(letters, validate=True)
    if len(data) * 4 != len(letters) * 3:
        raise ValueError("padding is for the last four letters only")
    return data


def sniff(data: Buffer) -> tuple[str | None, Size | None]:
    """Return the format that the first bytes show (png, jpeg, webp) and the size in pixels.

    Either is None where the bytes do not tell. Only headers are read (PNG 3rd edition section 11,
    JPEG ITU T.81 annex B, WebP RFC 9649), so that a hostile image costs nothing and Pillow need
    not be loaded to save one.
    """
    if data[:8] == _PNG_SIGNATURE:
        return "png", _size(*struct.unpack(">II", data[16:24])) if len(data) >= 24 else None
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg", _jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", _webp_size(data)
    return None, None


def flaw_of(data: Buffer, image_format: str | None) -> str | None:
    """Return why `data` is no image, or None: not one of the formats, or not all of it came.

    Its end is looked for, nothing is decoded: a picture that is whole may still be damaged.
    """
    if image_format is None:
        return "its bytes are not PNG, JPEG or WebP"
    ends = {"png": _png_ends, "jpeg": _jpeg_ends, "webp": _webp_ends}[image_format]
    return None if ends(data) else f"its {_NAMES[image_format]} is cut off"


def _png_ends(data: Buffer) -> bool:
    position = len(_PNG_SIGNATURE)
    while len(data) >= position + 12:  # length, kind and checksum of a chunk
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4])
        if kind == b"IEND":
            return len(data) >= position
    return False


def _jpeg_ends(data: Buffer) -> bool:
    # Behind the start of scan, the marker for the end cannot be part of the picture. Before it, a
    # thumbnail has an end of its own.
    scan = _jpeg_marker(data, _START_OF_SCAN)
    return scan is not None and data.rfind(b"\xff\xd9") > scan


def _webp_ends(data: Buffer) -> bool:
    # Some encoders leave out the last byte where it only makes the length even.
    length = 8 + int.from_bytes(data[4:8], "little")
    return _webp_size(data) is not None and len(data) + 1 >= length


def _size(width: int, height: int) -> Size | None:
    return Size(width=width, height=height) if width and height else None


def _jpeg_size(data: Buffer) -> Size | None:
    position = _jpeg_marker(data, _STARTS_OF_FRAME)
    if position is None or position + 9 > len(data):
        return None
    height, width = struct.unpack(">HH", data[position + 5 : position + 9])
    return _size(width, height)


def _jpeg_marker(data: Buffer, markers: bytes) -> int | None:
    """Return where the first of `markers` begins, walking from segment to segment."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker in markers:
            return position
        # Padding may stand before a marker.
        position += 1 if marker == 0xFF else 2 + int.from_bytes(data[position + 2 : position + 4])
    return None


def _webp_size(data: Buffer) -> Size | None:
    kind, chunk = data[12:16], data[20:30]
    if len(chunk) < 10:
        return None
    if kind == b"VP8X":
        return _size(
            1 + int.from_bytes(chunk[4:7], "little"), 1 + int.from_bytes(chunk[7:10], "little")
        )
    if kind == b"VP8L":
        bits = int.from_bytes(chunk[1:5], "little")
        return _size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", chunk[6:10])
        return _size(width & 0x3FFF, height & 0x3FFF)
    return None
