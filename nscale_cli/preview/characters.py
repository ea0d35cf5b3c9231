"""ascii-magic's characters, on coloured cells where the terminal has colours."""

from typing import TYPE_CHECKING

from nscale_cli.preview.canvas import Canvas, rgb_rows, shrink
from nscale_cli.preview.colour import painted

if TYPE_CHECKING:
    from PIL import Image

PIXELS_PER_COLUMN = 1
_INK_SHARE = 0.14  # of a cell, that a character covers on average
# A lighter ink and a darker paper that together have the colour of the picture, for each value
# of a channel.
_INK = [min(255, round(1.35 * value + 20)) for value in range(256)]
_PAPER = [
    min(255, max(0, round((value - _INK_SHARE * ink) / (1 - _INK_SHARE))))
    for value, ink in enumerate(_INK)
]


def render(picture: "Image.Image", canvas: Canvas) -> list[str]:
    """Return the picture as lines of characters."""
    columns, rows = canvas.cells_for(*picture.size, pixels_per_column=PIXELS_PER_COLUMN)
    cells = shrink(picture, columns, rows)
    if not canvas.colours:
        return _characters(_negative(cells) if canvas.light else cells)
    inks, papers = rgb_rows(cells.point(_INK * 3)), rgb_rows(cells.point(_PAPER * 3))
    return [
        painted(zip(*line, strict=True), canvas.colours)
        for line in zip(_characters(cells), inks, papers, strict=True)
    ]


def load() -> None:
    """Load ascii-magic, and with it all of Pillow that is needed to draw."""
    import ascii_magic  # noqa: F401 - loading is all that is wanted


def _characters(cells: "Image.Image") -> list[str]:
    from ascii_magic import AsciiArt

    # The picture has one pixel a cell already, so that ascii-magic has nothing left to scale.
    art = AsciiArt(cells).to_ascii(columns=cells.width, width_ratio=1, monochrome=True)
    return str(art).splitlines()


def _negative(cells: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    # Without colour ink is dark on a light terminal: more of it has to mean darker.
    return ImageOps.invert(cells)
