"""Rows for tests, as a file would give them."""

from datetime import UTC, datetime
from pathlib import Path

from nscale_cli.request import ImageRequest, Size
from nscale_cli.runs.plan import PlanHeader, PlannedRow, RunDirectory, read_plan
from nscale_cli.runs.planning import PlanSummary, write_plan
from nscale_cli.runs.row_names import RowNames
from nscale_cli.runs.rows import MistakeList, Row

SERVICE = "https://images.example/v1"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def request(prompt: str = "A red fox", *, count: int = 1, **changes: object) -> ImageRequest:
    """Return a request for small images."""
    values = {"model": "a/model", "size": Size(width=64, height=64)} | changes
    return ImageRequest(prompt=prompt, count=count, **values)  # type: ignore[arg-type]


def row(prompt: str = "A red fox", *, line: int = 1, count: int = 1, **changes: object) -> Row:
    """Return a row that asks for small images."""
    return Row(request=request(prompt, count=count), line=line, **changes)  # type: ignore[arg-type]


def names(template: str | None = None, *, rows_at_most: int = 9) -> RowNames:
    """Return the names of a run at noon."""
    return RowNames(template, now=NOW, rows_at_most=rows_at_most)


def plan(
    folder: Path,
    rows: list[Row],
    *,
    base_url: str = SERVICE,
    template: str | None = None,
    **options: object,
) -> PlanSummary:
    """Plan these rows in `folder`."""
    return write_plan(
        RunDirectory(path=folder),
        PlanHeader(base_url=base_url),
        rows,
        names=names(template),
        mistakes=MistakeList("rows"),
        **options,  # type: ignore[arg-type]
    )


def planned(folder: Path) -> list[PlannedRow]:
    """Return the rows of the plan in `folder`."""
    return list(read_plan(RunDirectory(path=folder)))
