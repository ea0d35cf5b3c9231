"""What a run leaves beside its images: a table of all rows, and the failed ones as input again."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from nscale_cli.errors import ExitCode
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.runs.shards import Shard
from nscale_cli.runs.totals import RowOutcome
from nscale_cli.storage.replace import replacing

COLUMNS = (
    "row", "number", "line", "id", "service", "model", "size", "prompt", "params",
    "state", "path", "format", "width", "height", "bytes", "sha256", "seconds", "cost_usd",
    "code", "billed", "http_status", "message",
)  # fmt: skip
# A spreadsheet would take a cell that begins so for a formula, and run it.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def write_results(run: RunDirectory, outcomes: Iterable[RowOutcome]) -> None:
    """Write a line for each image, and one for each row without; raise OSError."""
    with replacing(run.results, by_way_of=run.bookkeeping) as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for outcome in outcomes:
            for image in outcome.history.images or [{}]:
                cells = _cells(outcome, image)
                table.writerow([harmless(cells.get(name)) for name in COLUMNS])


def write_failed(
    run: RunDirectory, shard: Shard, outcomes: Iterable[RowOutcome], redact: Callable[[str], str]
) -> None:
    """Write the shard's rows that failed as JSON lines that are rows again; raise OSError.

    Rows that were never sent have not failed. Without any there is no file.
    """
    path = run.bookkeeping / f"failed{shard.suffix}.jsonl"
    failed = (outcome for outcome in outcomes if outcome.code is not None)
    first = next(failed, None)
    if first is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path, by_way_of=run.bookkeeping) as file:
        for outcome in chain([first], failed):
            file.write(json.dumps(_as_row(outcome, redact), ensure_ascii=False) + "\n")


def _cells(outcome: RowOutcome, image: Mapping[str, object]) -> dict[str, object]:
    planned, history = outcome.planned, outcome.history
    params = dict(planned.request.params)
    cells: dict[str, object] = {
        "row": planned.key,
        "number": planned.number,
        "line": planned.row.line or None,
        "id": planned.row.id,
        "model": planned.request.model,
        "size": str(planned.request.size),
        "prompt": planned.request.prompt,
        "service": planned.row.service or None,
        "params": json.dumps(params, ensure_ascii=False) if params else None,
        "state": history.state.value,
        "seconds": history.seconds,
        "cost_usd": history.cost_usd,
    }
    if outcome.code is not None:
        cells |= {
            "code": outcome.code.label,
            "billed": outcome.billed.value,
            "http_status": history.http_status,
            "message": history.message,
        }
    return {**cells, **image}


def _as_row(outcome: RowOutcome, redact: Callable[[str], str]) -> dict[str, object]:
    row, request = outcome.planned.row, outcome.planned.request
    code = outcome.code or ExitCode.OK
    own = {"id": row.id, "out": row.out, "params": dict(request.params), **row.fields}
    return {
        "prompt": request.prompt,
        "model": request.model,
        "size": str(request.size),
        "n": request.count,
        **{name: value for name, value in own.items() if value},
        "error": {
            "code": code.label,
            "billed": outcome.billed.value,
            "message": redact(outcome.history.message),
        },
    }


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return f"'{value}"
    return value
