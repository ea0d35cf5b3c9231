"""A mapping that may outgrow memory: the only owner of temporary databases."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Cursor

_CACHE_KIB = 4096


class SpilledMap:
    """Text by text, of any number, in a few MiB of memory; gone when it is closed.

    Small ones never touch the disk. Raises OSError where the disk has no room for a large one.
    """

    def __init__(self) -> None:
        import sqlite3

        # A database without a name is private, and SQLite removes its file however this ends.
        self._database = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE entries (key PRIMARY KEY, value) WITHOUT ROWID")
        self._database.execute("BEGIN")  # and never ended: there is nothing to keep

    def close(self) -> None:
        """Forget everything, and give the disk's room back."""
        with suppress(OSError):
            self._database.close()

    def get(self, key: str) -> str | None:
        """Return the value of `key`, or None."""
        row = self._execute("SELECT value FROM entries WHERE key = ?", key).fetchone()
        return None if row is None else str(row[0])

    def __setitem__(self, key: str, value: str) -> None:
        self._execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", key, value)

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield each key with its value, in the order of the keys."""
        yield from self._execute("SELECT key, value FROM entries ORDER BY key")

    def _execute(self, statement: str, *values: str) -> "Cursor":
        import sqlite3

        try:
            return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise OSError(None, f"a temporary file could not be written: {error}") from None
