"""Real pixels: the kitty, iTerm2 and sixel protocols.

Sources: kitty's "Terminal graphics protocol"; iTerm2's "Inline Images Protocol"; DEC STD 070
chapter 9 (sixel).
"""

import io
import re
from base64 import standard_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nscale_cli.preview.canvas import GAP_COLUMNS, Canvas, shrink

if TYPE_CHECKING:
    from PIL import Image

_DEFAULT_CELL_PIXELS = (10, 20)
_KITTY_CHUNK = 4096
_JPEG_QUALITY = 85
_MAX_SIXEL_PIXELS = 640 * 480  # the time and the bytes grow with them
_SIXEL_BAND = 6
_UNDRAWN = 255  # the one sixel colour that is not sent: the terminal's background shows there


def kitty(picture: "Image.Image", canvas: Canvas) -> list[str]:
    """Return the escape sequences that place the picture at the cursor."""
    shown, columns, rows = _fitted(picture, canvas)
    payload = standard_b64encode(_encoded(shown, "png")).decode()
    chunks = [payload[at : at + _KITTY_CHUNK] for at in range(0, len(payload), _KITTY_CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        keys = f"a=T,f=100,c={columns},r={rows},q=2," if number == 0 else ""
        more = int(number < len(chunks) - 1)
        parts.append(f"\x1b_G{keys}m={more};{chunk}\x1b\\")
    return _at_the_cursor("".join(parts), rows)


def iterm2(picture: "Image.Image", canvas: Canvas) -> list[str]:
    """Return the escape sequence that shows the picture at the cursor."""
    shown, columns, rows = _fitted(picture, canvas)
    data = _encoded(shown, "jpeg" if shown.mode == "RGB" else "png")
    payload = standard_b64encode(data).decode()
    keys = f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=1"
    return _at_the_cursor(f"\x1b]1337;File={keys}:{payload}\x07", rows)


def _at_the_cursor(sequence: str, rows: int) -> list[str]:
    """Return lines that make room, draw, and end in the picture's last row.

    Where a terminal itself leaves the cursor differs, above all after a picture of full width.
    """
    room = "\n" * rows
    return [f"{room}\x1b[{rows}A\x1b7{sequence}\x1b8", *[""] * (rows - 1)]


def sixel(picture: "Image.Image", canvas: Canvas) -> list[str]:
    """Return the sixel picture; the cursor ends below it."""
    shown, _, _ = _fitted(picture, canvas)
    indexed = _indexed(shown)
    palette = indexed.getpalette() or []
    colours = "".join(
        f"#{number};2;" + ";".join(str(round(value * 100 / 255)) for value in palette[at : at + 3])
        for number, at in enumerate(range(0, len(palette), 3))
    )
    bands = "-".join(_sixel_bands(indexed))
    return [f'\x1bP0;1q"1;1;{indexed.width};{indexed.height}{colours}{bands}\x1b\\']


def _indexed(picture: "Image.Image") -> "Image.Image":
    """Return the picture in 255 colours of its own, and _UNDRAWN where it is transparent."""
    from PIL import Image, ImageOps

    picture = _reduced(picture, (_MAX_SIXEL_PIXELS / (picture.width * picture.height)) ** 0.5)
    indexed = picture.convert("RGB").quantize(
        _UNDRAWN, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    if picture.mode == "RGBA":
        indexed.paste(_UNDRAWN, mask=ImageOps.invert(picture.getchannel("A")))
    return indexed


def _sixel_bands(indexed: "Image.Image") -> list[str]:
    width, data = indexed.width, indexed.tobytes()
    lines = [data[at : at + width] for at in range(0, len(data), width)]
    return [
        "$".join(
            f"#{colour}{_sixel_row(lines[top : top + _SIXEL_BAND], colour)}"
            for colour in sorted(set(b"".join(lines[top : top + _SIXEL_BAND])) - {_UNDRAWN})
        )
        for top in range(0, len(lines), _SIXEL_BAND)
    ]


def _sixel_row(lines: list[bytes], colour: int) -> str:
    """Return one colour's share of a band: a character a column, one bit of it a line."""
    bits = 0
    for number, line in enumerate(lines):
        table = bytearray(256)
        table[colour] = 1 << number
        # As one large integer, the lines of a band are put together in a single step.
        bits |= int.from_bytes(line.translate(bytes(table)))
    columns = bits.to_bytes(len(lines[0])).translate(_SIXEL_CHARACTERS).decode().rstrip("?")
    return _RUN.sub(lambda run: f"!{len(run[0])}{run[1]}", columns)


_SIXEL_CHARACTERS = bytes(min(63 + value, 126) for value in range(256))
_RUN = re.compile(r"(.)\1{3,}")


def strip(pictures: Sequence["Image.Image"], canvas: Canvas, columns: int) -> "Image.Image":
    """Return the pictures side by side, `columns` cells for each and GAP_COLUMNS between them.

    None is enlarged; what they do not fill is transparent.
    """
    from PIL import Image

    width, height = canvas.cell_pixels or _DEFAULT_CELL_PIXELS
    most = (columns * width, canvas.lines * height)
    shown = [picture.copy() for picture in pictures]
    for picture in shown:
        picture.thumbnail(most, Image.Resampling.BOX)
    rows = -(-max(picture.height for picture in shown) // height)
    step = (columns + GAP_COLUMNS) * width
    result = Image.new("RGBA", (step * len(shown) - GAP_COLUMNS * width, rows * height))
    for number, picture in enumerate(shown):
        result.paste(picture, (number * step, 0))
    return result


def _fitted(picture: "Image.Image", canvas: Canvas) -> tuple["Image.Image", int, int]:
    """Return the picture with no more pixels than its cells have, their columns, and their rows."""
    width, height = canvas.cell_pixels or _DEFAULT_CELL_PIXELS
    columns, rows = canvas.cells_for(*picture.size, pixels_per_column=width)
    scale = min(columns * width / picture.width, rows * height / picture.height)
    return _reduced(picture, scale), columns, rows


def _reduced(picture: "Image.Image", scale: float) -> "Image.Image":
    """Return the picture at that scale; one that would be enlarged is returned as it is."""
    if scale >= 1:
        return picture
    return shrink(
        picture, max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    )


def _encoded(picture: "Image.Image", image_format: str) -> bytes:
    data = io.BytesIO()
    options = {"quality": _JPEG_QUALITY} if image_format == "jpeg" else {"compress_level": 1}
    picture.save(data, image_format, **options)
    return data.getvalue()
