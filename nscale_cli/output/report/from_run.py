"""A run's directory becomes what a report shows: axes from the plan, cells from the journals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from nscale_cli.errors import Billed
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
    read = _comparison if header.axes.get("kind") == KIND else _batch
    title = header.axes.get("title")
    return replace(
        read(directory, header, rows),
        title=str(title) if title else None,
        made=_made(rows),
        left_out=left_out,
    )


class _Axes:
    """Axes while their values are found, in the order in which they come."""

    def __init__(self, axes: Iterable[tuple[Kind, str]]) -> None:
        self._values: dict[tuple[Kind, str], dict[str, int]] = {axis: {} for axis in axes}

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


def _comparison(directory: RunDirectory, header: PlanHeader, rows: Sequence[RowOutcome]) -> Run:
    """Return a run whose rows are all combinations of the values of its axes."""
    urls: Mapping[str, str] = header.axes.get("services", {})  # type: ignore[assignment]
    names = {url: name for name, url in urls.items()}
    services = [names.get(row.planned.row.service or header.base_url, "") for row in rows]
    models = [row.planned.request.model for row in rows]
    several = len(names) > 1
    # Where not each service has each model, the two are one axis.
    together = len(set(zip(services, models, strict=True))) < len(set(services)) * len(set(models))
    fields = _field_names(header, rows)
    axes = _Axes(
        [
            *([(Kind.SERVICE, "service")] if several and not together else []),
            (Kind.MODEL, "model"),
            (Kind.SIZE, "size"),
            *((Kind.FIELD, name) for name in fields),
            (Kind.PROMPT, "prompt"),
            (Kind.SAMPLE, "sample"),
        ]
    )
    cells = []
    for row, service, model in zip(rows, services, models, strict=True):
        request = row.planned.request
        values = [
            *([service] if several and not together else []),
            f"{model}, {service}" if several and together else model,
            str(request.size),
            *(shown(request.params[name]) if name in request.params else _UNSET for name in fields),
            request.prompt,
            row.planned.key.rpartition("#")[2],
        ]
        cells.append(_cell(row, directory, axes.place(values), number=0))
    return Run(axes=axes.all(), cells=tuple(cells))


def _field_names(header: PlanHeader, rows: Sequence[RowOutcome]) -> list[str]:
    varied: Sequence[str] = header.axes.get("fields", ())  # type: ignore[assignment]
    asked = (name for row in rows for name in row.planned.request.params)
    return [name for name in dict.fromkeys([*varied, *asked]) if name not in _NOT_COMPARED]


def _batch(directory: RunDirectory, _: PlanHeader, rows: Sequence[RowOutcome]) -> Run:
    """Return a run whose rows come from a file, and have nothing in common."""
    axes = _Axes((kind, kind.value) for kind in (Kind.MODEL, Kind.SIZE, Kind.ROW, Kind.SAMPLE))
    cells = []
    for number, row in enumerate(rows):
        request = row.planned.request
        for sample in range(request.count):
            values = [request.model, str(request.size), str(number), str(sample + 1)]
            cells.append(_cell(row, directory, axes.place(values), number=sample))
    labels = tuple(_label(row.planned) for row in rows)
    named = (replace(axis, values=labels) if axis.kind is Kind.ROW else axis for axis in axes.all())
    return Run(axes=tuple(named), cells=tuple(cells))


def _label(planned: PlannedRow) -> str:
    prompt = planned.request.prompt
    return f"{planned.row.id}: {prompt}" if planned.row.id else prompt


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
    failure = Failure(
        code=row.code.label,
        billed=row.billed,
        message=history.message or "the run was cut off before the answer",
        http_status=history.http_status if row.billed is not Billed.YES else None,
    )
    return Cell(row=key, at=at, state=State.FAILED, asked=asked, failure=failure)


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
