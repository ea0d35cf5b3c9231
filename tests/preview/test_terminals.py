"""The preview in real terminal emulators: what they draw, compared with the picture itself."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from nscale_cli.sandbox.pictures import draw
from tests.conftest import require_command
from tools.emulators import EMULATORS, Window
from tools.terminals import Display, Photograph, photograph

pytestmark = pytest.mark.terminal

SHAPES = {"mountains": (512, 512), "city": (512, 512), "sea": (800, 450)}
WINDOW = Window(columns=80, lines=30)
FULL_WINDOW = Window(columns=80, lines=30, lines_above=30)
LIGHT_WINDOW = Window(columns=80, lines=40, light=True)
# Mean differences (0 to 255) between what is seen and the picture. From afar: cells and letters
# merge, colours must be right. From near: pixels of the picture, not blocks that look like it.
AFAR_PIXELS, OTHER_PICTURE = 40, 30.0
MAX_AFAR, MAX_AFAR_OF_256 = 7.0, 14.0  # 256 colours hit none exactly
NEAR_PIXELS, MAX_NEAR = 256, 2.0
SAME = 0.2  # a character drawn twice is a shade stronger at its edges
Shoot = Callable[..., Photograph]


@functools.cache
def picture(name: str) -> Image.Image:
    """Return one of the sandbox's pictures."""
    width, height = SHAPES[name]
    return draw(prompt=name, model=name, width=width, height=height, index=0)


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    """A screen that nobody sees."""
    require_command("Xvfb", shutil.which("Xvfb"))
    with Display() as server:
        yield server


@pytest.fixture
def shoot(display: Display, tmp_path: Path) -> Shoot:
    """Run `nscale images show` in an emulator; return a photograph of it."""

    def run(terminal: str, style: str, *names: str, window: Window = WINDOW) -> Photograph:
        emulator = EMULATORS[terminal]
        for command in emulator.needs:
            require_command(command, shutil.which(command))
        for name in names:
            picture(name).save(tmp_path / f"{name}.png")
        files = [str(tmp_path / f"{name}.png") for name in names]
        arguments = ["images", "show", *files, "--preview-style", style]
        shown = photograph(display, emulator, arguments, window=window)
        assert (shown.exit_code, shown.column) == (0, 0)
        return shown

    return run


def drawn(area: Image.Image, window: Window) -> tuple[int, int, int, int]:
    """Return the box around all that is not background."""
    box = ImageChops.difference(area, Image.new("RGB", area.size, window.paper)).getbbox()
    assert box is not None
    return box


def rows_of(shown: Photograph, first: int, end: int) -> Image.Image:
    """Return the rows of cells from `first` up to `end`."""
    height = shown.cell[1]
    return shown.picture.crop((0, first * height, shown.picture.width, end * height))


def difference(seen: Image.Image, wanted: Image.Image, side: int) -> float:
    """Return the mean difference of two pictures, both shrunk to `side` pixels a side."""
    small = [each.resize((side, side), Image.Resampling.BOX) for each in (seen, wanted)]
    return sum(ImageStat.Stat(ImageChops.difference(*small)).mean) / 3


def require_likeness(seen: Image.Image, name: str, most: float = MAX_AFAR) -> None:
    """Assert that this is the picture of that name, and that others would be told from it."""
    assert difference(seen, picture(name), AFAR_PIXELS) < most
    for other in SHAPES.keys() - {name}:
        assert difference(seen, picture(other), AFAR_PIXELS) > OTHER_PICTURE


def require_shape(seen: Image.Image, name: str, cell: tuple[int, int]) -> None:
    """Assert that the picture is not squashed by more than a cell is large."""
    width, height = SHAPES[name]
    assert abs(seen.width - seen.height * width / height) <= max(cell)


def require_picture(
    shown: Photograph, name: str, most: float = MAX_AFAR, spare_rows: int = 0
) -> Image.Image:
    """Assert that the picture stands whole between command and prompt; return it as it is seen."""
    area = rows_of(shown, 1, shown.row)  # the command is above
    left, top, right, bottom = drawn(area, WINDOW)
    assert (left, top) == (0, 0)
    assert area.height - bottom < (1 + spare_rows) * shown.cell[1]
    prompt = drawn(rows_of(shown, shown.row, WINDOW.lines), WINDOW)
    assert prompt[2] <= 2 * shown.cell[0] and prompt[3] <= shown.cell[1]
    seen = area.crop((left, top, right, bottom))
    require_shape(seen, name, shown.cell)
    require_likeness(seen, name, most)
    return seen


