"""Rows of cells as lines of text: every table that the program prints."""

from collections.abc import Sequence
from textwrap import wrap

_GAP = "  "


def format_table(rows: Sequence[Sequence[str]], *, max_width: int | None = None) -> list[str]:
    """Return the rows as lines whose columns stand below each other; cells are not cut.

    With `max_width`, the last column is wrapped at so many characters from the left edge.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if max_width is not None:
        indent = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        rows = [line for row in rows for line in _wrapped(row, max_width - indent)]
    return [
        _GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _wrapped(row: Sequence[str], width: int) -> list[Sequence[str]]:
    first, *rest = wrap(row[-1], width) or [""]
    blank = [""] * (len(row) - 1)
    return [[*row[:-1], first], *([*blank, line] for line in rest)]
