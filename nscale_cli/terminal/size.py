"""How large the terminal is, in character cells and in pixels."""

import os
import struct
import sys
from collections.abc import Mapping

from nscale_cli.values import frozen

_DEFAULT_COLUMNS = 80
_LINES_WITHOUT_TERMINAL = 64


@frozen
class TerminalSize:
    """The size in character cells; `cell_pixels` is (width, height) of one, where it is known."""

    columns: int
    lines: int
    cell_pixels: tuple[int, int] | None = None


def size_of_window() -> TerminalSize | None:
    """Return the size of the window behind stderr, or None where the system has none to tell."""
    try:
        columns, lines = os.get_terminal_size(2)
    except OSError:
        return None
    if not columns or not lines:
        return None
    return TerminalSize(columns=columns, lines=lines, cell_pixels=_cell_pixels())


def size_by_variable(env: Mapping[str, str]) -> TerminalSize:
    """Return the size of what is no terminal: COLUMNS or 80, and lines enough for a picture."""
    text = env.get("COLUMNS", "")
    columns = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    return TerminalSize(columns=columns or _DEFAULT_COLUMNS, lines=_LINES_WITHOUT_TERMINAL)


def _cell_pixels() -> tuple[int, int] | None:
    if sys.platform == "win32":  # whose console tells no pixels
        return None
    import fcntl
    import termios

    try:
        data = fcntl.ioctl(2, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    lines, columns, width, height = struct.unpack("HHHH", data)
    cell = (width // max(columns, 1), height // max(lines, 1))
    return cell if all(cell) else None
