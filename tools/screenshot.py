"""Draw the picture of docs/preview.md: the real program, run at a real pseudo-terminal.

Usage: python tools/screenshot.py   (writes docs/screenshot.png; needs the `dev` extra)
"""

import os
import sys
import tempfile
from pathlib import Path

import ascii_magic
import pexpect
import pyte
from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "screenshot.png"
COMMAND = ["images", "generate", "A sunset over mountains", "--sandbox", "-p"]
SHOWN = '$ nscale images generate "A sunset over mountains" --sandbox -p'
COLUMNS, LINES = 72, 33
CELL_WIDTH, CELL_HEIGHT, MARGIN = 10, 20, 16
# The font that ascii-magic brings along: Courier Prime, under the SIL Open Font License.
FONT = Path(ascii_magic.__file__).parent / "fonts" / "courier_prime.ttf"
INK, PAPER = "#d8dee9", "#1d2129"


def run() -> str:
    """Return everything that the program writes to its terminal."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "xterm-256color"}
        child = pexpect.spawn(
            sys.executable,
            ["-m", "nscale_cli", *COMMAND],
            cwd=folder,
            env=env | {"COLORTERM": "truecolor"},
            dimensions=(LINES, COLUMNS),
            encoding="utf-8",
            timeout=120,
        )
        child.expect(pexpect.EOF)
        return str(child.before).replace(os.path.realpath(folder), "/home/you")


def draw(screen: pyte.Screen) -> Image.Image:
    """Return the screen as a picture, one rectangle and one character a cell."""
    size = (COLUMNS * CELL_WIDTH + 2 * MARGIN, LINES * CELL_HEIGHT + 2 * MARGIN)
    picture = Image.new("RGB", size, PAPER)
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 16)
    for row in range(LINES):
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            left, top = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT
            box = (left, top, left + CELL_WIDTH - 1, top + CELL_HEIGHT - 1)
            canvas.rectangle(box, fill=colour(cell.bg, PAPER))
            canvas.text((left, top + 3), cell.data, font=font, fill=colour(cell.fg, INK))
    return picture


def colour(name: Char | str, default: str) -> str:
    """Return pyte's name of a colour as Pillow's."""
    text = str(name)
    return default if text == "default" else f"#{text}" if len(text) == 6 else text


def main() -> None:
    """Run the program and write the picture."""
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.Stream(screen).feed(f"{SHOWN}\r\n{run()}$ ")
    draw(screen).quantize(128).save(TARGET, optimize=True)
    print(f"wrote {TARGET.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
