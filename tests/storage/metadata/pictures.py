"""Pictures to put metadata into, one of each kind that a server or a person may have."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.faults.odd_images import chunk, encoded, flat_png, frames, gradient, rotated


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Return the PNG with a further chunk behind its header."""
    return data[:33] + chunk(kind, body) + data[33:]


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """Return the JPEG with a further segment at its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def with_riff_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Return the WebP with a further chunk at its end."""
    whole = data[8:] + kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def noise_png(depth: int, colour: int) -> bytes:
    """Return a PNG of that depth and colour type whose pixels differ."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width, height = 16, 16
    row = (width * channels * depth + 7) // 8
    rows = b"".join(
        b"\0" + bytes((7 * x * y + x) % 256 if colour != 3 else 0 for x in range(row))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", b"\x00\x40\x80\xff\xff\xff") if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + palette
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def with_profile() -> bytes:
    """Return a JPEG with JFIF, Exif and a comment before its picture."""
    exif = Image.Exif()
    exif[0x010E] = "somebody's own description"
    data = io.BytesIO()
    gradient().save(data, "jpeg", exif=exif, comment=b"a comment", dpi=(72, 72))
    return data.getvalue()


def translucent_webp(*, lossless: bool) -> bytes:
    """Return a WebP with alpha: VP8L, or VP8X with ALPH."""
    picture = gradient("RGBA")
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    return encoded(picture, "webp", lossless=lossless)


PICTURES: dict[str, Callable[[], bytes]] = {
    **{
        f"PNG of {depth} bits, colour {colour}": lambda depth=depth, colour=colour: noise_png(
            depth, colour
        )
        for depth, colour in [
            (1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (8, 3),
            (8, 4), (16, 4), (8, 6), (16, 6),
        ]
    },
    "flat PNG": lambda: flat_png(64, 48),
    "animated PNG": lambda: frames("png"),
    "PNG with something behind its end": lambda: encoded(gradient()) + b"<tail>",
    "JPEG": lambda: encoded(gradient(), "jpeg"),
    "CMYK JPEG": lambda: encoded(gradient("CMYK"), "jpeg"),
    "grey JPEG": lambda: encoded(gradient("L"), "jpeg"),
    "progressive JPEG": lambda: encoded(gradient(), "jpeg", progressive=True),
    "turned JPEG": rotated,
    "JPEG with Exif and more": with_profile,
    "JPEG with padding": lambda: encoded(gradient(), "jpeg").replace(
        b"\xff\xdb", b"\xff\xff\xff\xdb", 1
    ),
    "lossy WebP": lambda: encoded(gradient(), "webp"),
    "lossless WebP": lambda: encoded(gradient(), "webp", lossless=True),
    "lossy WebP with alpha": lambda: translucent_webp(lossless=False),
    "lossless WebP with alpha": lambda: translucent_webp(lossless=True),
    "animated WebP": lambda: frames("webp"),
    "WebP with a profile": lambda: encoded(gradient(), "webp", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    "WebP with something behind its end": lambda: encoded(gradient(), "webp") + b"<tail>",
}  # fmt: skip
