"""What was made before: one entry for each image, found again, and really gone when cleared."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nscale_cli.errors import HistoryUnavailable
from nscale_cli.request import Size
from nscale_cli.storage import history_search
from nscale_cli.storage.history import History, HistoryEntry, HistoryQuery

NOW = datetime(2026, 11, 24, 12, 0, 0, 123000, tzinfo=UTC)
PROMPT = "A red fox in fresh snow"
Open = Callable[..., History]


def entry(prompt: str = PROMPT, **changes: object) -> HistoryEntry:
    """Return an entry as a run would write it."""
    values: dict[str, object] = {
        "created_at": NOW,
        "prompt": prompt,
        "model": "black-forest-labs/FLUX.1-schnell",
        "requested_size": "1024x1024",
        "count": 1,
        "params": {"seed": 7, "negative_prompt": "día"},
        "base_url": "https://inference.api.nscale.com/v1",
        "sandbox": False,
        "path": Path("/pictures/fox.png"),
        "format": "png",
        "size": Size(width=1024, height=768),
        "byte_count": 4242,
        "sha256": "ab" * 32,
        "original_sha256": "cd" * 32,
        "seconds": 2.25,
        "cost_usd": 0.0013,
        "request_id": "req-1",
    }
    return HistoryEntry(**(values | changes))  # type: ignore[arg-type]


def prompts(history: History, text: str = "", **query: object) -> list[str]:
    """Return the prompts that a search finds, the newest first."""
    found = history.search(HistoryQuery(words=tuple(text.split()), **query))  # type: ignore[arg-type]
    return [each.prompt for each in found]


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Open]:
    """Open the history of the test, again and again, as processes of their own would."""
    opened: list[History] = []

    def open_it(**options: object) -> History:
        path = tmp_path / "state" / "history.sqlite"
        opened.append(History(path, home=tmp_path, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_it
    for history in opened:
        history.close()


def test_an_entry_comes_back_as_it_was_written(open_history: Open) -> None:
    """With the id that it was given."""
    written = entry(run=Path("/pictures/run"), params={"a": [1, None, {"b": "ü"}]})
    open_history().record([written])

    (read,) = open_history().search(HistoryQuery())

    assert read == HistoryEntry(**{**_fields(written), "id": 1})


def test_what_is_unknown_stays_unknown(open_history: Open) -> None:
    """A server may say little, and bytes on stdout have no path."""
    nothing = dict.fromkeys(("requested_size", "path", "size", "seconds", "cost_usd", "request_id"))
    open_history().record([entry(**nothing)])

    (read,) = open_history().search(HistoryQuery())

    assert [getattr(read, name) for name in nothing] == [None] * len(nothing)


def _fields(value: HistoryEntry) -> dict[str, object]:
    return {name: getattr(value, name) for name in HistoryEntry.__slots__}


def test_the_file_and_its_directory_are_for_their_owner_alone(open_history: Open) -> None:
    """Whatever the umask says; prompts are private."""
    history = open_history()
    before = os.umask(0)
    try:
        history.record([entry()])
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in history.path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert modes.keys() >= {"history.sqlite", "history.sqlite-wal"}
    assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700


def test_nothing_is_made_by_looking(open_history: Open) -> None:
    """A search, a count and a clear of no history leave none behind."""
    history = open_history()

    assert (prompts(history), history.count(), history.clear(), history.byte_count) == ([], 0, 0, 0)
    assert not history.path.parent.exists()


def test_a_path_in_the_home_directory_does_not_name_the_user(
    open_history: Open, tmp_path: Path
) -> None:
    """And is found again, wherever the home directory is by then."""
    history = open_history()
    history.record([entry(path=tmp_path / "foxes" / "fox.png", run=tmp_path / "foxes")])

    (read,) = history.search(HistoryQuery())

    assert (read.path, read.run) == (tmp_path / "foxes" / "fox.png", tmp_path / "foxes")
    history.close()
    assert os.fsencode(tmp_path) not in history.path.read_bytes()


def test_a_path_that_is_no_utf8_comes_back(open_history: Open) -> None:
    """On Linux, any bytes make a name."""
    path = Path(os.fsdecode(b"/pictures/caf\xe9.png"))
    open_history().record([entry(path=path)])

    assert open_history().search(HistoryQuery())[0].path == path


def test_the_newest_come_first_and_not_too_many(open_history: Open) -> None:
    """As a person looks for them."""
    history = open_history()
    history.record([entry(f"fox {number}") for number in range(30)])

    assert prompts(history, limit=2) == ["fox 29", "fox 28"]
    assert len(prompts(history)) == 20


@pytest.fixture(params=["with the index", "without FTS5"])
def any_build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A build of SQLite that has FTS5, or one that does not know such a module."""
    if request.param == "without FTS5":
        monkeypatch.setattr(history_search, "_MODULE", "fts99")
    return str(request.param)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fox", ["A RED FOX", "a red fox in snow"]),
        ("FOX", ["A RED FOX", "a red fox in snow"]),
        ("ox", ["A RED FOX", "a red fox in snow"]),
        ("snow red", ["a red fox in snow"]),
        ("fox cat", []),
        ("ÄRGER", ["Ärger im Schnee"]),
        ("狐", ["雪の中の赤い狐"]),
        ("雪の中", ["雪の中の赤い狐"]),
        ("100%", ["100% wool_sheep"]),
        ("wool_s", ["100% wool_sheep"]),
        ("_", ["100% wool_sheep"]),
        ('"quoted"', ['say "quoted" AND (NEAR*']),
        ("AND (NEAR*", ['say "quoted" AND (NEAR*']),
        ("'", []),
        ("a\x00b", []),
    ],
)
def test_a_search_finds_every_prompt_that_holds_all_the_words(
    open_history: Open, any_build: str, text: str, expected: list[str]
) -> None:
    """The same with an index as without, in any script, and no character is special."""
    history = open_history()
    history.record(
        map(
            entry,
            [
                "a red fox in snow",
                "A RED FOX",
                "Ärger im Schnee",
                "雪の中の赤い狐",
                "100% wool_sheep",
                'say "quoted" AND (NEAR*',
            ],
        )
    )

    assert prompts(history, text) == expected


