"""Where everything stands on a sheet: sizes and places in pixels, before anything is drawn."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, sqrt
from pathlib import Path

from nscale_cli.output.report import words
from nscale_cli.output.report.cells import Cell, Kind, State, readable
from nscale_cli.output.report.fonts import OWN_FONT, Fonts, width, wrapped
from nscale_cli.output.report.grid import Grid, Span
from nscale_cli.output.report.labels import packed
from nscale_cli.request import Size
from nscale_cli.values import frozen

MAX_SIDE = 8192  # pixels; many programs open nothing larger
MAX_PIXELS = 40_000_000
DEFAULT_CELL, MIN_CELL = 384, 96
INK, MUTED, ALARM = "#1b1f24", "#59636e", "#a3261c"
MARGIN = 40
_TITLE, _GROUP, _LABEL, SMALL = 28, 20, 17, 15  # sizes of letters
_LINE = 1.32  # the distance of lines, in sizes of letters
_MIN_COLUMN, _MIN_BLANK = 140, 100  # the least room for a caption, and for a failure's name
_MIN_GUTTER, _MAX_GUTTER = 110, 280
_MIN_WIDTH = 460  # of all columns: so that the title has room
_MAX_TEXT = 2000  # characters that are looked at
_SHRINK = 0.9
_SQUARE = Size(width=1, height=1)


@frozen
class Text:
    """Lines of text; (x, y) is the upper left corner."""

    x: int
    y: int
    lines: tuple[str, ...]
    size: int
    font: Path
    colour: str = INK

    @property
    def line_height(self) -> int:
        """The distance from one line to the next."""
        return round(self.size * _LINE)

    @property
    def height(self) -> int:
        """The height of all lines."""
        return self.line_height * len(self.lines)


@frozen
class Place:
    """Where a cell's picture, or what stands for it, is drawn. `cell` is None if never asked."""

    cell: Cell | None
    x: int
    y: int
    width: int
    height: int


@frozen
class Rule:
    """A thin level line."""

    x: int
    y: int
    width: int


@frozen
class Sheet:
    """One picture file, in pixels."""

    width: int
    height: int
    texts: tuple[Text, ...]
    places: tuple[Place, ...]
    rules: tuple[Rule, ...]

    @property
    def fits(self) -> bool:
        """Whether it is within the limits."""
        return max(self.width, self.height) <= MAX_SIDE and self.width * self.height <= MAX_PIXELS


def lay_out(grid: Grid, fonts: Fonts, *, cell: int = DEFAULT_CELL) -> tuple[Sheet, ...]:
    """Return the sheets that show a run: one, where cells of MIN_CELL pixels or more allow it.

    `cell` is the longest side of a picture. Pictures are never enlarged.
    """
    side = max(cell, MIN_CELL)
    while True:
        table = _as_table(grid, side)
        sheet = _Draft(table, fonts, side).sheet()
        if sheet.fits:
            return (sheet,)
        if side == MIN_CELL:
            return tuple(_Draft(part, fonts, side).sheet() for part in _split(table, fonts))
        side = max(MIN_CELL, round(side * _SHRINK))


def _as_table(grid: Grid, side: int) -> Grid:
    """Return a gallery as rows of equal length, with no headings."""
    if not grid.is_gallery:
        return grid
    cells = grid.run.cells
    room = (MAX_SIDE - 2 * MARGIN) // (max(side, _MIN_COLUMN) + _gap(side))
    across = max(1, min(len(cells), ceil(sqrt(len(cells) * 1.5)), room))
    rows = tuple(cells[i : i + across] for i in range(0, len(cells), across))
    return replace(grid, columns=((),) * across, rows=((),) * len(rows), cells=rows)


def _split(table: Grid, fonts: Fonts) -> Iterator[Grid]:
    """Yield parts of a table that fit on a sheet each: of as many columns, then rows, as can be."""

    def fits(columns: slice, rows: slice) -> bool:
        part = table.part(rows=rows, columns=columns)
        return _Draft(part, fonts, MIN_CELL).sheet().fits

    one_row = slice(0, 1)
    for columns in _slices(len(table.columns), lambda columns: fits(columns, one_row)):
        for rows in _slices(len(table.rows), partial(fits, columns)):
            yield table.part(rows=rows, columns=columns)


