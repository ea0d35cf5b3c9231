"""Making the plan of a run: keys, names, and every mistake, before anything is sent.

    names = RowNames(template, now=now, rows_at_most=count)
    summary = write_plan(run, header, rows, names=names, mistakes=mistakes)   # all or nothing

Where rows come from is not this module's affair: a file (`read_rows.py`), or axes.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from nscale_cli.errors import UsageError
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest
from nscale_cli.runs.plan import (
    LAST_LINE,
    PlanHeader,
    PlannedRow,
    RunDirectory,
    header_line,
    read_header,
    read_plan,
    row_data,
)
from nscale_cli.runs.row_names import RowNames
from nscale_cli.runs.rows import MistakeList, Row
from nscale_cli.storage.replace import replacing
from nscale_cli.storage.spill import SpilledMap

_DIGEST_DIGITS = 16


@dataclass(slots=True, kw_only=True)
class PlanSummary:
    """What a plan came to: rows, and how many of them are equal to earlier ones.

    `new_rows` are those that the plan which was there does not have; None where there was none.
    """

    rows: int = 0
    equal_rows: int = 0
    new_rows: int | None = None


def _digest_in(key: str) -> str:
    """Return the part of a key that equal rows share."""
    return key.partition("#")[0]


def digest_of(base_url: str, request: ImageRequest) -> str:
    """Return the part of a row's key that tells what is bought, and where."""
    body = json.dumps(request.body, sort_keys=True, separators=(",", ":"))
    return sha256(f"{base_url}\n{body}".encode()).hexdigest()[:_DIGEST_DIGITS]


def write_plan(
    run: RunDirectory,
    header: PlanHeader,
    rows: Iterable[Row],
    *,
    names: RowNames,
    mistakes: MistakeList,
    unique: bool = False,
    limit: int | None = None,
    trial: RunDirectory | None = None,
    approve: Callable[[PlanSummary], object] = lambda _: None,
) -> PlanSummary:
    """Write the plan of these rows, at once, and return what it comes to.

    Raises RowsRefused with the mistakes of all rows, and UsageError where the folder cannot be
    written; then the plan that was there stays. `unique` leaves out rows equal to an earlier one,
    `limit` all but the first; both are checked all the same. An equal plan is not written again,
    so that several shards can make it at the same time. `approve` may raise against a plan before
    it counts. A `trial` is where a plan goes that is not to count.
    """
    path = (trial or run).plan
    with closing(_Planning(run, header, names, mistakes)) as planning, _written(path) as file:
        file.write(header_line(header))
        for planned, count in planning.each(rows):
            if (unique and count > 1) or planning.summary.rows == limit:
                continue
            file.write(",\n" if planning.summary.rows else "\n")
            file.write(json.dumps(row_data(planned), ensure_ascii=False))
            planning.add(planned, count)
        mistakes.require_none()
        approve(planning.summary)
        file.write(f"\n{LAST_LINE}\n")
    return planning.summary


class _Planning:
    """Makes planned rows of rows, and notes what is wrong with their names and ids."""

    def __init__(
        self, run: RunDirectory, header: PlanHeader, names: RowNames, mistakes: MistakeList
    ) -> None:
        self.summary = PlanSummary()
        self._names, self._mistakes, self._base_url = names, mistakes, header.base_url
        self._counts, self._ids = SpilledMap(), SpilledMap()
        self._earlier, self._earlier_keys = SpilledMap(), SpilledMap()
        before = read_header(run)
        if before is not None and before.base_url == header.base_url:
            self.summary.new_rows = 0
            for planned in read_plan(run):
                self._earlier_keys[planned.key] = ""
                if planned.row.id:
                    self._earlier[planned.row.id] = _digest_in(planned.key)

    def close(self) -> None:
        """Forget names, ids and counts."""
        for each in (self._names, self._counts, self._ids, self._earlier, self._earlier_keys):
            each.close()

    def each(self, rows: Iterable[Row]) -> Iterator[tuple[PlannedRow, int]]:
        """Yield each row with how many equals there have been, itself included."""
        for number, row in enumerate(rows, start=1):
            key, count = self._key_for(row)
            try:
                path = self._names.path_for(row, number)
            except UsageError as error:
                self._mistakes.add(row.line, "out" if row.out else "", error.message)
                continue
            self._check_id(row, key)
            yield PlannedRow(key=key, number=number, path=path, row=row), count

    def add(self, planned: PlannedRow, count: int) -> None:
        """Count a row that is part of the plan."""
        summary = self.summary
        summary.rows += 1
        summary.equal_rows += count > 1
        if summary.new_rows is not None:
            summary.new_rows += self._earlier_keys.get(planned.key) is None

    def _key_for(self, row: Row) -> tuple[str, int]:
        """Return the row's key, and the how-manieth of its equals it is (from 1).

        Equal rows are counted, so that intended repeats stay repeats.
        """
        digest = digest_of(row.service or self._base_url, row.request)
        count = int(self._counts.get(digest) or 0) + 1
        self._counts[digest] = str(count)
        return f"{digest}#{count}", count

    def _check_id(self, row: Row, key: str) -> None:
        if not row.id:
            return
        name = excerpt(row.id, 60)
        line = self._ids.get(row.id)
        if line is not None:
            self._mistakes.add(row.line, "id", f"{name!r} is the id of line {line}, too")
        self._ids[row.id] = str(row.line)
        if self._earlier.get(row.id) not in (None, _digest_in(key)):
            self._mistakes.add(
                row.line,
                "id",
                f"{name!r} names another request in this folder's plan; give the row a new id",
            )


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    """Yield the file of a plan; raise UsageError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, by_way_of=path.parent) as file:
            yield file
    except OSError as error:
        raise UsageError(
            f"the folder {path.parent} cannot be written to: {error.strerror}; nothing was sent",
            hint="choose another with -o FOLDER",
        ) from None
