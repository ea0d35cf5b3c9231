"""What was made before, as the user sees it: a row for each image, or all of one."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nscale_cli.output.result import Result
from nscale_cli.output.tables import format_table
from nscale_cli.redact import clean, excerpt
from nscale_cli.request import Size
from nscale_cli.service.prices import dollars
from nscale_cli.storage.history import HistoryEntry
from nscale_cli.storage.names import text_of
from nscale_cli.values import frozen

_MAX_MODEL, _MAX_NAME, _LEAST_PROMPT = 40, 40, 30


@frozen
class HistoryListed(Result):
    """The entries that were looked for, the newest first; `columns` are what a line may fill."""

    command = "history list"
    entries: Sequence[HistoryEntry]
    columns: int
    nothing: str = ""

    def notes(self) -> Sequence[str]:
        """Say why there are none."""
        return [] if self.entries else [self.nothing]

    def lines(self) -> list[str]:
        """Return a row for each entry, with as much of its prompt as there is room for."""
        if not self.entries:
            return []
        header = ("ID", "WHEN", "MODEL", "FILE", "PROMPT")
        rows = [_row(entry) for entry in self.entries]
        start = format_table([row[:-1] for row in [header, *rows]])
        room = max(_LEAST_PROMPT, self.columns - max(map(len, start)) - 2)
        return format_table([header, *((*row[:-1], excerpt(row[-1], room)) for row in rows)])

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {"images": [entry_data(entry) for entry in self.entries]}


@frozen
class HistoryShown(Result):
    """All that is remembered of one image."""

    command = "history show"
    entry: HistoryEntry

    def lines(self) -> list[str]:
        """Return a row for each field that is known."""
        return format_table(list(fields_of(self.entry)))

    def remarks(self) -> Sequence[str]:
        """Say how to make it again."""
        return [f"make it again: nscale images rerun {self.entry.id}"]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {"image": entry_data(self.entry)}


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    when = entry.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    name = "-" if entry.path is None else excerpt(text_of(Path(entry.path.name)), _MAX_NAME)
    if entry.path is not None and not os.path.lexists(entry.path):
        name += " (gone)"
    return str(entry.id), when, excerpt(entry.model, _MAX_MODEL), name, entry.prompt


def fields_of(entry: HistoryEntry) -> Iterator[tuple[str, str]]:
    """Yield what is known of an image, in words."""
    yield "id", str(entry.id)
    yield "made", entry.created_at.astimezone().isoformat(sep=" ", timespec="seconds")
    yield "prompt", clean(entry.prompt)
    yield "model", clean(entry.model)
    yield "size", _size(entry)
    if entry.count > 1:
        yield "count", f"{entry.count} images were asked for at once"
    if entry.params:
        yield "params", clean(json.dumps(dict(entry.params), ensure_ascii=False))
    yield "service", "the sandbox" if entry.sandbox else clean(entry.base_url)
    yield "file", _file(entry)
    yield "format", f"{entry.format.upper()}, {entry.byte_count} bytes"
    yield "sha256", entry.sha256
    if entry.original_sha256 != entry.sha256:
        yield "without metadata", entry.original_sha256
    if entry.seconds is not None:
        yield "took", f"{entry.seconds:.1f} s"
    if entry.cost_usd is not None:
        yield "cost", f"about ${dollars(entry.cost_usd)}"
    if entry.request_id:
        yield "request id", clean(entry.request_id)
    if entry.run is not None:
        yield "run", clean(text_of(entry.run))


def _size(entry: HistoryEntry) -> str:
    came = str(entry.size) if entry.size else "unknown"
    if entry.requested_size is None or entry.requested_size == came:
        return came
    return f"{came} (asked for {clean(entry.requested_size)})"


def _file(entry: HistoryEntry) -> str:
    if entry.path is None:
        return "it went to standard output"
    gone = "" if os.path.lexists(entry.path) else " (no longer there)"
    return clean(text_of(entry.path)) + gone


def entry_data(entry: HistoryEntry) -> dict[str, object]:
    """Return an entry for a script."""
    return {
        "id": entry.id,
        "created_at": moment_text(entry.created_at),
        "prompt": entry.prompt,
        "model": entry.model,
        "size": entry.requested_size,
        "count": entry.count,
        "params": dict(entry.params),
        "base_url": entry.base_url,
        "sandbox": entry.sandbox,
        **file_data(entry.path, entry.format, entry.size, entry.byte_count, entry.sha256),
        "original_sha256": entry.original_sha256,
        "seconds": entry.seconds,
        "cost_usd": entry.cost_usd,
        "request_id": entry.request_id,
        "run": None if entry.run is None else text_of(entry.run),
    }


def file_data(
    path: Path | None, image_format: str | None, size: Size | None, byte_count: int, sha256: str
) -> dict[str, object]:
    """Return what a script is told of any file with an image."""
    return {
        "path": None if path is None else text_of(path),
        "format": image_format,
        "width": size.width if size else None,
        "height": size.height if size else None,
        "bytes": byte_count,
        "sha256": sha256,
    }


def moment_text(moment: datetime) -> str:
    """Return a moment for a script: in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
