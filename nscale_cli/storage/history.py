"""What was made before: one entry for each saved image, in a file for its owner alone.

The file holds prompts, and the places of the images; never a key, nor the user's name: a path in
the home folder begins with `~`.
"""

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nscale_cli.request import Size
from nscale_cli.storage import history_search
from nscale_cli.storage.history_file import COMPANIONS, Database, set_aside_files, transaction
from nscale_cli.storage.history_search import Row
from nscale_cli.values import frozen

if TYPE_CHECKING:
    import sqlite3

FILE_NAME = "history.sqlite"
_MAX_PENDING = 1000  # entries that wait for a file that another process holds
_COLUMNS = (
    "created_at", "prompt", "model", "size", "count", "params", "base_url", "sandbox", "path",
    "format", "width", "height", "bytes", "sha256", "original_sha256", "seconds", "cost_usd",
    "request_id", "run",
)  # fmt: skip
_INSERT = f"INSERT INTO images ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"


@frozen
class HistoryEntry:
    """One saved image and the request that made it.

    `id` is 0 until it is written. `requested_size` is None where none was sent. `sha256` is that
    of the file, `original_sha256` that of its bytes before metadata were added. `run` is the
    directory of a run of many, or None.
    """

    id: int = 0
    created_at: datetime
    prompt: str
    model: str
    requested_size: str | None
    count: int
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    base_url: str
    sandbox: bool
    path: Path | None
    format: str
    size: Size | None
    byte_count: int
    sha256: str
    original_sha256: str
    seconds: float | None
    cost_usd: float | None
    request_id: str | None
    run: Path | None = None


@frozen
class HistoryQuery:
    """What to look for: the newest `limit` entries that have all of it."""

    words: tuple[str, ...] = ()
    model: str | None = None
    since: datetime | None = None
    limit: int = 20


