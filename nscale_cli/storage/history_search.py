"""Search in the history: an index of the prompts where SQLite has FTS5, else each is looked at.

Only a search brings the index up to date, so that a run that makes an image never pays for it,
and a build of SQLite without FTS5 can write the same file. The index only narrows down: which
entries match is said by `_matches` alone, with or without it.
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
_NEWEST = "SELECT coalesce(max(id), 0) FROM images"
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
    condition = f"({where}) AND matches(images.prompt)" if wanted else f"({where})"
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
    return search(connection, words, where, values[1:], limit)


def _matches(prompt: str, words: Sequence[str]) -> bool:
    text = prompt.lower()
    return all(word in text for word in words)


def _catch_up(connection: "sqlite3.Connection") -> bool:
    """Add to the index what was written since the last search; return whether it is of use.

    It is of none without FTS5, and where the file cannot be written now.
    """
    if _is_up_to_date(connection):
        return True
    try:
        with transaction(connection):
            for statement in _INDEX:
                connection.execute(statement.format(module=_MODULE))
            connection.execute(
                "INSERT INTO images_text (rowid, prompt) SELECT id, prompt FROM images"
                " WHERE id > (SELECT coalesce(max(up_to), 0) FROM images_indexed)"
            )
            connection.execute("DELETE FROM images_indexed")
            connection.execute(f"INSERT INTO images_indexed {_NEWEST}")
    except Exception as error:
        if is_damage(error):
            with transaction(connection):
                drop_index(connection)
        return False
    return True


def _is_up_to_date(connection: "sqlite3.Connection") -> bool:
    try:
        query = f"SELECT max(up_to) = ({_NEWEST}) FROM images_indexed"
        return bool(connection.execute(query).fetchone()[0])
    except Exception:  # there is no index yet
        return False


def drop_index(connection: "sqlite3.Connection") -> None:
    """Remove every trace of the prompts from the index; the next search makes it anew."""
    try:
        connection.execute("DROP TABLE IF EXISTS images_text")
    except Exception:
        # A build without FTS5 cannot take the index of another down, only empty it.
        for table in ("data", "idx", "docsize"):
            connection.execute(f"DELETE FROM images_text_{table}")
    connection.execute("DROP TABLE IF EXISTS images_indexed")
