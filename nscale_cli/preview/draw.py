"""One or several pictures, with their names, in the chosen style."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.preview import blocks, characters, pixels
from nscale_cli.preview.canvas import GAP_COLUMNS, Canvas, PreviewUnavailable, load
from nscale_cli.redact import clean
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from PIL import Image

NARROWEST_COLUMNS = 28
FEWEST_LINES = 8
_GAP = " " * GAP_COLUMNS
_CUT = "..."
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
Renderer = Callable[["Image.Image", Canvas], list[str]]
Named = tuple[str, "Image.Image"]
_CELL_STYLES: dict[str, Renderer] = {"ascii": characters.render, "blocks": blocks.render}
_PIXEL_STYLES: dict[str, Renderer] = {
    "kitty": pixels.kitty,
    "iterm2": pixels.iterm2,
    "sixel": pixels.sixel,
}


@frozen
class NamedImage:
    """An image's file, and the name that stands under it where there are several."""

    name: str
    path: Path


@frozen
class Drawing:
    """Text for the terminal, and the names and reasons of images that could not be drawn."""

    text: str
    failures: tuple[tuple[str, str], ...]


def draw(images: Sequence[NamedImage], canvas: Canvas, style: str) -> Iterator[Drawing]:
    """Yield the images as text in `style` (ascii, blocks, kitty, iterm2 or sixel), row by row.

    So many images that they would not fit into the memory together are no trouble.
    """
    fitting = (canvas.columns + GAP_COLUMNS) // (NARROWEST_COLUMNS + GAP_COLUMNS)
    across = max(1, min(len(images), fitting))
    columns = (canvas.columns - GAP_COLUMNS * (across - 1)) // across
    each = replace(canvas, columns=columns)
    if style in _PIXEL_STYLES and len(images) > 1:  # sharp enough to be small: all on one screen
        share = canvas.lines // -(-len(images) // across) - 1  # one is for the names
        each = replace(each, lines=min(canvas.lines, max(FEWEST_LINES, share)))
    for start in range(0, len(images), across):
        yield _draw_row(images[start : start + across], each, style, named=len(images) > 1)


def _draw_row(row: Sequence[NamedImage], each: Canvas, style: str, *, named: bool) -> Drawing:
    pictures, failures = [], []
    for image in row:
        try:
            pictures.append((image.name, load(image.path, each)))
        except PreviewUnavailable as error:
            failures.append((image.name, str(error)))
    lines: list[str] = []
    try:
        if pictures:
            lines = _lines(pictures, each, style, named=named)
    except Exception as error:
        # Whatever this is (a bug, no memory left), the images themselves are safe.
        failures += [(name, f"drawing failed ({type(error).__name__})") for name, _ in pictures]
    return Drawing(text="\n".join(lines), failures=tuple(failures))


def _lines(pictures: Sequence[Named], each: Canvas, style: str, *, named: bool) -> list[str]:
    labels = [_label(name, each.columns) for name, _ in pictures]
    if style in _PIXEL_STYLES:
        return _strip(pictures, each, _PIXEL_STYLES[style], labels if named else [])
    blocks = [_CELL_STYLES[style](picture, each) for _, picture in pictures]
    if not named:
        return blocks[0]
    # The names stand in one line, whatever the heights of the pictures above them.
    height = max(map(len, blocks))
    return _joined(
        [
            [*block, *[""] * (height - len(block)), label]
            for block, label in zip(blocks, labels, strict=True)
        ]
    )


def _strip(
    pictures: Sequence[Named], each: Canvas, renderer: Renderer, labels: Sequence[str]
) -> list[str]:
    """Return the pictures drawn as one, and the labels under them."""
    if not labels:
        return renderer(pictures[0][1], each)
    strip = pixels.strip([picture for _, picture in pictures], each, each.columns)
    columns = len(pictures) * (each.columns + GAP_COLUMNS) - GAP_COLUMNS
    drawn = renderer(strip, replace(each, columns=columns))
    return [*drawn, _GAP.join(_padded(label, each.columns) for label in labels).rstrip()]


def _label(name: str, columns: int) -> str:
    """Return the name, cleaned, and cut at its end where it is wider than `columns`."""
    shown = clean(name)
    if _width(shown) <= columns:
        return shown
    while shown and _width(shown) > columns - len(_CUT):
        shown = shown[:-1]
    return (shown + _CUT)[:columns] if columns < len(_CUT) else shown + _CUT


def _width(text: str) -> int:
    """Return the cells that the text fills: East Asian characters two, marks on others none."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in _ESCAPES.sub("", text)
    )


def _joined(blocks: list[list[str]]) -> list[str]:
    """Put blocks of lines, all of one height, side by side, each as wide as its widest line."""
    widths = [max(map(_width, block)) for block in blocks]
    return [
        _GAP.join(_padded(line, width) for line, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*blocks, strict=True)
    ]


def _padded(line: str, width: int) -> str:
    return line + " " * (width - _width(line))


def load_libraries() -> None:
    """Load the libraries that draw, which takes longer than drawing does; never raise."""
    with suppress(Exception):
        characters.load()
