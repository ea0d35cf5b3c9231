"""Long labels in narrow places: where lines break, and what is left out."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

MAX_LINES = 3
ELLIPSIS = "…"
SEPARATOR = " · "
_MAX_CHARACTERS = 1000  # more never fit into three lines, and would only take time to measure
_PIECE = re.compile(r"[^\s/\-_.]*[\s/\-_.]+|[^\s/\-_.]+")

Measure = Callable[[str], float]


def wrap(
    text: str, width: float, measure: Measure, *, max_lines: int = MAX_LINES, middle: bool = False
) -> tuple[str, ...]:
    """Return `text` in lines that are at most `width` wide, as `measure` says.

    They break at spaces and behind / - _ and dots, else anywhere. What does not fit gives way to
    an ellipsis: at the end, or in the `middle`, where an id says the least.
    """
    characters = _characters(" ".join(text.split()))
    if len(characters) <= _MAX_CHARACTERS:
        lines = _lines("".join(characters), width, measure)
        if len(lines) <= max_lines:
            return lines
    fits, too_long = 0, min(len(characters), _MAX_CHARACTERS)
    while too_long - fits > 1:
        kept = (fits + too_long) // 2
        if len(_lines(_cut(characters, kept, middle=middle), width, measure)) <= max_lines:
            fits = kept
        else:
            too_long = kept
    return _lines(_cut(characters, fits, middle=middle), width, measure)


def packed(parts: Sequence[str], width: float, measure: Measure) -> list[str]:
    """Return parts joined into lines that are at most `width` wide, where a part itself is not."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{SEPARATOR}{part}" if lines else part
        if lines and measure(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def _characters(text: str) -> list[str]:
    """Return the letters of `text`, each with the marks, or the one full stop, that follow it."""
    letters: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        stop = category in ("Po", "Pe") and unicodedata.east_asian_width(character) in "WF"
        if letters and (category.startswith("M") or (stop and len(letters[-1]) == 1)):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _cut(characters: Sequence[str], kept: int, *, middle: bool) -> str:
    end = kept // 2 if middle else 0
    head, tail = "".join(characters[: kept - end]), "".join(characters[len(characters) - end :])
    return head.rstrip() + ELLIPSIS + tail.lstrip()


def _lines(text: str, width: float, measure: Measure) -> tuple[str, ...]:
    lines, line = [], ""
    for piece in _pieces(text, width, measure):
        if line and measure((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return (*lines, line.rstrip())


def _pieces(text: str, width: float, measure: Measure) -> Iterator[str]:
    """Yield what may not be broken; a piece wider than the line comes in single letters."""
    for piece in _PIECE.findall(text):
        if measure(piece.rstrip()) <= width:
            yield piece
        else:
            yield from _characters(piece)
