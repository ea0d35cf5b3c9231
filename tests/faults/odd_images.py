"""Malformed, odd and hostile images, made here so that each is what its name says."""

import functools
import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image, PngImagePlugin

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes, *, crc: int | None = None) -> bytes:
    """Return a PNG chunk; `crc` in place of the right one."""
    right = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", right ^ (crc or 0))


def header(width: int, height: int, depth: int = 8, colour: int = 2, **crc: int) -> bytes:
    """Return the beginning of a PNG."""
    fields = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", fields, **crc)


def flat_png(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG of one colour whose pixels compress to nearly nothing."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * depth + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    start = header(width, height, depth, colour)
    palette = chunk(b"PLTE", b"\x00\x00\x00\xff\xff\xff") if colour == 3 else b""
    return start + palette + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def encoded(image: Image.Image, kind: str = "png", **options: object) -> bytes:
    """Return `image` in the format `kind`."""
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture with something to see."""
    return Image.linear_gradient("L").resize(size).convert("RGB").convert(mode)


def frames(kind: str) -> bytes:
    """Return an animation."""
    first, second = gradient(), Image.new("RGB", (64, 48), "red")
    return encoded(first, kind, save_all=True, append_images=[second], duration=50)


def rotated() -> bytes:
    """Return a JPEG that is to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(gradient(), "jpeg", exif=exif)


def with_text(kind: bytes, data: bytes) -> bytes:
    """Return a PNG with a further chunk before its pixels."""
    whole = encoded(gradient())
    return whole[:33] + chunk(kind, data) + whole[33:]


@functools.cache
def packed_zeros() -> bytes:
    """Return compressed data that unpacks to 100 MB."""
    return zlib.compress(bytes(100_000_000), 9)


def bomb_of(kind: bytes) -> bytes:
    """Return a PNG with a compressed chunk that unpacks to 100 MB."""
    prefix = b"key\x00\x00" if kind != b"iTXt" else b"key\x00\x01\x00\x00\x00"
    return with_text(kind, prefix + packed_zeros())


def many_texts() -> bytes:
    """Return a PNG with ten thousand texts."""
    info = PngImagePlugin.PngInfo()
    for number in range(10_000):
        info.add_text(f"key{number}", "x" * 100)
    return encoded(gradient(), pnginfo=info)


def sixteen_bits() -> bytes:
    """Return a PNG with 16 bits of grey."""
    return encoded(Image.new("I;16", (64, 48), 40_000))


def jpeg_of_size(width: int, height: int) -> bytes:
    """Return a small JPEG whose header says another size."""
    data = bytearray(encoded(gradient(), "jpeg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def broken_exif() -> bytes:
    """Return a JPEG whose Exif block points nowhere."""
    block = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + b"\xff" * 40
    whole = encoded(gradient(), "jpeg")
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + whole[2:]


PNG, JPEG = encoded(gradient()), encoded(gradient(), "jpeg")
WEBP = encoded(gradient(), "webp")
IDAT = PNG.index(b"IDAT")

# Saved as they are: PNG, JPEG or WebP by their first bytes, and whole by their last.
IMAGES: dict[str, Callable[[], bytes]] = {
    "good PNG": lambda: PNG,
    "good JPEG": lambda: JPEG,
    "good WebP": lambda: WEBP,
    "no pixels": lambda: header(64, 48) + chunk(b"IEND", b""),
    "wrong checksum of the header": lambda: header(64, 48, crc=1) + PNG[33:],
    "wrong checksum of the pixels": lambda: PNG[:-16] + b"\0\0\0\0" + PNG[-12:],
    "noise for pixels": lambda: header(64, 48) + chunk(b"IDAT", b"noise" * 99) + PNG[-12:],
    "no size": lambda: header(0, 0) + PNG[33:],
    "too few rows": lambda: header(64, 4800) + PNG[33:],
    "100000 x 100000": lambda: header(100_000, 100_000) + PNG[33:],
    "largest size of all": lambda: header(2**31 - 1, 2**31 - 1) + PNG[33:],
    "JPEG that says 65500 x 65500": lambda: jpeg_of_size(65_500, 65_500),
    "palette without colours": lambda: header(64, 48, 8, 3) + PNG[33:],
    "palette": lambda: encoded(gradient("P")),
    "palette with transparency": lambda: encoded(gradient("P"), transparency=3),
    "one bit": lambda: encoded(gradient("1")),
    "one bit palette": lambda: flat_png(64, 48, depth=1, colour=3),
    "grey": lambda: encoded(gradient("L")),
    "grey with transparency": lambda: encoded(gradient("LA")),
    "16-bit grey": sixteen_bits,
    "16-bit colour": lambda: flat_png(64, 48, depth=16, colour=2),
    "transparent": lambda: encoded(Image.new("RGBA", (64, 48), (0, 0, 0, 0))),
    "CMYK JPEG": lambda: encoded(gradient("CMYK"), "jpeg"),
    "grey JPEG": lambda: encoded(gradient("L"), "jpeg"),
    "progressive JPEG": lambda: encoded(gradient(), "jpeg", progressive=True),
    "turned JPEG": rotated,
    "JPEG with a broken Exif block": broken_exif,
    "animated PNG": lambda: frames("png"),
    "animated WebP": lambda: frames("webp"),
    "1 x 4000": lambda: encoded(gradient(size=(1, 4000))),
    "4000 x 1": lambda: encoded(gradient(size=(4000, 1))),
    "1 x 1": lambda: encoded(gradient(size=(1, 1))),
    "text bomb": lambda: bomb_of(b"zTXt"),
    "international text bomb": lambda: bomb_of(b"iTXt"),
    "colour profile bomb": lambda: bomb_of(b"iCCP"),
    "ten thousand texts": many_texts,
    "unknown chunk": lambda: with_text(b"evIl", b"\x1b]0;owned\x07" * 9),
    "something behind the end": lambda: PNG + b"<script>alert(1)</script>" * 999,
}

# As above, and slow to make and to draw.
LARGE: dict[str, Callable[[], bytes]] = {
    "120 megapixels": lambda: flat_png(12_000, 10_000, colour=0),
    "39 megapixels of 16-bit colour": lambda: flat_png(6_500, 6_000, depth=16, colour=6),
    "17 megapixels of WebP": lambda: encoded(
        Image.new("RGB", (4_096, 4_096)), "webp", lossless=True, method=0
    ),
    "39 megapixels of WebP": lambda: encoded(
        Image.new("RGB", (6_500, 6_000)), "webp", lossless=True, method=0
    ),
    "39 megapixels of progressive JPEG": lambda: encoded(
        Image.new("RGB", (6_500, 6_000)), "jpeg", progressive=True, subsampling=0
    ),
}

# No image that nscale takes for one: kept as .bin, and never opened or drawn.
OTHERS: dict[str, Callable[[], bytes]] = {
    "half a PNG": lambda: PNG[: len(PNG) // 2],
    "half a JPEG": lambda: JPEG[: len(JPEG) // 2],
    "half a WebP": lambda: WEBP[: len(WEBP) // 2],
    "signature alone": lambda: PNG_SIGNATURE,
    "JPEG of three bytes": lambda: b"\xff\xd8\xff",
    "WebP of twelve bytes": lambda: b"RIFF\x04\x00\x00\x00WEBP",
    "no end": lambda: PNG[:-12],
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n",
    "EPS of DOS": lambda: b"\xc5\xd0\xd3\xc6" + bytes(28) + b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "PDF": lambda: b"%PDF-1.7\n",
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "GIF": lambda: encoded(gradient("P"), "gif"),
    "TIFF": lambda: encoded(gradient(), "tiff"),
    "BMP": lambda: encoded(gradient(), "bmp"),
    "HTML": lambda: b"<html><script>alert(1)</script></html>",
    "script": lambda: b"#!/bin/sh\ntouch /tmp/owned\n",
    "ImageMagick script": lambda: b"push graphic-context\nimage over 0,0 0,0 'url(x)'\n",
}
