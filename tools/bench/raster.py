"""What a terminal shows for the text that a program wrote to it, as an array of pixels.

A cell is CELL pixels. Characters are drawn in a real font, block characters as exact rectangles.
Of the escape sequences those are understood that previews consist of: colours (SGR), and the kitty,
iTerm2 and sixel protocols; others are passed over.
"""

import io
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import ascii_magic
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tools.bench.sixel import decode_sixel

Pixels = npt.NDArray[np.uint8]  # rows x columns x (red, green, blue)
Mask = npt.NDArray[np.float64]  # the share of ink of each pixel of a cell
Rgb = tuple[int, int, int]

CELL = (10, 20)
# The font that ascii-magic brings along: Courier Prime, under the SIL Open Font License.
COURIER_PRIME = Path(ascii_magic.__file__).parent / "fonts" / "courier_prime.ttf"
DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")
_STEPS = (0, 95, 135, 175, 215, 255)
_SIXTEEN = (  # xterm's own
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0)),
    *((0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0)),
    *((92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255)),
)
# Block elements as (left, top, right, bottom) in eighths of a cell.
_BOXES = {0x2580: (0, 0, 8, 4), 0x2590: (4, 0, 8, 8), 0x2594: (0, 0, 8, 1), 0x2595: (7, 0, 8, 8)}
_BOXES |= {0x2580 + count: (0, 8 - count, 8, 8) for count in range(1, 9)}
_BOXES |= {0x2590 - count: (0, 0, count, 8) for count in range(1, 8)}
_SHADES = {0x2591: 0.25, 0x2592: 0.5, 0x2593: 0.75}
# The quadrants (left to right, top to bottom) that U+2596 and the following fill.
_QUADRANTS = ("2", "3", "0", "023", "03", "012", "013", "1", "12", "123")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a terminal where none are set."""

    ink: Rgb
    paper: Rgb


DARK = Theme(ink=(229, 229, 229), paper=(0, 0, 0))
LIGHT = Theme(ink=(0, 0, 0), paper=(255, 255, 255))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How the next character is drawn."""

    ink: Rgb
    paper: Rgb
    inverse: bool = False


def rasterise(text: str, theme: Theme = DARK, font: Path = COURIER_PRIME) -> Pixels:
    """Return the pixels of the terminal's cells that `text` fills."""
    if "\x1b_G" in text:
        return _kitty(text)
    if "\x1b]1337;" in text:
        return _iterm2(text)
    if "\x1bP" in text:
        return decode_sixel(text)
    return _cells(text, theme, font)


def _cells(text: str, theme: Theme, font: Path) -> Pixels:
    rows = [_line(line, theme) for line in text.splitlines()]
    rows = [row for row in rows if row]
    blank = (" ", theme.ink, theme.paper)
    columns = max(map(len, rows))
    screen = [row + [blank] * (columns - len(row)) for row in rows]
    width, height = CELL
    shown = np.empty((len(rows), height, columns, width, 3))
    for y, row in enumerate(screen):
        masks = np.stack([mask_of(character, font) for character, _, _ in row])
        ink, paper = (np.array([cell[index] for cell in row], float) for index in (1, 2))
        mixed = paper[:, None, None] + masks[..., None] * (ink - paper)[:, None, None]
        shown[y] = mixed.transpose(1, 0, 2, 3)
    return shown.reshape(len(rows) * height, columns * width, 3).round().astype(np.uint8)


