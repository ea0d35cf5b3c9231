"""Search in the history: an index of the prompts where SQLite has FTS5, else each is looked at.

A build of SQLite without FTS5 can write the same file; what it leaves out of the index is added by
the next that has it. The index only narrows down: which entries match is said by `_matches` alone,
with or without it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nscale_cli.storage.history_file import is_damage, transaction

if TYPE_CHECKING:
    import sqlite3

_MODULE = "fts5"
# Three characters at a time: finds parts of words, and words of scripts that put no spaces.
_INDEX = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS images_text"
    " USING {module} (prompt, content='images', content_rowid='id', tokenize='trigram')",
    "CREATE TABLE IF NOT EXISTS images_indexed (up_to INTEGER NOT NULL)",
)
_MAX_AT_ONCE = 1000  # entries; takes about 30 ms
_SHORTEST_INDEXED = 3
Row = Sequence[Any]


def search(
    connection: "sqlite3.Connection", words: Sequence[str], where: str, values: Row, limit: int
) -> list[Row]:
    """Return the newest rows whose prompt holds all `words`, in upper or lower case.

    `where` is a further condition on the table `images`, with `values` for its parameters.
    """
    wanted = [word.lower() for word in words]
    connection.create_function(
        "matches", 1, lambda prompt: _matches(prompt, wanted), deterministic=True
    )
    plain = [word for word in wanted if _is_plain(word)]
    conditions = [f"({where})", *("instr(lower(images.prompt), ?)" for _ in plain)]
    condition = " AND ".join([*conditions, "matches(images.prompt)"] if wanted else conditions)
    values = (*values, *plain)
    indexed = [word for word in wanted if len(word) >= _SHORTEST_INDEXED and "\0" not in word]
    source, order = "images", "images.id"
    if indexed and _catch_up(connection):
        source = "images_text JOIN images ON images.id = images_text.rowid"
        phrases = " ".join('"' + word.replace('"', '""') + '"' for word in indexed)
        condition, values = f"images_text MATCH ? AND {condition}", (phrases, *values)
        order = "images_text.rowid"
    query = f"SELECT images.* FROM {source} WHERE {condition} ORDER BY {order} DESC LIMIT ?"
    try:
        return connection.execute(query, (*values, limit)).fetchall()
    except Exception as error:
        if source == "images" or not is_damage(error):
            raise
    with transaction(connection):
        drop_index(connection)
    return search(connection, words, where, values[1 : len(values) - len(plain)], limit)


def _is_plain(word: str) -> bool:
    """Return whether SQLite's own functions, which are fast, find the word in any case."""
    return "\0" not in word and (word.isascii() or word == word.upper())


def _matches(prompt: str, words: Sequence[str]) -> bool:
    text = prompt.lower()
    return all(word in text for word in words)


def extend_index(connection: "sqlite3.Connection") -> None:
    """Add to the index the oldest entries that it lacks, in the transaction that is under way.

    Not all at once where they are many: nobody waits for that. Raises where there is no FTS5.
    """
    for statement in _INDEX:
        connection.execute(statement.format(module=_MODULE))
    (up_to,) = connection.execute("SELECT coalesce(max(up_to), 0) FROM images_indexed").fetchone()
    rows = connection.execute(
        "SELECT id, prompt FROM images WHERE id > ? ORDER BY id LIMIT ?", (up_to, _MAX_AT_ONCE)
    ).fetchall()
    if rows:
        connection.executemany("INSERT INTO images_text (rowid, prompt) VALUES (?, ?)", rows)
        connection.execute("DELETE FROM images_indexed")
        connection.execute("INSERT INTO images_indexed VALUES (?)", (rows[-1][0],))


def _catch_up(connection: "sqlite3.Connection") -> bool:
    """Bring the index further; return whether it has all entries now."""
    if _is_up_to_date(connection):
        return True
    try:
        with transaction(connection):
            extend_index(connection)
    except Exception as error:  # there is no FTS5, or the file cannot be written now
        if is_damage(error):
            with transaction(connection):
                drop_index(connection)
        return False
    return _is_up_to_date(connection)


def _is_up_to_date(connection: "sqlite3.Connection") -> bool:
    try:
        newest = "SELECT coalesce(max(id), 0) FROM images"
        query = f"SELECT max(up_to) = ({newest}) FROM images_indexed"
        return bool(connection.execute(query).fetchone()[0])
    except Exception:  # there is no index yet
        return False


def drop_index(connection: "sqlite3.Connection") -> None:
    """Remove every trace of the prompts from the index, which is then made anew."""
    try:
        connection.execute("DROP TABLE IF EXISTS images_text")
    except Exception:
        # A build without FTS5 cannot take the index of another down, only empty it.
        for table in ("data", "idx", "docsize"):
            connection.execute(f"DELETE FROM images_text_{table}")
    connection.execute("DROP TABLE IF EXISTS images_indexed")
