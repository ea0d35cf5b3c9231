"""Colours as terminals name them."""

from collections.abc import Iterable
from functools import lru_cache

Rgb = tuple[int, int, int]
Cell = tuple[str, Rgb, Rgb]  # a character, its colour, and that behind it

RESET = "\x1b[0m"
_CUBE = (0, 95, 135, 175, 215, 255)  # the steps of xterm's 6x6x6 cube, colours 16 to 231
_NEAREST_STEP = [min(range(6), key=lambda step: abs(_CUBE[step] - value)) for value in range(256)]


def sgr(ink: Rgb, paper: Rgb, colours: int) -> str:
    """Return the escape sequence that sets foreground and background, for 256 or 2**24 colours."""
    if colours > 256:
        return "\x1b[38;2;{};{};{};48;2;{};{};{}m".format(*ink, *paper)
    return f"\x1b[38;5;{nearest_of_256(ink)};48;5;{nearest_of_256(paper)}m"


def painted(cells: Iterable[Cell], colours: int) -> str:
    """Return a line of cells, in 256 or 2**24 colours."""
    parts, last = [], ""
    for character, ink, paper in cells:
        style = sgr(ink, paper, colours)
        parts.append(character if style == last else style + character)
        last = style
    return "".join(parts) + RESET


@lru_cache(maxsize=65536)
def nearest_of_256(rgb: Rgb) -> int:
    """Return the number of the colour nearest to `rgb` among xterm's cube and its 24 greys."""
    red, green, blue = rgb
    steps = _NEAREST_STEP[red], _NEAREST_STEP[green], _NEAREST_STEP[blue]
    grey = min(23, max(0, round(((red + green + blue) / 3 - 8) / 10)))
    cube_error = _error(rgb, _CUBE[steps[0]], _CUBE[steps[1]], _CUBE[steps[2]])
    level = 8 + 10 * grey
    if _error(rgb, level, level, level) < cube_error:
        return 232 + grey
    return 16 + 36 * steps[0] + 6 * steps[1] + steps[2]


def _error(rgb: Rgb, red: int, green: int, blue: int) -> int:
    return (rgb[0] - red) ** 2 + (rgb[1] - green) ** 2 + (rgb[2] - blue) ** 2
