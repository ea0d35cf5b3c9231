"""Sheets become PNG files: one canvas in memory at a time, and one picture."""

import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from nscale_cli.output.report.cells import Cell, State
from nscale_cli.output.report.fonts import OWN_FONT, font, wrapped
from nscale_cli.output.report.pictures import PictureUnreadable
from nscale_cli.output.report.sheet_layout import MUTED, SMALL, Place, Sheet, Text

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_PAPER, _LINE, _EDGE, _BLANK, _HATCH = "#ffffff", "#d5dbe1", "#e6e9ed", "#f5f6f8", "#dfe3e8"
_HATCH_STEP, _DASH = 14, 6  # pixels
# Of photographs zlib finds little twice but runs: it looks for nothing else, in two thirds of the
# time, and files become a tenth smaller. Higher levels change nothing then.
_COMPRESSION = {"compress_level": 1, "compress_type": zlib.Z_RLE}

Read = Callable[[Cell], "Image.Image"]


def draw(sheet: Sheet, read: Read) -> bytes:
    """Return a sheet as the bytes of a PNG file. `read` may raise PictureUnreadable."""
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (sheet.width, sheet.height), _PAPER)
    pen = ImageDraw.Draw(canvas)
    for rule in sheet.rules:
        pen.line((rule.x, rule.y, rule.x + rule.width - 1, rule.y), fill=_LINE)
    for place in sheet.places:
        _draw_place(canvas, pen, place, read)
    for text in sheet.texts:
        _draw_text(pen, text)
    out = io.BytesIO()
    canvas.save(out, "PNG", **_COMPRESSION)
    return out.getvalue()


def _draw_place(
    canvas: "Image.Image", pen: "ImageDraw.ImageDraw", place: Place, read: Read
) -> None:
    from PIL import Image

    cell = place.cell
    if cell is None or cell.state is State.NOT_SENT:
        _dash(pen, place)
    elif cell.state is State.FAILED:
        canvas.paste(_hatched(place), (place.x, place.y))
    else:
        try:
            picture = read(cell)
        except PictureUnreadable as problem:
            canvas.paste(_hatched(place), (place.x, place.y))
            _draw_text(pen, _problem_text(str(problem), place))
            return
        size = (place.width, place.height)
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(picture, (place.x, place.y))
        # Just around it, so that nothing of the picture is hidden.
        right, bottom = place.x + place.width, place.y + place.height
        pen.rectangle((place.x - 1, place.y - 1, right, bottom), outline=_EDGE)


def _hatched(place: Place) -> "Image.Image":
    from PIL import Image, ImageDraw

    box = Image.new("RGB", (place.width, place.height), _BLANK)
    pen = ImageDraw.Draw(box)
    for start in range(-place.height, place.width, _HATCH_STEP):
        pen.line((start, place.height, start + place.height, 0), fill=_HATCH)
    pen.rectangle((0, 0, place.width - 1, place.height - 1), outline=_LINE)
    return box


def _dash(pen: "ImageDraw.ImageDraw", place: Place) -> None:
    left, top, right, bottom = place.x, place.y, place.x + place.width, place.y + place.height
    for start in range(left, right, 2 * _DASH):
        end = min(start + _DASH, right)
        pen.line((start, top, end, top), fill=_LINE)
        pen.line((start, bottom - 1, end, bottom - 1), fill=_LINE)
    for start in range(top, bottom, 2 * _DASH):
        end = min(start + _DASH, bottom)
        pen.line((left, start, left, end), fill=_LINE)
        pen.line((right - 1, start, right - 1, end), fill=_LINE)


def _draw_text(pen: "ImageDraw.ImageDraw", text: Text) -> None:
    face = font(text.font, text.size)
    for number, line in enumerate(text.lines):
        baseline = text.y + number * text.line_height + round(text.size * 1.02)
        pen.text((text.x, baseline), line, font=face, fill=text.colour, anchor="ls")


def _problem_text(problem: str, place: Place) -> Text:
    lines = wrapped(problem, place.width - 20, OWN_FONT, SMALL)
    x, y = place.x + 12, place.y + 11
    return Text(x=x, y=y, lines=lines, size=SMALL, font=OWN_FONT, colour=MUTED)