def _slices(count: int, fits: Callable[[slice], bool]) -> Iterator[slice]:
    """Yield slices of `count` things, each as long as `fits` allows, and one thing at least."""
    start = 0
    while start < count:
        ends = range(start + 1, count + 1)
        found = bisect_left(ends, 1, key=lambda end: 1 - fits(slice(start, end)))
        end = start + max(1, found)
        yield slice(start, end)
        start = end


def _gap(side: int) -> int:
    return max(10, side // 16)


class _Draft:
    """One sheet while it is laid out, from the top to the bottom."""

    def __init__(self, table: Grid, fonts: Fonts, side: int) -> None:
        self._table, self._fonts, self._side = table, fonts, side
        self._texts: list[Text] = []
        self._places: list[Place] = []
        self._rules: list[Rule] = []
        self._gutter = self._gutter_width()
        self._widths = [self._column_width(n) for n in range(len(table.columns))]
        gap, left = _gap(side), MARGIN + self._gutter
        self._lefts = [left + sum(self._widths[:n]) + n * gap for n in range(len(self._widths))]
        self._right = max(self._lefts[-1] + self._widths[-1], MARGIN + _MIN_WIDTH)

    def sheet(self) -> Sheet:
        """Return the sheet with everything in its place."""
        bottom = self._rows(self._column_headings(self._head(MARGIN - 8)))
        return Sheet(
            width=self._right + MARGIN,
            height=bottom + MARGIN,
            texts=tuple(self._texts),
            places=tuple(self._places),
            rules=tuple(self._rules),
        )

    def _text(
        self,
        text: str,
        x: int,
        room: int,
        *,
        size: int = _LABEL,
        colour: str = INK,
        otherwise: str = "",
        middle: bool = False,
    ) -> Text:
        """Return `text` in lines of at most `room` pixels, as yet at the top of the sheet."""
        fitted, font = self._fonts.fit(readable(text[:_MAX_TEXT]), otherwise=otherwise)
        lines = wrapped(fitted, room, font, size, middle=middle)
        return Text(x=x, y=0, lines=lines, size=size, font=font, colour=colour)

    def _heading(self, span: Span, x: int, room: int, size: int = _LABEL) -> Text:
        middle = span.axis.kind in (Kind.MODEL, Kind.SERVICE)
        otherwise = f"{span.axis.kind} {span.value + 1}"
        return self._text(span.label, x, room, size=size, otherwise=otherwise, middle=middle)

    def _put(self, text: Text, y: int) -> int:
        """Place a text, and return where the next may stand."""
        self._texts.append(replace(text, y=y))
        return y + text.height

    def _put_facts(self, facts: Sequence[str], x: int, y: int, room: int) -> int:
        """Place small texts one after the other, in as many lines as they need."""
        for line in packed(facts, room, lambda text: width(text, OWN_FONT, SMALL)):
            y = self._put(self._text(line, x, room, size=SMALL, colour=MUTED), y)
        return y

    def _gutter_width(self) -> int:
        """Return the room for the labels of the rows, with the gap beside it."""
        if not self._table.row_axes:
            return 0
        most = min(_MAX_GUTTER, max(_MIN_GUTTER, round(self._side * 0.75)))
        spans = self._table.row_spans(len(self._table.row_axes) - 1)
        labels = [self._heading(span, 0, most) for span in spans]
        wide = max(width(line, t.font, t.size) for t in labels for line in t.lines)
        return ceil(wide) + _gap(self._side)

    def _column_width(self, number: int) -> int:
        cells = [row[number] for row in self._table.cells if number < len(row)]
        return max(min(self._side, _MIN_COLUMN), *(self._box(cell)[0] for cell in cells))

    def _box(self, cell: Cell | None) -> tuple[int, int]:
        """Return how large a cell's picture, or what stands for it, is drawn."""
        saved = cell is not None and cell.state is State.SAVED
        size = ((cell.true_size or cell.asked) if cell else None) or _SQUARE
        longest = max(size.width, size.height)
        scale = min(1.0, self._side / longest) if saved else self._side / longest
        wide, high = max(1, round(size.width * scale)), max(1, round(size.height * scale))
        least = min(self._side, _MIN_COLUMN)
        return (wide, high) if saved else (max(wide, least), max(high, _MIN_BLANK))

    def _head(self, y: int) -> int:
        run, room = self._table.run, self._right - MARGIN
        otherwise = f"{Kind.PROMPT} 1"
        title = self._text(words.title(run), MARGIN, room, size=_TITLE, otherwise=otherwise)
        y = self._put(title, y)
        return self._put_facts(words.facts(run), MARGIN, y + 4, room) + 24

    def _column_headings(self, y: int) -> int:
        levels = len(self._table.column_axes)
        for level in range(levels):
            spans = [(s, self._span_width(s)) for s in self._table.column_spans(level)]
            texts = [self._heading(s, self._lefts[s.start], room) for s, room in spans]
            bottom = y + max(text.height for text in texts)
            for text, (_, room) in zip(texts, spans, strict=True):
                self._put(text, bottom - text.height)
                self._rules.append(Rule(x=text.x, y=bottom + 4, width=room))
            y = bottom + 12
        return y + (4 if levels else 0)

    def _span_width(self, span: Span) -> int:
        last = span.start + span.length - 1
        return self._lefts[last] + self._widths[last] - self._lefts[span.start]

    def _rows(self, y: int) -> int:
        levels = range(len(self._table.row_axes))
        spans = [{span.start: span for span in self._table.row_spans(level)} for level in levels]
        for number, cells in enumerate(self._table.cells):
            for level in levels[:-1]:
                if number in spans[level]:
                    y = self._band(spans[level][number], y, level)
            label_end = y
            if levels:
                label = self._heading(spans[-1][number], MARGIN, self._gutter - _gap(self._side))
                label_end = self._put(label, y - 3)
            y = max(label_end, self._row(cells, y)) + _gap(self._side) + 6
            if y > MAX_SIDE or y * self._right > MAX_PIXELS:
                break  # it does not fit; there is no need to know by how much
        return y - _gap(self._side) - 6

    def _band(self, span: Span, y: int, level: int) -> int:
        """Set the heading of a group of rows over the whole width; return where they start."""
        room = self._right - MARGIN
        self._rules.append(Rule(x=MARGIN, y=y, width=room))
        return self._put(self._heading(span, MARGIN, room, _LABEL if level else _GROUP), y + 8) + 10

    def _row(self, cells: Sequence[Cell | None], y: int) -> int:
        """Place the pictures of a row and what is said of them; return where they end."""
        ends = []
        for cell, x, room in zip(cells, self._lefts, self._widths, strict=False):
            wide, high = self._box(cell)
            self._places.append(Place(cell=cell, x=x, y=y, width=wide, height=high))
            below = y + high + 5
            if cell is not None and self._table.is_gallery:
                below = self._put(self._gallery_label(cell, x, room), below)
            if cell is not None and cell.state is State.SAVED:
                below = self._put_facts(words.caption(cell), x, below, room)
            else:
                self._put_absence(cell, x + 10, y + 8, wide - 18)
            ends.append(below)
        return max(ends)

    def _gallery_label(self, cell: Cell, x: int, room: int) -> Text:
        number = self._table.run.cells.index(cell) + 1
        label = words.SEPARATOR.join(self._table.run.labels(cell))
        return self._text(label, x, room, size=SMALL, otherwise=f"image {number}")

    def _put_absence(self, cell: Cell | None, x: int, y: int, room: int) -> None:
        """Say inside a place why there is no picture, and what that cost."""
        first, *rest = words.absence(cell)
        failed = cell is not None and cell.state is State.FAILED
        size = _LABEL if failed and self._side > _MIN_COLUMN else SMALL
        title = self._text(first, x, room, size=size, colour=ALARM if failed else MUTED)
        self._put_facts(rest, x, self._put(title, y), room)
