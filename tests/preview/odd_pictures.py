"""Pictures on the edge of what their formats allow, and some beyond it."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.preview.conftest import picture


def encoded(image: Image.Image, image_format: str = "png", **options: object) -> bytes:
    """Return the picture as the bytes of a file."""
    data = io.BytesIO()
    image.save(data, image_format, **options)
    return data.getvalue()


def grey_16_bits() -> bytes:
    """Return 16 bits a pixel, which Pillow shrinks and converts only by detours."""
    return encoded(Image.linear_gradient("L").resize((2600, 2600)).convert("I;16"))


def rotated_by_exif() -> bytes:
    """Return a picture that lies on its side until its EXIF entry is heeded."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(300, 100), "jpeg", exif=exif)


def animated(image_format: str) -> bytes:
    """Return an animation whose first frame is red."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:], lossless=True)


def palette(*, transparent: bool) -> bytes:
    """Return a picture of 16 colours."""
    return encoded(picture().quantize(16), **({"transparency": 3} if transparent else {}))


def see_through(mode: str) -> bytes:
    """Return a picture without any opaque pixel."""
    return encoded(Image.new(mode, (40, 30)))


def header(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, with nearly nothing behind it."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


Make = Callable[[], bytes]
SHOWN: dict[str, Make] = {
    "1x4000": lambda: encoded(picture(1, 4000)),
    "4000x1": lambda: encoded(picture(4000, 1)),
    "1x1": lambda: encoded(picture(1, 1)),
    "black and white": lambda: encoded(picture().convert("1")),
    "grey": lambda: encoded(picture().convert("L")),
    "grey with alpha": lambda: encoded(picture().convert("LA")),
    "palette": lambda: palette(transparent=False),
    "palette with transparency": lambda: palette(transparent=True),
    "CMYK JPEG": lambda: encoded(picture().convert("CMYK"), "jpeg"),
    "progressive JPEG": lambda: encoded(picture(900, 900), "jpeg", progressive=True),
    "16 bits": grey_16_bits,
    "rotated": rotated_by_exif,
    "animated PNG": lambda: animated("png"),
    "animated WebP": lambda: animated("webp"),
    "transparent": lambda: see_through("RGBA"),
    "transparent grey": lambda: see_through("LA"),
    "wrong checksum at the end": lambda: encoded(picture())[:-1] + b"\0",
}
BROKEN: dict[str, tuple[Make, str]] = {
    "truncated PNG": (lambda: encoded(picture(300, 300))[:900], "cannot be decoded (OSError)"),
    "truncated JPEG": (
        lambda: encoded(picture(300, 300), "jpeg")[:-99], "cannot be decoded (OSError)",
    ),
    "signature only": (
        lambda: header(1, 1)[:8], "cannot be decoded (UnidentifiedImageError)",
    ),
    "a bomb": (lambda: header(100_000, 100_000), "cannot be decoded (DecompressionBombError)"),
    "the largest header": (
        lambda: header(2**31 - 1, 2**31 - 1), "cannot be decoded (DecompressionBombError)",
    ),
    "120 megapixels": (lambda: header(12_000, 10_000), "12000x10000 is too large"),
    "no pixels": (lambda: header(5, 5), "cannot be decoded (OSError)"),
    "EPS": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n",
        "cannot be decoded (UnidentifiedImageError)",
    ),
    "SVG": (
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "cannot be decoded (UnidentifiedImageError)",
    ),
    "GIF": (lambda: encoded(picture(), "gif"), "cannot be decoded (UnidentifiedImageError)"),
    "BMP": (lambda: encoded(picture(), "bmp"), "cannot be decoded (UnidentifiedImageError)"),
    "HTML": (lambda: b"<html>Sign in first", "cannot be decoded (UnidentifiedImageError)"),
    "empty": (lambda: b"", "cannot be decoded (UnidentifiedImageError)"),
    "zeros": (lambda: bytes(5000), "cannot be decoded (UnidentifiedImageError)"),
}  # fmt: skip