_TOKEN = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\[[?0-9;]*[A-Za-ln-z]|([^\x1b\r])")


def _line(line: str, theme: Theme) -> list[tuple[str, Rgb, Rgb]]:
    """Return the (character, ink, paper) of each cell; no colour outlives its line."""
    pen = Pen(ink=theme.ink, paper=theme.paper)
    cells = []
    for token in _TOKEN.finditer(line):
        if token[2]:
            front, back = (pen.paper, pen.ink) if pen.inverse else (pen.ink, pen.paper)
            cells.append((token[2], front, back))
        elif token[1] is not None:
            pen = _changed(pen, [int(part or 0) for part in token[1].split(";")], theme)
    return cells


def _changed(pen: Pen, codes: Sequence[int], theme: Theme) -> Pen:
    """Return the pen after a colour sequence (ECMA-48's SGR, with xterm's 38 and 48)."""
    left = list(codes)
    while left:
        code = left.pop(0)
        if code == 0:
            pen = Pen(ink=theme.ink, paper=theme.paper)
        elif code in (7, 27):
            pen = replace(pen, inverse=code == 7)
        elif code in (38, 48):
            colour = _exact(left) if left.pop(0) == 2 else _numbered(left.pop(0))
            pen = replace(pen, ink=colour) if code == 38 else replace(pen, paper=colour)
        elif code == 39:
            pen = replace(pen, ink=theme.ink)
        elif code == 49:
            pen = replace(pen, paper=theme.paper)
        elif code in range(30, 38) or code in range(90, 98):
            pen = replace(pen, ink=_numbered(code - 30 if code < 90 else code - 82))
        elif code in range(40, 48) or code in range(100, 108):
            pen = replace(pen, paper=_numbered(code - 40 if code < 100 else code - 92))
    return pen


def _exact(codes: list[int]) -> Rgb:
    return codes.pop(0), codes.pop(0), codes.pop(0)


def _numbered(number: int) -> Rgb:
    if number < 16:
        red, green, blue = _SIXTEEN[number]
    elif number < 232:
        red, green, blue = (_STEPS[(number - 16) // place % 6] for place in (36, 6, 1))
    else:
        red = green = blue = 8 + 10 * (number - 232)
    return red, green, blue


@lru_cache(maxsize=4096)
def mask_of(character: str, font: Path = COURIER_PRIME) -> Mask:
    """Return how much ink each pixel of a cell has that shows `character`."""
    width, height = CELL
    code = ord(character)
    mask = np.zeros((height, width))
    if code in _BOXES:
        left, top, right, bottom = _BOXES[code]
        _fill(mask, left, top, right, bottom)
    elif code in _SHADES:
        mask[:] = _SHADES[code]
    elif 0x2596 <= code <= 0x259F:
        for quadrant in map(int, _QUADRANTS[code - 0x2596]):
            left, top = 4 * (quadrant % 2), 4 * (quadrant // 2)
            _fill(mask, left, top, left + 4, top + 4)
    elif character != " ":
        mask = _glyph(character, font if code < 0x2500 else DEJAVU)
    return mask


def _fill(mask: Mask, left: int, top: int, right: int, bottom: int) -> None:
    """Fill a rectangle whose sides are given in eighths of a cell."""
    width, height = CELL
    xs = [max(0.0, min(1.0, side * width / 8 - x)) for side in (left, right) for x in range(width)]
    ys = [
        max(0.0, min(1.0, side * height / 8 - y)) for side in (top, bottom) for y in range(height)
    ]
    across = np.array(xs[width:]) - np.array(xs[:width])
    down = np.array(ys[height:]) - np.array(ys[:height])
    mask += np.outer(down, across)


def _glyph(character: str, font: Path) -> Mask:
    """Return a character of a font, as large as a cell's width allows."""
    if not font.exists():
        raise FileNotFoundError(f"{font}: install the Debian package fonts-dejavu-core")
    width, height = CELL
    face = ImageFont.truetype(font, 100)
    size = 100 * width / face.getlength("M")
    face = ImageFont.truetype(font, size)
    ascent, descent = face.getmetrics()
    picture = Image.new("L", CELL)
    base = (height - ascent - descent) / 2 + ascent
    ImageDraw.Draw(picture).text((0, base), character, fill=255, font=face, anchor="ls")
    return np.asarray(picture, float) / 255


def _kitty(text: str) -> Pixels:
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    keys = dict(pair.split("=") for pair in chunks[0][0].split(","))
    picture = Image.open(io.BytesIO(b64decode("".join(chunk for _, chunk in chunks))))
    return _stretched(picture, int(keys["c"]), int(keys["r"]))


def _iterm2(text: str) -> Pixels:
    found = re.search(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", text)
    if found is None:
        raise ValueError("no whole iTerm2 image")
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    picture = Image.open(io.BytesIO(b64decode(found[2])))
    return _stretched(picture, int(keys["width"]), int(keys["height"]))


def _stretched(picture: Image.Image, columns: int, rows: int) -> Pixels:
    size = (columns * CELL[0], rows * CELL[1])
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR))
