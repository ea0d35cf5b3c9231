"""`images compare -p` in real terminal emulators, which show the sheet that is on the disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.conftest import Cli, require_command
from tools.emulators import EMULATORS, Window
from tools.terminals import ROOT, Display, photograph

pytestmark = pytest.mark.terminal

WINDOW = Window(columns=80, lines=40)
COMPARED = (
    *("images", "compare", "A red fox", "An owl", "-m", "a/one", "-m", "b/two"),
    *("-z", "256x256", "--sandbox", "-o", "d"),
)
OWN = {"PYTHONPATH": str(ROOT)}  # this package, whatever is installed
# The mean difference (0 to 255) of what is seen and the sheet: from afar, 40 pixels a side, and
# from near, 256. Blocks look like it only from afar.
AFAR, NEAR = 40, 256
MOST_AFAR = {"xterm": 5.0, "kitty": 5.0, "tmux": 16.0}
MOST_NEAR, OTHER_SHEET = 6.0, 25.0


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    """A screen that nobody sees."""
    require_command("Xvfb", shutil.which("Xvfb"))
    with Display() as server:
        yield server


def paper(shown: Image.Image) -> tuple[int, int, int, int]:
    """Return the box around what is white, as is the paper of a sheet alone."""
    white = shown.convert("L").point(lambda level: 255 * (level >= 250))
    rows = list(white.resize((1, shown.height), Image.Resampling.BOX).tobytes())
    columns = list(white.resize((shown.width, 1), Image.Resampling.BOX).tobytes())
    high = [n for n, share in enumerate(rows) if share > 20]
    wide = [n for n, share in enumerate(columns) if share > 20]
    return wide[0], high[0], wide[-1] + 1, high[-1] + 1


def difference(seen: Image.Image, wanted: Image.Image, side: int = AFAR) -> float:
    """Return the mean difference of two pictures, both shrunk to `side` pixels a side."""
    small = [each.resize((side, side), Image.Resampling.BOX) for each in (seen, wanted)]
    return float(sum(ImageStat.Stat(ImageChops.difference(*small)).mean)) / 3


@pytest.mark.parametrize("terminal", MOST_AFAR)
def test_the_sheet_is_what_a_terminal_shows(
    terminal: str, display: Display, cli: Cli, tmp_path: Path
) -> None:
    """In the best style that each has: sixel, kitty's pixels; blocks, which is all tmux allows."""
    for command in EMULATORS[terminal].needs:
        require_command(command, shutil.which(command))
    cli(*COMPARED)  # what is in the folder is not bought again
    with Image.open(tmp_path / "d" / "sheet.png") as opened:
        sheet = opened.convert("RGB")
    words = [*COMPARED[:-1], str(tmp_path / "d"), "-p"]
    shot = photograph(display, EMULATORS[terminal], words, window=WINDOW, env=OWN)
    box = paper(shot.picture)
    seen = shot.picture.crop(box)

    assert (shot.exit_code, shot.column) == (0, 0)
    assert seen.width / seen.height == pytest.approx(sheet.width / sheet.height, rel=0.06)
    assert box[3] <= shot.row * shot.cell[1], "the prompt stands below it"
    assert difference(seen, sheet) <= MOST_AFAR[terminal]
    assert difference(seen, sheet.transpose(Image.Transpose.ROTATE_180)) > OTHER_SHEET
    assert (difference(seen, sheet, NEAR) <= MOST_NEAR) == (terminal != "tmux")
