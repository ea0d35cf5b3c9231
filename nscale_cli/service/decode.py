"""From a reply's body to image bytes and their true format; the only base64 of the program."""

import binascii
import json
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass

from nscale_cli.redact import excerpt
from nscale_cli.request import GeneratedImage, Size

_DATA_PREFIX = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)
_MAX_SEGMENTS = 10_000  # of a JPEG before its size; far more than any metadata takes
_PIECE_BYTES = 16 * 1024 * 1024  # zlib holds each piece twice
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidItem:
    """An item of the reply that is no image: why, and its bytes or its address if it had any."""

    reason: str
    data: bytes | None = None
    url: str | None = None


def parse_json(body: bytes) -> object:
    """Return the JSON value of `body` (UTF-8, 16 or 32, with or without a mark), or None."""
    try:
        # A damaged character in some other field must not cost the image beside it.
        return json.loads(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        return None


def decompress(body: bytearray, content_encodings: str, *, limit: int) -> bytearray:
    """Return `body` without its HTTP content codings, at most `limit` bytes of it.

    What cannot be unpacked (damaged, mislabelled, an unknown coding) is returned as it came.
    """
    for coding in reversed(content_encodings.lower().split(",")):
        if coding.strip() in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body, limit) or body
    return body


def _inflated(body: bytearray, limit: int) -> bytearray:
    # 32 more than the largest window: gzip or zlib, whichever its first bytes say.
    packed, whole, rest = zlib.decompressobj(32 + zlib.MAX_WBITS), bytearray(), bytes(body)
    try:
        while rest and len(whole) < limit:
            whole += packed.decompress(rest, min(limit - len(whole), _PIECE_BYTES))
            rest = packed.unconsumed_tail
    except zlib.error:
        return bytearray()
    return whole


def images_in(document: object) -> list[GeneratedImage | InvalidItem]:
    """Return what a reply's `data` holds, in order; an empty list where there is no `data`."""
    items = document.get("data") if isinstance(document, dict) else None
    if isinstance(items, dict):
        items = [items]
    return [_decode_item(item) for item in items] if isinstance(items, list) else []


def _decode_item(item: object) -> GeneratedImage | InvalidItem:
    text = item.get("b64_json") if isinstance(item, dict) else None
    if not isinstance(text, str) or not text.strip():
        url = item.get("url") if isinstance(item, dict) else None
        if isinstance(url, str) and _DATA_PREFIX.match(url[:256]):
            return _decode_text(url)
        if isinstance(url, str):
            return InvalidItem(
                reason=f"it came as an address, which nscale does not fetch: {excerpt(url)}",
                url=url,
            )
        return InvalidItem(reason="it holds no image data")
    return _decode_text(text)


def _decode_text(text: str) -> GeneratedImage | InvalidItem:
    try:
        data = decode_base64(text)
    except ValueError:
        return InvalidItem(reason="its image data is not valid base64")
    if not data:
        return InvalidItem(reason="it holds no image data")
    image_format, size = sniff(data)
    if image_format is None:
        return InvalidItem(reason="its bytes are not PNG, JPEG or WebP", data=data)
    return GeneratedImage(data=data, format=image_format, size=size)


def decode_base64(text: str) -> bytes:
    """Return the bytes of `text`; raise ValueError rather than skip a character.

    Accepts a `data:` prefix, line breaks, missing padding, and the URL-safe alphabet.
    """
    with suppress(ValueError):  # nearly every reply is plain base64, and megabytes of it
        return binascii.a2b_base64(text, strict_mode=True)
    prefix = _DATA_PREFIX.match(text[:256])
    encoded = text[prefix.end() :] if prefix else text
    encoded = "".join(encoded.split()).translate(_URL_SAFE).rstrip("=")
    padded = encoded + "=" * (-len(encoded) % 4)
    return binascii.a2b_base64(padded.encode("ascii"), strict_mode=True)


def sniff(data: bytes) -> tuple[str | None, Size | None]:
    """Return the format that the first bytes show (png, jpeg, webp) and the size in pixels.

    Either is None where the bytes do not tell. Only headers are read (PNG 3rd edition section 11,
    JPEG ITU T.81 annex B, WebP RFC 9649), so that a hostile image costs nothing and Pillow need
    not be loaded to save one.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", _size(*struct.unpack(">II", data[16:24])) if len(data) >= 24 else None
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg", _jpeg_size(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp", _webp_size(data)
    return None, None


def _size(width: int, height: int) -> Size | None:
    return Size(width=width, height=height) if width and height else None


def _jpeg_size(data: bytes) -> Size | None:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if position + 9 > len(data) or data[position] != 0xFF:
            break
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return _size(width, height)
        if marker == 0xFF:  # padding before a marker
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return None


def _webp_size(data: bytes) -> Size | None:
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
