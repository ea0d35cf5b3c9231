"""Which axes of a run become columns and which rows, and what stands where."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, product
from math import prod

from nscale_cli.errors import UsageError
from nscale_cli.output.report.cells import Axis, Cell, Kind, Run
from nscale_cli.redact import excerpt
from nscale_cli.values import frozen

MAX_COLUMNS = 8  # more are hard to see side by side; one axis alone may have more
_MAX_STACK = 3  # so many pictures may stand in one column; more follow each other in a gallery
_AS_COLUMNS = (Kind.SERVICE, Kind.MODEL, Kind.SIZE, Kind.FIELD, Kind.SAMPLE)
_ALL = slice(None)
_AS_ROWS = (Kind.PROMPT, *_AS_COLUMNS)


@frozen
class Span:
    """A heading over `length` neighbouring columns or rows, the first of which is `start`."""

    start: int
    length: int
    axis: Axis
    value: int

    @property
    def label(self) -> str:
        """The text of the heading."""
        return self.axis.label(self.value)


@frozen
class Grid:
    """Rows and columns of a run; the outer axis comes first, and the inner ones nest in it.

    `columns` and `rows` hold the values on their axes. In a gallery there is nothing to lay side
    by side: it has neither, and the run's cells simply follow each other.
    """

    run: Run
    column_axes: tuple[Axis, ...] = ()
    row_axes: tuple[Axis, ...] = ()
    columns: tuple[tuple[int, ...], ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()
    cells: tuple[tuple[Cell | None, ...], ...] = ()
    is_gallery: bool = False

    def part(self, *, rows: slice = _ALL, columns: slice = _ALL) -> "Grid":
        """Return some of the rows and columns."""
        return replace(
            self,
            rows=self.rows[rows],
            columns=self.columns[columns],
            cells=tuple(row[columns] for row in self.cells[rows]),
        )

    def column_spans(self, level: int) -> list[Span]:
        """Return the headings on a level of the columns, 0 for the outer one."""
        return list(_spans(self.column_axes[level], self.columns, level))

    def row_spans(self, level: int) -> list[Span]:
        """Return the headings on a level of the rows, 0 for the outer one."""
        return list(_spans(self.row_axes[level], self.rows, level))


def arrange(run: Run, *, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> Grid:
    """Lay out a run; `rows` and `columns` name axes that the user wants there.

    Raises UsageError for a name that is no axis of the run.
    """
    down, across = _places(run, rows), _places(run, columns)
    across = across or _columns_by_default(run, leave=down)
    down = [place for place in down if place not in across]
    down += [place for place in _varying(run, _AS_ROWS) if place not in (*across, *down)]
    if _has_one_side(run, across, down) or any(axis.kind is Kind.ROW for axis in run.axes):
        return Grid(run=run, is_gallery=True)
    column_values, row_values = _product(run, across), _product(run, down)
    found = {cell.at: cell for cell in run.cells}
    return Grid(
        run=run,
        column_axes=tuple(run.axes[place] for place in across),
        row_axes=tuple(run.axes[place] for place in down),
        columns=column_values,
        rows=row_values,
        cells=tuple(
            tuple(found.get(_at(run, across + down, column + row)) for column in column_values)
            for row in row_values
        ),
    )


def _has_one_side(run: Run, across: Sequence[int], down: Sequence[int]) -> bool:
    """Return whether the cells would make one long row, or one long column."""
    if across and down:
        return False
    count = prod(len(run.axes[place].values) for place in (*across, *down))
    return count > (MAX_COLUMNS if across else _MAX_STACK)


def _places(run: Run, names: Sequence[str]) -> list[int]:
    """Return the places of the axes of these names, without those of a single value."""
    known = {axis.name: place for place, axis in enumerate(run.axes)}
    for name in names:
        if name not in known:
            raise UsageError(
                f"the run has no axis {excerpt(name, 40)!r}",
                hint=f"it has: {excerpt(', '.join(known))}",
            )
    return [known[name] for name in dict.fromkeys(names) if run.axes[known[name]].varies]


def _varying(run: Run, kinds: Sequence[Kind]) -> Iterator[int]:
    for kind in kinds:
        for place, axis in enumerate(run.axes):
            if axis.kind is kind and axis.varies:
                yield place


def _columns_by_default(run: Run, *, leave: Sequence[int]) -> list[int]:
    """Return the axes that are columns unless the user says otherwise: as many as fit."""
    across: list[int] = []
    count = 1
    for place in _varying(run, _AS_COLUMNS):
        if place in leave:
            continue
        count *= len(run.axes[place].values)
        if across and count > MAX_COLUMNS:
            break
        across.append(place)
    return across


def _product(run: Run, places: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple(product(*(range(len(run.axes[place].values)) for place in places)))


def _at(run: Run, places: Sequence[int], values: Sequence[int]) -> tuple[int, ...]:
    at = [0] * len(run.axes)
    for place, value in zip(places, values, strict=True):
        at[place] = value
    return tuple(at)


def _spans(axis: Axis, lines: Sequence[tuple[int, ...]], level: int) -> Iterator[Span]:
    for _, group in groupby(enumerate(lines), key=lambda item: item[1][: level + 1]):
        (start, values), *rest = group
        yield Span(start=start, length=1 + len(rest), axis=axis, value=values[level])
