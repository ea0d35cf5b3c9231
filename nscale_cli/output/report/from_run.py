"""A run's directory becomes what a report shows: axes from the plan, cells from the journals."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from nscale_cli.errors import Billed, ExitCode
from nscale_cli.output.report.cells import Axis, Cell, Failure, Kind, Run, State
from nscale_cli.request import SavedImage, Size
from nscale_cli.runs.comparison import KIND, shown
from nscale_cli.runs.journal import read_events
from nscale_cli.runs.ledger import Place
from nscale_cli.runs.plan import PlanHeader, PlannedRow, RunDirectory, require_header
from nscale_cli.runs.states import RowStates
from nscale_cli.runs.totals import RowOutcome, outcomes
from nscale_cli.storage.names import disk_path

MAX_ROWS = 10_000  # that are drawn; tables have them all
_UNSET = "not set"
_NOT_COMPARED = ("response_format",)  # how an image travels, not what it is


def read_run(directory: RunDirectory, trial: RunDirectory | None = None) -> Run:
    """Return what a comparison or a batch has come to, as far as its first MAX_ROWS rows.

    A plan in `trial` goes before the run's own. Raises UsageError where there is no run, and
    ConfigurationError where its books are damaged.
    """
    header = require_header(trial or directory)
    with RowStates(read_events(directory)) as states:
        all_rows = outcomes(Place(run=directory, trial=trial), states)
        rows = list(islice(all_rows, MAX_ROWS))
        left_out = sum(1 for _ in all_rows)
    kind = _Comparison if header.axes.get("kind") == KIND else _Batch
    return replace(kind(directory, header, rows).run(), left_out=left_out)


class _Axes:
    """Axes while their values are found, in the order in which they come."""

    def __init__(self) -> None:
        self._values: dict[tuple[Kind, str], dict[str, int]] = {}

    def add(self, kind: Kind, name: str, values: Iterable[str] = ()) -> None:
        """Have an axis, with these values at first."""
        self._values[kind, name] = {value: n for n, value in enumerate(dict.fromkeys(values))}

    def place(self, values: Sequence[str]) -> tuple[int, ...]:
        """Return where a cell with these values, one on each axis, is."""
        axes = self._values.values()
        return tuple(
            known.setdefault(value, len(known)) for known, value in zip(axes, values, strict=True)
        )

    def all(self) -> tuple[Axis, ...]:
        """Return the axes with all values that were met."""
        return tuple(
            Axis(kind=kind, name=name, values=tuple(values))
            for (kind, name), values in self._values.items()
        )


class _Comparison:
    """A run whose rows are all combinations of the values of its axes."""

    def __init__(
        self, directory: RunDirectory, header: PlanHeader, rows: Sequence[RowOutcome]
    ) -> None:
        self._directory, self._header, self._rows = directory, header, rows
        services: Mapping[str, str] = header.axes.get("services", {})  # type: ignore[assignment]
        self._names = {url: name for name, url in services.items()}
        self._fields = self._field_names()
        pairs = {(self._service(row.planned), row.planned.request.model) for row in rows}
        self._together = len(pairs) < _counts(pairs)
        self._axes = _Axes()

    def run(self) -> Run:
        """Return the run."""
        for kind, name in self._kinds():
            self._axes.add(kind, name)
        cells = tuple(cell for row in self._rows for cell in self._cells(row))
        title = self._header.axes.get("title")
        return Run(
            axes=self._axes.all(),
            cells=cells,
            title=str(title) if title else None,
            made=_made(self._rows),
        )

    def _kinds(self) -> Iterator[tuple[Kind, str]]:
        if len(self._names) > 1 and not self._together:
            yield Kind.SERVICE, "service"
        yield from ((Kind.MODEL, "model"), (Kind.SIZE, "size"))
        yield from ((Kind.FIELD, name) for name in self._fields)
        yield from ((Kind.PROMPT, "prompt"), (Kind.SAMPLE, "sample"))

    def _cells(self, row: RowOutcome) -> Iterator[Cell]:
        request = row.planned.request
        service, model = self._service(row.planned), request.model
        params = request.params
        values = [
            *([service] if len(self._names) > 1 and not self._together else []),
            f"{model}, {service}" if len(self._names) > 1 and self._together else model,
            str(request.size),
            *(shown(params[name]) if name in params else _UNSET for name in self._fields),
            request.prompt,
            row.planned.key.rpartition("#")[2],
        ]
        yield _cell(row, self._directory, self._axes.place(values), number=0)

    def _service(self, planned: PlannedRow) -> str:
        return self._names.get(planned.row.service or self._header.base_url, "")

    def _field_names(self) -> list[str]:
        varied: Sequence[str] = self._header.axes.get("fields", ())  # type: ignore[assignment]
        asked = (name for row in self._rows for name in row.planned.request.params)
        return [name for name in dict.fromkeys([*varied, *asked]) if name not in _NOT_COMPARED]


class _Batch:
    """A run whose rows come from a file, and have nothing in common."""

    def __init__(
        self, directory: RunDirectory, header: PlanHeader, rows: Sequence[RowOutcome]
    ) -> None:
        del header
        self._directory, self._rows = directory, rows

    def run(self) -> Run:
        """Return the run."""
        axes, cells = _Axes(), []
        axes.add(Kind.MODEL, "model")
        axes.add(Kind.SIZE, "size")
        axes.add(Kind.ROW, "row")
        axes.add(Kind.SAMPLE, "sample")
        labels = [_label(row.planned) for row in self._rows]
        for number, row in enumerate(self._rows):
            request = row.planned.request
            for sample in range(request.count):
                values = [request.model, str(request.size), str(number), str(sample + 1)]
                cells.append(_cell(row, self._directory, axes.place(values), number=sample))
        named = tuple(
            Axis(kind=axis.kind, name=axis.name, values=tuple(labels))
            if axis.kind is Kind.ROW
            else axis
            for axis in axes.all()
        )
        return Run(axes=named, cells=tuple(cells), made=_made(self._rows))


def _label(planned: PlannedRow) -> str:
    return (
        f"{planned.row.id}: {planned.request.prompt}" if planned.row.id else planned.request.prompt
    )


def _counts(pairs: set[tuple[str, str]]) -> int:
    return len({service for service, _ in pairs}) * len({model for _, model in pairs})


def _made(rows: Iterable[RowOutcome]) -> datetime | None:
    """Return when the first request was sent."""
    times = [row.history.sent_at for row in rows if row.history.sent_at]
    return datetime.fromisoformat(min(times)).astimezone() if times else None


def _cell(row: RowOutcome, directory: RunDirectory, at: tuple[int, ...], *, number: int) -> Cell:
    """Return the cell of image `number` (from 0) of a row."""
    planned, history = row.planned, row.history
    key = planned.key if planned.request.count == 1 else f"{planned.key}/{number + 1}"
    asked = planned.request.size if planned.request.send_size else None
    if number < len(history.images):
        cost = history.cost_usd
        return Cell(
            row=key,
            at=at,
            state=State.SAVED,
            asked=asked,
            image=_image(history.images[number], directory),
            seconds=history.seconds,
            cost_usd=None if cost is None else cost / len(history.images),
        )
    if row.code is None:
        return Cell(row=key, at=at, state=State.NOT_SENT, asked=asked)
    failure = _failure(row, row.code)
    return Cell(row=key, at=at, state=State.FAILED, asked=asked, failure=failure)


def _failure(row: RowOutcome, code: ExitCode) -> Failure:
    history = row.history
    return Failure(
        code=code.label,
        billed=row.billed,
        message=history.message or "the run was cut off before the answer",
        http_status=history.http_status if row.billed is not Billed.YES else None,
    )


def _image(data: Mapping[str, Any], directory: RunDirectory) -> SavedImage:
    width, height = data.get("width"), data.get("height")
    return SavedImage(
        path=directory.path / disk_path(str(data.get("path", ""))),
        format=str(data.get("format", "")),
        size=Size(width=width, height=height) if width and height else None,
        byte_count=int(data.get("bytes") or 0),
        sha256=str(data.get("sha256", "")),
        original_sha256=data.get("original_sha256"),
    )
