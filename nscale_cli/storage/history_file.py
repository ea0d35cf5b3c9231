"""The SQLite file of the history: made whole, brought up to date, set aside where it is damaged."""

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nscale_cli.errors import HistoryUnavailable
from nscale_cli.redact import excerpt
from nscale_cli.storage.disk import CREATE, OWNER_ONLY, is_at
from nscale_cli.storage.lock import directory_locked
from nscale_cli.storage.private_files import locked

if TYPE_CHECKING:
    import sqlite3

Result = TypeVar("Result")
Work = Callable[["sqlite3.Connection"], Result]
COMPANIONS = ("-wal", "-shm")  # what SQLite keeps beside a file that is open
_MAX_TRIES = 5
_DAMAGE_CODES = (11, 26)  # SQLITE_CORRUPT, SQLITE_NOTADB

# Each step leads from one version of the schema, which the file holds as its user_version, to the
# next. A step that was released is never changed.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE images (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            created_at TEXT NOT NULL,
            prompt TEXT NOT NULL,
            model TEXT NOT NULL,
            size TEXT,
            count INTEGER NOT NULL,
            params TEXT NOT NULL,
            base_url TEXT NOT NULL,
            sandbox INTEGER NOT NULL,
            path,
            format TEXT NOT NULL,
            width INTEGER,
            height INTEGER,
            bytes INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            original_sha256 TEXT NOT NULL,
            seconds REAL,
            cost_usd REAL,
            request_id TEXT,
            run
        )""",
        "CREATE INDEX images_sha256 ON images (sha256)",
        "CREATE INDEX images_original_sha256 ON images (original_sha256)",
    ),
)


class Database:
    """The file at `path`, opened at its first use. `warn` is told where a damaged one went.

    `patience_seconds` is how long another process is waited for; after one wait in vain, none is.
    """

    def __init__(
        self, path: Path, *, warn: Callable[[str], None], patience_seconds: float = 5
    ) -> None:
        self.path = path
        self._warn = warn
        self._patience_seconds = patience_seconds
        self._connection: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None  # which file it was
        self._opening = threading.Lock()  # it may be opened while the service is waited for

    def open(self) -> None:
        """Open the file, and make it where there is none; raise HistoryUnavailable if not."""
        self.run(lambda _: None)

    def run(self, work: Work[Result]) -> Result:
        """Return what `work` returns; raise HistoryUnavailable where the file does not allow it.

        A damaged file is set aside, and the work is done with a new one.
        """
        import sqlite3

        try:
            return self._attempt(work)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise self._unavailable(error) from None
        except OSError as error:
            raise self._unavailable(error) from None
        try:
            self._set_aside()
            return self._attempt(work)
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from None

    def write(self, work: Work[Result]) -> Result:
        """Do `work` in one transaction: all of it, or nothing."""

        def in_transaction(connection: "sqlite3.Connection") -> Result:
            with transaction(connection):
                return work(connection)

        return self.run(in_transaction)

    def close(self) -> None:
        """Close the file, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _attempt(self, work: Work[Result]) -> Result:
        with self._opening:
            connection = self._connection or self._open()
        return work(connection)

    def _open(self) -> "sqlite3.Connection":
        directory = self.path.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Held until SQLite has opened the companions, which it finds by their names: beside a
        # damaged file that was renamed meanwhile it would write into those of the new one.
        with directory_locked(directory, self._patience_seconds, shared=True):
            return self._open_or_create()

    def _open_or_create(self) -> "sqlite3.Connection":
        for _ in range(_MAX_TRIES):
            if not self.path.exists():
                _create(self.path)
            # Another process may set it aside between any two of these steps.
            with contextlib.suppress(FileNotFoundError):
                self._opened = self.path.stat()
                self._connection = _connect(self.path, self._patience_seconds)
                return self._connection
        raise FileNotFoundError(None, "it goes away again and again")

    def _unavailable(self, error: Exception) -> HistoryUnavailable:
        busy = "locked" in str(error) or "busy" in str(error)
        if busy:
            self._patience_seconds = 0
            if self._connection is not None:
                self._connection.execute("PRAGMA busy_timeout = 0")
        reason = getattr(error, "strerror", None) or str(error)
        return HistoryUnavailable(
            f"the history in {excerpt(str(self.path))} cannot be used: {excerpt(reason)}",
            hint="another program has it open; try again" if busy else None,
        )

    def _set_aside(self) -> None:
        """Rename the damaged file, unless another process has done so meanwhile."""
        self.close()
        alone = directory_locked(self.path.parent, self._patience_seconds, shared=False)
        with locked(self.path), alone:
            if self._opened is None or not is_at(self.path, self._opened):
                return
            aside = _set_aside(self.path)
        self._warn(f"the history was damaged; it is set aside as {aside}, and a new one begun")


@contextlib.contextmanager
def transaction(connection: "sqlite3.Connection") -> Iterator[None]:
    """Keep all that is done in the block, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):  # a failed COMMIT may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def set_aside_files(path: Path) -> list[Path]:
    """Return the damaged files that were once at `path`, and what belongs to them."""
    return sorted(path.parent.glob(f"{path.name}.damaged*"))


def _create(path: Path) -> None:
    """Make an empty history with its schema, for its owner alone, at once.

    A second process that does the same finds either nothing or the whole file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    _create_empty(temporary)
    try:
        _connect(temporary, 0).close()
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links: SQLite's own locks have to do
            with contextlib.suppress(FileExistsError):
                _create_empty(path)
    finally:
        temporary.unlink(missing_ok=True)


def _create_empty(path: Path) -> None:
    os.close(os.open(path, CREATE, OWNER_ONLY))


def _connect(path: Path, patience_seconds: float) -> "sqlite3.Connection":
    """Open a file that exists; raise FileNotFoundError where it does not."""
    import sqlite3

    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=patience_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError:
        path.stat()  # which raises, if it is not there
        raise
    try:
        _migrate(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")  # nothing in it is worth a wait
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with contextlib.suppress(sqlite3.OperationalError):  # or whoever is first does it
                connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: "sqlite3.Connection", path: Path) -> None:
    if _version(connection, path) == len(MIGRATIONS):
        return
    with transaction(connection):
        # Asked again: another process may have done it meanwhile.
        for step in MIGRATIONS[_version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: "sqlite3.Connection", path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise HistoryUnavailable(
            f"the history in {excerpt(str(path))} was written by a newer nscale",
            hint="update nscale; the file is left as it is",
        )
    return version


def is_damage(error: Exception) -> bool:
    """Return whether SQLite says that what the file holds makes no sense."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES


def _set_aside(path: Path) -> Path:
    """Rename the damaged file, and return its new name.

    What belongs to it goes first: beside a new file, SQLite would take it for that one's.
    """
    taken = len(set_aside_files(path))
    aside = path.with_name(f"{path.name}.damaged" + (f"-{taken + 1}" if taken else ""))
    for ending in (*COMPANIONS, ""):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{ending}", f"{aside}{ending}")  # noqa: PTH104 - text to add to
    return aside