@pytest.mark.parametrize(
    ("terminal", "style", "name", "most"),
    [
        ("xterm", "ascii", "mountains", MAX_AFAR_OF_256),
        ("xterm", "blocks", "sea", MAX_AFAR_OF_256),
        ("kitty", "ascii", "sea", MAX_AFAR),
        ("kitty", "blocks", "mountains", MAX_AFAR),
        ("mlterm", "ascii", "sea", MAX_AFAR_OF_256),
    ],
)
def test_characters_and_blocks_look_like_the_picture(
    shoot: Shoot, terminal: str, style: str, name: str, most: float
) -> None:
    """Seen from afar, and only from afar: this is what tells them from pixels."""
    seen = require_picture(shoot(terminal, style, name), name, most)

    assert difference(seen, picture(name), NEAR_PIXELS) > MAX_NEAR


@pytest.mark.parametrize(
    ("terminal", "style", "name"),
    [
        ("xterm", "auto", "mountains"),  # sixel, from DA1
        ("mlterm", "auto", "sea"),  # sixel, from DA1
        ("kitty", "auto", "mountains"),
        ("kitty", "kitty", "sea"),  # as wide as the window
        ("mlterm", "iterm2", "mountains"),
    ],
)
def test_pixels_are_the_picture(shoot: Shoot, terminal: str, style: str, name: str) -> None:
    """Where a terminal has pixels, `auto` finds them, and they are right from near."""
    leaves_a_line = (terminal, style) == ("mlterm", "auto")  # below each sixel picture
    seen = require_picture(shoot(terminal, style, name), name, spare_rows=leaves_a_line)

    assert difference(seen, picture(name), NEAR_PIXELS) < MAX_NEAR


@pytest.mark.parametrize(
    ("terminal", "style", "most"),
    [
        ("xterm", "sixel", MAX_AFAR),
        ("kitty", "kitty", MAX_AFAR),
        ("tmux", "blocks", MAX_AFAR_OF_256),
    ],
)
def test_auto_draws_what_the_best_style_draws(
    shoot: Shoot, terminal: str, style: str, most: float
) -> None:
    """In tmux, inside an xterm with sixels, these are blocks."""
    auto, wanted = (shoot(terminal, each, "city") for each in ("auto", style))

    assert auto.row == wanted.row
    seen, best = (require_picture(each, "city", most) for each in (auto, wanted))
    assert seen.size == best.size
    assert difference(seen, best, NEAR_PIXELS) < SAME


@pytest.mark.parametrize(
    ("terminal", "style"),
    [("xterm", "sixel"), ("kitty", "kitty"), ("mlterm", "iterm2"), ("kitty", "blocks")],
)
def test_a_full_screen_scrolls_with_the_picture(shoot: Shoot, terminal: str, style: str) -> None:
    """At the bottom of the screen the picture is the same, and the prompt is below it."""
    above, below = (
        shoot(terminal, style, "mountains", window=window) for window in (WINDOW, FULL_WINDOW)
    )

    rows = above.row - 1
    assert below.row == WINDOW.lines - 1
    pictures = (rows_of(above, 1, above.row), rows_of(below, below.row - rows, below.row))
    assert pictures[0].size == pictures[1].size
    assert difference(*pictures, NEAR_PIXELS) < SAME


@pytest.mark.parametrize(
    ("terminal", "style"),
    [("xterm", "sixel"), ("kitty", "kitty"), ("kitty", "blocks"), ("mlterm", "iterm2")],
)
def test_two_pictures_stand_side_by_side_above_their_names(
    shoot: Shoot, terminal: str, style: str
) -> None:
    """39 columns each and two between them; around them is the terminal's own background."""
    shown = shoot(terminal, style, "mountains", "sea", window=LIGHT_WINDOW)

    width = shown.cell[0]
    pictures = rows_of(shown, 1, shown.row - 1)
    names = rows_of(shown, shown.row - 1, shown.row)
    for name, column in (("mountains", 0), ("sea", 41)):
        start, end = column * width, (column + 39) * width
        area = pictures.crop((start, 0, end, pictures.height))
        box = drawn(area, LIGHT_WINDOW)
        assert box[:2] == (0, 0)
        require_shape(area.crop(box), name, shown.cell)
        require_likeness(area.crop(box), name)
        label = drawn(names.crop((start, 0, end, names.height)), LIGHT_WINDOW)
        assert label[0] < width and (len(name) + 3) * width < label[2] <= (len(name) + 4) * width
    gap = pictures.crop((39 * width, 0, 41 * width, pictures.height))
    assert set(gap.tobytes()) == set(bytes.fromhex(LIGHT_WINDOW.paper[1:]))
