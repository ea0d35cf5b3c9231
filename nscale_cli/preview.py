"""The picture in the terminal: ASCII characters, on coloured cells where there is colour."""

import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_MOST_COLUMNS = 80
_LINES_LEFT_FREE = 4
# Decoding more takes seconds and several hundred MiB; WebP takes 15 bytes a pixel.
_MOST_PIXELS = {"PNG": 40_000_000, "JPEG": 40_000_000, "MPO": 40_000_000, "WEBP": 18_000_000}
_CELL_HEIGHT = 2  # a terminal's cell is about twice as high as it is wide
_READABLE = ("PNG", "JPEG", "WEBP")
_INK_SHARE = 0.14  # of a cell, that a glyph covers on average


class PreviewUnavailable(Exception):
    """The image cannot be shown; the text says why."""


def render(data: bytes, *, columns: int, lines: int, colours: int) -> str:
    """Return the image in `data` as text that fits into `columns` x `lines` cells of a terminal.

    `colours` is 0 (plain characters, no escape), 256, or 2**24. Raises PreviewUnavailable for
    whatever cannot be decoded or is too large to be worth it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's would stand between our lines
            picture = _fitted(data, min(columns, _MOST_COLUMNS), max(1, lines - _LINES_LEFT_FREE))
            rows = _glyphs(picture)
    except PreviewUnavailable:
        raise
    except Exception as error:
        # Pillow raises nearly anything on a broken image: ValueError, SyntaxError, MemoryError.
        raise PreviewUnavailable(f"the image cannot be decoded ({type(error).__name__})") from None
    if colours:
        rows = [_coloured(row, y, picture, colours) for y, row in enumerate(rows)]
    return "\n".join(rows)


def colours_of(env: Mapping[str, str], *, coloured: bool) -> int:
    """Return how many colours the terminal of `env` has, given whether it is to have any."""
    if not coloured:
        return 0
    return 2**24 if env.get("COLORTERM", "").lower() in ("truecolor", "24bit") else 256


def _fitted(data: bytes, columns: int, rows: int) -> "Image.Image":
    """Return the picture upright, opaque, and of one pixel a cell."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=_READABLE) as picture:
        if picture.width * picture.height > _MOST_PIXELS[picture.format or "PNG"]:
            raise PreviewUnavailable(f"{picture.width}x{picture.height} is too large")
        most = (_MOST_COLUMNS * 4, _MOST_COLUMNS * 4)
        picture.draft("RGB", most)  # a JPEG is decoded smaller, and sooner
        picture.thumbnail(most)  # all that follows makes copies
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    width, height = upright.size
    scale = min(columns / width, rows * _CELL_HEIGHT / height, 1)
    grid = (max(1, round(width * scale)), max(1, round(height * scale / _CELL_HEIGHT)))
    paper = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(paper, upright).convert("RGB").resize(grid, Image.Resampling.BOX)


def _glyphs(picture: "Image.Image") -> list[str]:
    from ascii_magic import AsciiArt

    # The picture already has one pixel a cell, so that ascii-magic has nothing left to scale.
    art = AsciiArt(picture).to_ascii(columns=picture.width, width_ratio=1, monochrome=True)
    return str(art).splitlines()


def _coloured(row: str, y: int, picture: "Image.Image", colours: int) -> str:
    parts, last = [], ""
    for x, glyph in enumerate(row):
        pixel = picture.getpixel((x, y))
        assert isinstance(pixel, tuple)
        # Ink and paper are chosen so that the cell as a whole has the picture's colour.
        ink = tuple(min(255, round(1.35 * value + 24)) for value in pixel)
        paper = tuple(
            min(255, max(0, round((value - _INK_SHARE * dark) / (1 - _INK_SHARE))))
            for value, dark in zip(pixel, ink, strict=True)
        )
        style = f"\x1b[{_colour(38, ink, colours)};{_colour(48, paper, colours)}m"
        parts.append((style if style != last else "") + glyph)
        last = style
    return "".join(parts) + "\x1b[0m"


def _colour(kind: int, rgb: tuple[int, ...], colours: int) -> str:
    if colours > 256:
        return f"{kind};2;{rgb[0]};{rgb[1]};{rgb[2]}"
    red, green, blue = (round(value / 51) for value in rgb)  # the 6x6x6 cube
    return f"{kind};5;{16 + 36 * red + 6 * green + blue}"
