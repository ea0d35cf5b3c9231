"""Block characters: each cell in two colours, parted where that shows most of the picture."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from nscale_cli.preview.canvas import Canvas, rgb_rows, shrink
from nscale_cli.preview.colour import Cell, Rgb, painted

if TYPE_CHECKING:
    from PIL import Image

PIXELS_PER_COLUMN = 2
_HALF = "▀"
_SLICES = 8  # of a cell, from bottom to top
# Blocks of ink, and how many quarters or slices of the cell each covers.
_QUARTERS = (("▘", 1), ("▝", 1), ("▖", 1), ("▗", 1), ("▌", 2), ("▚", 2))
_LEVELS = tuple(("▁▂▃▄▅▆▇"[count - 1], count) for count in range(1, _SLICES))
_BLOCKS = tuple(
    (glyph, count, whole, 1 / (count * (whole - count)))
    for whole, blocks in ((4, _QUARTERS), (_SLICES, _LEVELS))
    for glyph, count in blocks
)

Sum = tuple[int, int, int]


def render(picture: "Image.Image", canvas: Canvas) -> list[str]:
    """Return the picture as lines of blocks: halves only, where there are no exact colours."""
    columns, rows = canvas.cells_for(*picture.size, pixels_per_column=PIXELS_PER_COLUMN)
    cells = _best if canvas.colours > 256 else _halves
    return [painted(row, canvas.colours) for row in cells(picture, columns, rows)]


def _halves(picture: "Image.Image", columns: int, rows: int) -> list[list[Cell]]:
    lines = rgb_rows(shrink(picture, columns, rows * 2))
    return [
        [(_HALF, top, bottom) for top, bottom in zip(upper, lower, strict=True)]
        for upper, lower in zip(lines[::2], lines[1::2], strict=True)
    ]


def _best(picture: "Image.Image", columns: int, rows: int) -> list[list[Cell]]:
    quarters = rgb_rows(shrink(picture, columns * 2, rows * 2))
    slices = rgb_rows(shrink(picture, columns, rows * _SLICES))
    cells = []
    for row in range(rows):
        upper, lower = quarters[2 * row : 2 * row + 2]
        corners = zip(upper[::2], upper[1::2], lower[::2], lower[1::2], strict=True)
        stacks = zip(*reversed(slices[_SLICES * row : _SLICES * (row + 1)]), strict=True)
        cells.append([_best_cell(*cell) for cell in zip(corners, stacks, strict=True)])
    return cells


def _best_cell(corners: tuple[Rgb, Rgb, Rgb, Rgb], stack: Sequence[Rgb]) -> Cell:
    """Return the block and the two colours that come nearest to the cell.

    `corners` are its four quarters, left to right and top to bottom; `stack` are its slices.
    """
    if corners.count(corners[0]) == 4 and stack.count(stack[0]) == _SLICES:
        return " ", corners[0], corners[0]
    sums = [*corners, _sum(corners[0], corners[2]), _sum(corners[0], corners[3])]
    *levels, total = accumulate(stack, _sum)
    sums += levels
    red, green, blue = (value / _SLICES for value in total)
    # How much of the differences within the cell each block explains: the squared distance of
    # its ink from the mean, the more the nearer ink and paper are to half of the cell.
    gains = [
        weight * ((r - n * red) ** 2 + (g - n * green) ** 2 + (b - n * blue) ** 2)
        for (r, g, b), (_, n, _, weight) in zip(sums, _BLOCKS, strict=True)
    ]
    best = gains.index(max(gains))
    glyph, count, whole, _ = _BLOCKS[best]
    ink = sums[best]
    paper = [
        (whole * mean - part) / (whole - count)
        for mean, part in zip((red, green, blue), ink, strict=True)
    ]
    return glyph, _rounded(part / count for part in ink), _rounded(paper)


def _sum(one: Sum, other: Sum) -> Sum:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _rounded(values: Iterable[float]) -> Rgb:
    red, green, blue = (min(255, max(0, round(value))) for value in values)
    return red, green, blue