def test_a_search_finds_what_was_written_since_the_last_one(open_history: Open) -> None:
    """The index is brought up to date by the search."""
    history = open_history()
    history.record([entry("first fox")])
    before = prompts(history, "fox")
    open_history().record([entry("second fox")])

    assert (before, prompts(history, "fox")) == (["first fox"], ["second fox", "first fox"])


def test_a_search_finds_everything_while_the_index_lacks_much(
    open_history: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each search brings it a little further, and none of them waits for it, or misses a thing."""
    monkeypatch.setattr(history_search, "_MAX_AT_ONCE", 2)
    history = open_history()
    history.record([entry(f"fox {number}") for number in range(7)])
    expected = [f"fox {number}" for number in reversed(range(7))]

    lengths = []
    for _ in range(4):
        assert prompts(history, "fox") == expected
        reached = "SELECT max(up_to) FROM images_indexed"
        lengths += history._database.run(lambda c, query=reached: c.execute(query).fetchone())

    assert lengths == [4, 6, 7, 7]


def test_a_search_really_goes_by_the_index(open_history: Open) -> None:
    """An index that is emptied behind its back finds nothing."""
    history = open_history()
    history.record([entry()])
    assert prompts(history, "fox") == [PROMPT]

    history._database.write(
        lambda connection: connection.execute(
            "INSERT INTO images_text (images_text, rowid, prompt) VALUES ('delete', 1, ?)",
            (PROMPT,),
        )
    )

    assert prompts(history, "fox") == []


def test_a_damaged_index_is_made_anew(open_history: Open) -> None:
    """It is no loss: the entries are elsewhere."""
    history = open_history()
    history.record([entry()])
    assert prompts(history, "fox") == [PROMPT]
    history._database.write(
        lambda connection: connection.execute(
            "UPDATE images_text_data SET block = x'ff' WHERE id > 10"
        )
    )
    history.close()

    assert prompts(open_history(), "fox") == [PROMPT]
    blocks = "SELECT count(*) FROM images_text_data WHERE block = x'ff'"
    left = open_history()._database.run(lambda connection: connection.execute(blocks).fetchone())
    assert left == (0,)


def test_a_search_can_ask_for_a_model_and_a_time(open_history: Open) -> None:
    """Together with words, or alone; times are compared, not their texts."""
    history = open_history()
    tokyo = datetime(2026, 11, 24, 20, 59, tzinfo=UTC).astimezone()
    history.record([entry("old fox", created_at=NOW - timedelta(days=8))])
    history.record([entry("new fox", model="other"), entry("new cat", created_at=tokyo)])

    assert prompts(history, since=NOW - timedelta(days=7)) == ["new cat", "new fox"]
    assert prompts(history, "fox", since=NOW - timedelta(days=7)) == ["new fox"]
    assert prompts(history, "fox", model="other") == ["new fox"]
    assert prompts(history, model="oth") == []


def test_an_entry_is_found_by_its_id_and_a_file_by_what_it_holds(open_history: Open) -> None:
    """With or without metadata of ours in it."""
    history = open_history()
    history.record([entry(), entry("cat", sha256="01" * 32, original_sha256="02" * 32)])

    assert history.entry(2) is not None
    assert history.entry(3) is None
    assert [each.id for each in history.of_file("01" * 32)] == [2]
    assert [each.id for each in history.of_file("02" * 32)] == [2]
    assert history.of_file("03" * 32) == []


WRITERS = """
import sys, threading
from pathlib import Path
from nscale_cli.storage.history import History
from tests.storage.test_history import entry

start = threading.Barrier(25)

def write(number):
    history = History(Path(sys.argv[1]), warn=lambda text: print(text))
    start.wait()
    history.record([entry(f"fox {sys.argv[2]}-{number}")])
    history.close()

threads = [threading.Thread(target=write, args=(number,)) for number in range(25)]
for each in threads: each.start()
for each in threads: each.join()
"""


def _write_from_many(path: Path) -> list[str]:
    """Write from 25 threads of each of 8 processes, and return what these said."""
    root = Path(__file__).parent.parent.parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITERS, str(path), str(number)],
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    return [text for text in (process.communicate(timeout=200)[0] for process in processes) if text]


@pytest.mark.slow
def test_two_hundred_that_write_at_once_lose_nothing(open_history: Open) -> None:
    """Nor those that all find no file yet."""
    history = open_history()

    assert _write_from_many(history.path) == []
    expected = {f"fox {process}-{number}" for process in range(8) for number in range(25)}
    assert set(prompts(history, limit=1000)) == expected
    assert [path.name for path in history.path.parent.glob(".*")] == []


@pytest.mark.slow
def test_of_many_that_find_it_damaged_one_sets_it_aside(open_history: Open) -> None:
    """And what all of them write is in the new one."""
    history = open_history()
    history.path.parent.mkdir()
    history.path.write_bytes(b"no database, but what may once have been one" * 100)

    said = _write_from_many(history.path)

    aside = [path.name for path in history.path.parent.glob("*damaged*")]
    assert aside == ["history.sqlite.damaged"]
    assert len(said) == 1
    assert history.count() == 200


def _torn(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)


@pytest.mark.parametrize("at_first_use", [True, False])
def test_a_damaged_file_is_set_aside_with_one_warning(
    open_history: Open, at_first_use: bool
) -> None:
    """Whether it is noticed when it is opened or when a page of it is read."""
    history = open_history()
    history.record([entry(f"fox {number}") for number in range(500)])
    history.close()
    if at_first_use:
        history.path.write_bytes(b"garbage" * 1000)
    else:
        _torn(history.path)
    damaged = history.path.read_bytes()
    warnings: list[str] = []
    again = open_history(warn=warnings.append)

    again.record([entry("a new beginning")])

    aside = history.path.with_name("history.sqlite.damaged")
    assert warnings == [f"the history was damaged; it is set aside as {aside}, and a new one begun"]
    assert aside.read_bytes() == damaged
    assert prompts(open_history()) == ["a new beginning"]


@pytest.mark.skipif(sys.platform == "win32", reason="there, no open file can be renamed")
def test_a_damaged_file_stays_where_it_is_until_another_has_opened_it(
    open_history: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite finds `-wal` by its name: it would write into that of the new file, and be lost."""
    damaged = b"garbage" * 1000
    first, second = open_history(), open_history()
    first.path.parent.mkdir()
    first.path.write_bytes(damaged)
    other = threading.Thread(target=second.record, args=([entry("of another")],))
    seen: list[bytes] = []

    def connect(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = opened(*arguments, **options)
        if not seen:
            seen.append(b"")
            other.start()
            other.join(0.5)  # it has tried by then
            seen.append(first.path.read_bytes())
        return connection

    opened: Callable[..., sqlite3.Connection] = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect)
    first.record([entry("of this one")])
    other.join(60)

    assert seen == [b"", damaged]
    assert sorted(prompts(open_history())) == ["of another", "of this one"]


def test_a_second_damaged_file_does_not_replace_the_first(open_history: Open) -> None:
    """Somebody may want to have a look at either."""
    for content in (b"first" * 99, b"second" * 99):
        history = open_history()
        history.path.parent.mkdir(exist_ok=True)
        history.path.write_bytes(content)
        history.open()
        history.close()

    names = sorted(path.name for path in history.path.parent.glob("*damaged*"))
    assert names == ["history.sqlite.damaged", "history.sqlite.damaged-2"]


def test_a_newer_file_is_left_alone(open_history: Open) -> None:
    """Byte for byte: its entries may hold what this version would lose."""
    history = open_history()
    history.record([entry()])
    history._database.run(lambda connection: connection.execute("PRAGMA user_version = 99"))
    history.close()
    before = history.path.read_bytes()

    for use in (lambda: open_history().record([entry()]), lambda: prompts(open_history())):
        with pytest.raises(HistoryUnavailable, match="was written by a newer nscale"):
            use()
    with pytest.raises(HistoryUnavailable):
        open_history().clear()

    assert history.path.read_bytes() == before


def test_an_older_file_is_brought_up_to_date_at_once(
    open_history: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that is in it; a step that fails leaves the old version whole."""
    from nscale_cli.storage import history_file

    open_history().record([entry()])
    step = ("ALTER TABLE images ADD COLUMN note TEXT", "UPDATE images SET note = prompt")
    monkeypatch.setattr(history_file, "MIGRATIONS", (*history_file.MIGRATIONS, (*step, "no SQL")))
    with pytest.raises(HistoryUnavailable, match="syntax error"):
        open_history().open()
    monkeypatch.undo()
    assert prompts(open_history()) == [PROMPT]

    monkeypatch.setattr(history_file, "MIGRATIONS", (*history_file.MIGRATIONS, step))
    notes = open_history()._database.run(
        lambda connection: connection.execute("SELECT note FROM images").fetchall()
    )

    assert notes == [(PROMPT,)]


def test_what_could_not_be_written_goes_with_the_next(open_history: Open) -> None:
    """A process that holds the file for a while costs one wait, and no entry."""
    holder, history = open_history(), open_history(patience_seconds=0.05)
    holder.open()
    holder._database.run(lambda connection: connection.execute("BEGIN IMMEDIATE"))

    for prompt in ("first", "second"):
        with pytest.raises(HistoryUnavailable) as caught:
            history.record([entry(prompt)])
        assert caught.value.hint == "another program has it open; try again"
    holder._database.run(lambda connection: connection.execute("ROLLBACK"))
    history.record([entry("third")])

    assert prompts(history) == ["third", "second", "first"]


def test_a_place_that_takes_no_file_is_said_to_be_none(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").write_bytes(b"")
    history = History(tmp_path / "file" / "history.sqlite")

    with pytest.raises(HistoryUnavailable, match=r"cannot be used: (Not a dir|File exists)"):
        history.record([entry()])


def _traces(directory: Path, prompt: str) -> list[str]:
    """Return the files that hold a part of the prompt, however it is cut."""
    parts = [prompt[start : start + 8].encode() for start in range(0, len(prompt) - 8, 4)]
    return [
        path.name
        for path in directory.iterdir()
        if any(part in path.read_bytes().lower() for part in parts)
    ]


SECRET = "a secret unicorn behind the old observatory at midnight"


@pytest.mark.parametrize("selection", [{}, {"entry_id": 2}, {"before": NOW}])
def test_nothing_is_left_of_a_prompt_that_was_cleared(
    open_history: Open, selection: dict[str, object]
) -> None:
    """Neither in the file nor in its log or index; what was not cleared stays."""
    history = open_history()
    history.record([entry("before it"), entry(SECRET, created_at=NOW - timedelta(days=1))])
    history.record([entry("after it")])
    assert prompts(history, "unicorn") == [SECRET]
    assert _traces(history.path.parent, SECRET) != []

    cleared = history.clear(**selection)  # type: ignore[arg-type]

    assert cleared == (1 if selection else 3)
    assert _traces(history.path.parent, SECRET) == []
    assert prompts(history) == (["after it", "before it"] if selection else [])
    assert prompts(history, "after") == (["after it"] if selection else [])


def test_an_index_of_another_build_is_emptied_too(open_history: Open) -> None:
    """A build without FTS5 cannot take it down, and must not leave its words behind."""
    history = open_history()
    history.record([entry(SECRET)])
    assert prompts(history, "unicorn") == [SECRET]

    def make_unknown(connection: object) -> None:
        connection.execute("PRAGMA writable_schema = ON")  # type: ignore[attr-defined]
        connection.execute(  # type: ignore[attr-defined]
            "UPDATE sqlite_schema SET sql = replace(sql, 'fts5', 'fts99') WHERE sql LIKE '%fts5%'"
        )

    history._database.run(make_unknown)
    history.close()

    assert open_history().clear() == 1
    assert _traces(history.path.parent, SECRET) == []


def test_clearing_everything_takes_damaged_files_along(open_history: Open) -> None:
    """They hold prompts as well."""
    history = open_history()
    history.path.parent.mkdir()
    history.path.write_bytes(SECRET.encode() * 99)
    history.open()
    assert _traces(history.path.parent, SECRET) == ["history.sqlite.damaged"]

    history.clear()

    assert _traces(history.path.parent, SECRET) == []


def test_a_reader_that_holds_the_log_is_named_and_the_second_clear_succeeds(
    open_history: Open,
) -> None:
    """It is never said that all is gone where it is not."""
    history, reader = open_history(patience_seconds=0.05), open_history()
    history.record([entry(SECRET)])
    reader._database.run(lambda connection: connection.execute("BEGIN"))
    assert prompts(reader) == [SECRET]

    with pytest.raises(HistoryUnavailable) as caught:
        history.clear()
    assert caught.value.hint == "another program has it open; try again"

    reader._database.run(lambda connection: connection.execute("ROLLBACK"))
    reader.close()
    history.clear()
    assert _traces(history.path.parent, SECRET) == []


def test_ids_are_not_given_twice(open_history: Open) -> None:
    """What a person noted down never means another image."""
    history = open_history()
    history.record([entry(), entry()])
    history.clear(entry_id=2)
    history.record([entry("another")])

    assert history.entry(2) is None
    assert [each.id for each in history.search(HistoryQuery(limit=1))] == [3]
