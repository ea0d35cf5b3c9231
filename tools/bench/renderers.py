"""All that is measured: each style of preview, ascii-magic itself, and chafa."""

import contextlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ascii_magic import AsciiArt
from PIL import Image

from nscale_cli.preview import blocks, characters, pixels
from nscale_cli.preview.canvas import Canvas
from tools.bench.raster import CELL, DARK, DEJAVU, LIGHT, Theme

COLUMNS, LINES = 80, 40
EXACT = 2**24  # colours
ASCII_MAGIC = "ascii-magic, 8 colours"
ASCII = "ASCII on coloured cells"
BLOCKS = "blocks"
CHAFA = "chafa"

Renderer = Callable[[Image.Image, Theme], str]


def _ours(
    style: Callable[[Image.Image, Canvas], list[str]],
    colours: int,
    picture: Image.Image,
    theme: Theme,
) -> str:
    canvas = Canvas(
        columns=COLUMNS, lines=LINES, colours=colours, cell_pixels=CELL, light=theme == LIGHT
    )
    return "\n".join(style(picture, canvas))


STYLES: dict[str, Renderer] = {
    "ASCII, no colour": partial(_ours, characters.render, 0),
    ASCII: partial(_ours, characters.render, EXACT),
    f"{ASCII}, 256 colours": partial(_ours, characters.render, 256),
    "half blocks, 256 colours": partial(_ours, blocks.render, 256),
    BLOCKS: partial(_ours, blocks.render, EXACT),
    "kitty": partial(_ours, pixels.kitty, EXACT),
    "iterm2": partial(_ours, pixels.iterm2, EXACT),
    "sixel": partial(_ours, pixels.sixel, EXACT),
}


def ascii_magic(picture: Image.Image, theme: Theme = DARK) -> str:  # noqa: ARG001 - it cannot know
    """Return what ascii-magic's `to_terminal` prints for as many cells."""
    with contextlib.redirect_stdout(io.StringIO()):
        ratio = CELL[1] / CELL[0]
        return str(AsciiArt(picture).to_terminal(columns=COLUMNS, width_ratio=ratio))


def chafa(picture: Image.Image, theme: Theme = DARK) -> str:  # noqa: ARG001 - it sets all colours
    """Return what the program chafa writes by default to a terminal with exact colours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        picture.save(path, compress_level=1)
        size = f"{COLUMNS}x{LINES}"
        command = ["chafa", "--format=symbols", "--colors=full", f"--size={size}", str(path)]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def all_renderers() -> dict[str, Renderer | None]:
    """Return what is measured by name; None where its program is not installed."""
    # The lines and corners that chafa draws with are in DejaVu, not in Courier Prime.
    measurable = shutil.which("chafa") and DEJAVU.exists()
    return {
        ASCII_MAGIC: ascii_magic,
        **STYLES,
        CHAFA: chafa if measurable else None,
    }