class History:
    """The history at `path`. Whatever does not work raises HistoryUnavailable.

    `home` is the user's home directory, which is not written into it.
    """

    def __init__(
        self,
        path: Path,
        *,
        home: Path | None = None,
        warn: Callable[[str], None] = lambda _: None,
        patience_seconds: float = 5,
    ) -> None:
        self.path = path
        self._home = home
        self._database = Database(path, warn=warn, patience_seconds=patience_seconds)
        self._pending: deque[HistoryEntry] = deque(maxlen=_MAX_PENDING)

    def open(self) -> None:
        """Open the file ahead of its use, and make it where there is none."""
        self._database.open()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.exists()

    @property
    def byte_count(self) -> int:
        """How large the file is, with what SQLite keeps beside it."""
        sizes = []
        for ending in ("", *COMPANIONS):
            with contextlib.suppress(OSError):
                sizes.append(Path(f"{self.path}{ending}").stat().st_size)
        return sum(sizes)

    def record(self, entries: Iterable[HistoryEntry]) -> None:
        """Write the entries; those that could not be written go with the next that can."""
        self._pending.extend(entries)
        rows = [self._row(entry) for entry in self._pending]
        self._database.write(lambda connection: _insert(connection, rows))
        self._pending.clear()

    def search(self, query: HistoryQuery) -> list[HistoryEntry]:
        """Return the newest entries that the query asks for, the newest first."""
        conditions, values = ["TRUE"], []
        if query.model is not None:
            conditions.append("images.model = ?")
            values.append(query.model)
        if query.since is not None:
            conditions.append("images.created_at >= ?")
            values.append(_moment(query.since))
        where = " AND ".join(conditions)
        return self._entries(
            lambda connection: history_search.search(
                connection, query.words, where, values, query.limit
            )
        )

    def entry(self, entry_id: int) -> HistoryEntry | None:
        """Return the entry of that id, or None."""
        return next(iter(self._select("id = ?", entry_id)), None)

    def of_file(self, sha256: str) -> list[HistoryEntry]:
        """Return the entries of a file by what it holds, with or without metadata of ours."""
        return self._select("sha256 = ? OR original_sha256 = ?", sha256, sha256)

    def count(self) -> int:
        """Return how many entries there are."""
        if not self.exists:
            return 0
        query = "SELECT count(*) FROM images"
        return self._database.run(lambda connection: int(connection.execute(query).fetchone()[0]))

    def clear(self, *, entry_id: int | None = None, before: datetime | None = None) -> int:
        """Remove one entry, those from before a moment, or all; return how many.

        What they held is gone from the file and from what SQLite keeps beside it.
        """
        where = "TRUE"
        values: list[object] = []
        if entry_id is not None:
            where, values = "id = ?", [entry_id]
        elif before is not None:
            where, values = "created_at < ?", [_moment(before)]
        else:
            for path in set_aside_files(self.path):
                path.unlink(missing_ok=True)
        if not self.exists:
            return 0
        return self._database.run(lambda connection: _erase(connection, where, values))

    def _select(self, where: str, *values: object) -> list[HistoryEntry]:
        query = f"SELECT * FROM images WHERE {where} ORDER BY id DESC LIMIT {_MAX_PENDING}"
        return self._entries(lambda connection: connection.execute(query, values).fetchall())

    def _entries(self, rows: "Callable[[sqlite3.Connection], list[Row]]") -> list[HistoryEntry]:
        if not self.exists:
            return []
        return [self._entry(row) for row in self._database.run(rows)]

    def _row(self, entry: HistoryEntry) -> Row:
        return (
            _moment(entry.created_at),
            entry.prompt,
            entry.model,
            entry.requested_size,
            entry.count,
            json.dumps(dict(entry.params), ensure_ascii=False),
            entry.base_url,
            int(entry.sandbox),
            self._stored(entry.path),
            entry.format,
            entry.size.width if entry.size else None,
            entry.size.height if entry.size else None,
            entry.byte_count,
            entry.sha256,
            entry.original_sha256,
            entry.seconds,
            entry.cost_usd,
            entry.request_id,
            self._stored(entry.run),
        )

    def _entry(self, row: Row) -> HistoryEntry:
        value: dict[str, Any] = dict(zip(("id", *_COLUMNS), row, strict=True))
        width, height = value.pop("width"), value.pop("height")
        return HistoryEntry(
            created_at=datetime.fromisoformat(value.pop("created_at")),
            requested_size=value.pop("size"),
            params=json.loads(value.pop("params")),
            sandbox=bool(value.pop("sandbox")),
            path=self._found(value.pop("path")),
            size=Size(width=width, height=height) if width and height else None,
            byte_count=value.pop("bytes"),
            run=self._found(value.pop("run")),
            **value,
        )

    def _stored(self, path: Path | None) -> str | bytes | None:
        """Return a path as it is written: below `~`, and as bytes where it is no UTF-8."""
        if path is None:
            return None
        homes = () if self._home is None else (self._home, Path(os.path.realpath(self._home)))
        for home in homes:
            if path.is_relative_to(home):
                path = "~" / path.relative_to(home)
                break
        raw = os.fsencode(path)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw

    def _found(self, stored: str | bytes | None) -> Path | None:
        if stored is None:
            return None
        path = Path(os.fsdecode(stored.encode() if isinstance(stored, str) else stored))
        if self._home is not None and path.parts[:1] == ("~",):
            return self._home.joinpath(*path.parts[1:])
        return path


def _moment(moment: datetime) -> str:
    """Return the moment in UTC, such that later ones sort behind."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _insert(connection: "sqlite3.Connection", rows: Sequence[Row]) -> None:
    connection.executemany(_INSERT, rows)
    with contextlib.suppress(Exception):  # without an index, a search looks at each entry
        history_search.extend_index(connection)


def _erase(connection: "sqlite3.Connection", where: str, values: Sequence[object]) -> int:
    connection.execute("PRAGMA secure_delete = ON")
    with transaction(connection):
        count = connection.execute(f"DELETE FROM images WHERE {where}", values).rowcount
        history_search.drop_index(connection)
    connection.execute("VACUUM")
    # Else the pages that held them live on in the write-ahead log.
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise TimeoutError("busy: another process is reading it; clear it again")
    return int(count)
