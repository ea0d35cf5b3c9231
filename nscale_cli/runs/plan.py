"""The plan of a run: each row with its key and its path, in one file that is streamed both ways.

    header = read_header(run)                # None where the folder holds no run yet
    for planned in read_plan(run): ...       # one row in memory at a time, as often as wanted

`planning.py` writes it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from itertools import count
from pathlib import Path
from typing import Any

from nscale_cli import __version__
from nscale_cli.errors import ConfigurationError, UsageError
from nscale_cli.request import ImageRequest, Size
from nscale_cli.runs.row_names import BOOKKEEPING, require_inside, shown_path
from nscale_cli.runs.rows import Row
from nscale_cli.values import frozen

PLAN_VERSION = 1
LAST_LINE = "]}"
_MAX_LINE_BYTES = 16 * 1024 * 1024


@frozen
class RunDirectory:
    """Where a run is: images in `path`, where a user looks for them; bookkeeping in `path`/run."""

    path: Path

    @property
    def bookkeeping(self) -> Path:
        """Where plan, journals, locks and failed rows are."""
        return self.path / BOOKKEEPING

    @property
    def plan(self) -> Path:
        """The file of the plan."""
        return self.bookkeeping / "plan.json"

    @property
    def results(self) -> Path:
        """The table of all rows."""
        return self.path / "results.csv"

    @property
    def results_lock(self) -> Path:
        """What is locked by whoever writes the table of all rows and may not be alone."""
        return self.bookkeeping / "results"

    def journals(self) -> list[Path]:
        """Return all journals that there are: one, or one for each shard."""
        return sorted(self.bookkeeping.glob("journal*.jsonl"))


@frozen
class PlanHeader:
    """What holds for all rows.

    `base_url` is where they are bought, `defaults` what they ask for where they do not say so
    themselves, `axes` what a comparison varies.
    """

    base_url: str
    defaults: Mapping[str, object] = field(default_factory=dict)
    axes: Mapping[str, object] = field(default_factory=dict)


@frozen
class PlannedRow:
    """A row with its key, its place in the plan (from 1), and its path.

    `path` is a template relative to the run's directory; `row_names.target_of` makes a Target of
    it.
    """

    key: str
    number: int
    path: str
    row: Row

    @property
    def request(self) -> ImageRequest:
        """What the service is asked for."""
        return self.row.request

    @property
    def label(self) -> str:
        """The row's key, as it can stand in the name of a file."""
        return self.key.replace("#", "-")


def read_header(run: RunDirectory) -> PlanHeader | None:
    """Return what holds for all rows of the plan, or None where there is no plan.

    Raises ConfigurationError for a plan that is damaged, or of a newer version.
    """
    try:
        with run.plan.open("rb") as file:
            line = file.readline(_MAX_LINE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{run.plan} cannot be read: {error.strerror}") from None
    try:
        data = json.loads(line.rstrip() + LAST_LINE.encode())
        version = int(data["version"])
        header = PlanHeader(
            base_url=str(data["base_url"]), defaults=dict(data["defaults"]), axes=dict(data["axes"])
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(run, 1) from None
    if version > PLAN_VERSION:
        raise ConfigurationError(
            f"{run.plan} is of version {version}; this nscale knows up to {PLAN_VERSION}",
            hint="go on with the nscale that made it, or a newer one",
        )
    return header


def require_header(run: RunDirectory) -> PlanHeader:
    """Return what holds for all rows of the plan; raise UsageError where there is no plan."""
    header = read_header(run)
    if header is None:
        raise UsageError(
            f"{run.path} holds no run: there is no {run.plan.relative_to(run.path)} in it",
            hint="start one with nscale images batch FILE -o DIR",
        )
    return header


def read_plan(run: RunDirectory) -> Iterator[PlannedRow]:
    """Yield the rows of the plan in their order; raise ConfigurationError where it is damaged."""
    require_header(run)
    with run.plan.open("rb") as file:
        file.readline(_MAX_LINE_BYTES)
        for number in count(2):
            line = file.readline(_MAX_LINE_BYTES).strip()
            if line == LAST_LINE.encode():
                return
            try:
                planned = _row_of(json.loads(line.removesuffix(b",")))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError):
                raise _damaged(run, number) from None
            yield planned


def _damaged(run: RunDirectory, line: int) -> ConfigurationError:
    return ConfigurationError(
        f"{run.plan}, line {line}, is damaged",
        hint="remove that file and give nscale images batch FILE again; the journal beside it "
        "tells what was bought",
    )


def header_line(header: PlanHeader) -> str:
    """Return the plan's first line."""
    data = {
        "version": PLAN_VERSION,
        "nscale": __version__,
        "base_url": header.base_url,
        "defaults": dict(header.defaults),
        "axes": dict(header.axes),
    }
    return json.dumps(data, ensure_ascii=False).removesuffix("}") + ', "rows": ['


def row_data(planned: PlannedRow) -> dict[str, object]:
    """Return the row as JSON, without what is empty."""
    row, request = planned.row, planned.request
    data = {
        "row": planned.key,
        "number": planned.number,
        "path": planned.path,
        "line": row.line,
        "id": row.id,
        "model": request.model,
        "prompt": request.prompt,
        "size": str(request.size),
        "n": request.count,
        "params": dict(request.params),
        "out": row.out,
        "fields": dict(row.fields),
        "service": row.service,
    }
    kept = {name: value for name, value in data.items() if value not in ("", {}, 0)}
    return kept if request.send_size else kept | {"send_size": False}


def _row_of(data: dict[str, Any]) -> PlannedRow:
    request = ImageRequest(
        prompt=data["prompt"],
        model=data["model"],
        size=Size.parse(data["size"]),
        count=int(data["n"]),
        params=dict(data.get("params", {})),
        send_size=bool(data.get("send_size", True)),
    )
    row = Row(
        request=request,
        line=int(data.get("line", 0)),
        id=str(data.get("id", "")),
        out=str(data.get("out", "")),
        fields=dict(data.get("fields", {})),
        service=str(data.get("service", "")),
    )
    # The folder may have come from somebody else, and no path in it may lead out of it.
    require_inside(shown_path(data["path"]))
    return PlannedRow(key=str(data["row"]), number=int(data["number"]), path=data["path"], row=row)
