"""The journal: what it says, when it is on disk, and what a crash makes of it."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nscale_cli.errors import AnswerTimeout, ConfigurationError, Incomplete
from nscale_cli.request import SavedImage, Size
from nscale_cli.runs.journal import Event, EventKind, Journal, image_data, read_events
from nscale_cli.runs.plan import RunDirectory

KEY = "9f2c1ab34d5e6f70#1"
NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
IMAGE = {"path": "a.png", "format": "png", "width": 1, "height": 1, "bytes": 3, "sha256": "00"}


def journal_in(folder: Path, name: str = "journal.jsonl", **options: object) -> Journal:
    """Open a journal in `folder`."""
    return Journal(folder / "run" / name, now=lambda: NOW, **options)  # type: ignore[arg-type]


def send(journal: Journal, key: str = KEY, *, estimate: float | None = 0.00034) -> None:
    """Say that a request of this row is about to leave."""
    journal.sent(key, attempt=1, idempotency_key="k", path="a.{ext}", estimate_usd=estimate)


def lines_in(folder: Path, name: str = "journal.jsonl") -> list[dict[str, object]]:
    """Return the lines of a journal."""
    text = (folder / "run" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def events_in(folder: Path) -> list[tuple[str, EventKind]]:
    """Return which rows the journals name, and what they say of them."""
    return [(event.row, event.kind) for event in read_events(RunDirectory(path=folder))]


def test_each_line_says_what_happened(tmp_path: Path) -> None:
    """The public form of the journal."""
    with journal_in(tmp_path) as journal:
        journal.sent(
            KEY,
            attempt=1,
            idempotency_key="k",
            path="hero.png",
            estimate_usd=0.00034,
            row_id="hero",
        )
        journal.saved(KEY, [IMAGE], seconds=2.10049, cost_usd=0.00034, request_id=None)
        journal.failed("b#1", AnswerTimeout("no answer within 1 s"))
        journal.failed("c#1", Incomplete("short", http_status=200, request_id="r"), images=[IMAGE])
        journal.saved("d#1", [], seconds=None, cost_usd=None, request_id="r", adopted=True)
    start = {"v": 1, "t": "2026-11-24T12:00:00.123Z"}
    assert lines_in(tmp_path) == [
        start
        | {"row": KEY, "s": "sent", "id": "hero", "try": 1, "idempotency_key": "k"}
        | {"path": "hero.png", "estimate_usd": 0.00034},
        start
        | {"row": KEY, "s": "saved", "images": [IMAGE], "seconds": 2.1, "cost_usd": 0.00034}
        | {"request_id": None},
        start
        | {"row": "b#1", "s": "failed", "code": "timeout", "billed": "maybe", "http_status": None}
        | {"request_id": None, "message": "no answer within 1 s"},
        start
        | {"row": "c#1", "s": "failed", "code": "incomplete", "billed": "yes", "http_status": 200}
        | {"request_id": "r", "message": "short", "images": [IMAGE]},
        start
        | {"row": "d#1", "s": "saved", "images": [], "seconds": None, "cost_usd": None}
        | {"request_id": "r", "adopted": True},
    ]


def test_what_a_server_said_is_kept_without_secrets(tmp_path: Path) -> None:
    """A server may repeat the key it was sent."""
    error = AnswerTimeout("the key sk-1 is slow", request_id="sk-1")
    with journal_in(tmp_path, redact=lambda text: text.replace("sk-1", "[hidden]")) as journal:
        journal.failed(KEY, error)
    (line,) = lines_in(tmp_path)
    assert (line["message"], line["request_id"]) == ("the key [hidden] is slow", "[hidden]")


def test_events_are_told_as_they_are_written(tmp_path: Path) -> None:
    """For whoever follows the run; they are those that a reader finds."""
    told: list[Event] = []
    with journal_in(tmp_path, on_event=told.append) as journal:
        send(journal)
        journal.failed(KEY, AnswerTimeout("late"))
    assert told == list(read_events(RunDirectory(path=tmp_path)))


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    """Each worker writes for itself."""
    with journal_in(tmp_path) as journal:

        def work(number: int) -> None:
            for attempt in range(20):
                send(journal, f"{number}-{attempt}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({row for row, _ in events_in(tmp_path)}) == 160


def test_a_journal_cut_at_every_byte_of_its_last_line_is_whole_again(tmp_path: Path) -> None:
    """The half line was never acknowledged; the next one does not stick to it."""
    with journal_in(tmp_path) as journal:
        send(journal, "a#1")
        send(journal, "b#1")
    path = tmp_path / "run/journal.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert events_in(tmp_path) == [("a#1", EventKind.SENT)]
        with journal_in(tmp_path) as journal:
            send(journal, "c#1")
        assert events_in(tmp_path) == [("a#1", EventKind.SENT), ("c#1", EventKind.SENT)]


@pytest.mark.parametrize("length", [1, 99, 1_048_577, 3_000_000])
def test_a_half_line_of_any_length_is_taken_off(tmp_path: Path, length: int) -> None:
    """Also where there is no whole line before it, as after a power cut that left zeros."""
    (tmp_path / "run").mkdir()
    for before in (b"", b'{"v":1,"t":"","row":"a#1","s":"sent"}\n'):
        (tmp_path / "run/journal.jsonl").write_bytes(before + b"\x00" * length)
        with journal_in(tmp_path):
            pass
        assert (tmp_path / "run/journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "damage", [b"\n", b"{}\n", b"[]\n", b'{"v":1,"t":"","row":"a"', b"[" * 9_999 + b"\n", b"\xff\n"]
)
def test_a_damaged_line_is_named_and_stops_the_run(tmp_path: Path, damage: bytes) -> None:
    """It may hide a payment."""
    with journal_in(tmp_path) as journal:
        send(journal, "a#1")
        send(journal, "b#1")
    path = tmp_path / "run/journal.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + damage + second)
    with pytest.raises(ConfigurationError) as caught:
        events_in(tmp_path)
    assert caught.value.message == (
        f"{path}, line 2, is damaged, and may hide a payment; nothing was sent"
    )


def test_an_event_that_is_not_known_is_damage(tmp_path: Path) -> None:
    """What it says of money cannot be guessed."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/journal.jsonl").write_text('{"v":1,"t":"","row":"a","s":"refunded"}\n')
    with pytest.raises(ConfigurationError, match="line 1, is damaged"):
        events_in(tmp_path)


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Never guessed at."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/journal.jsonl").write_text('{"v":2,"what":"ever"}\n')
    with pytest.raises(ConfigurationError, match="is of version 2; this nscale knows up to 1"):
        events_in(tmp_path)


def test_journals_of_shards_are_merged_by_time(tmp_path: Path) -> None:
    """Whichever machine wrote what, later is later."""
    times = {"journal.jsonl": "13", "journal-1of2.jsonl": "24", "journal-2of2.jsonl": "05"}
    (tmp_path / "run").mkdir()
    for name, stamps in times.items():
        lines = [{"v": 1, "t": stamp, "row": stamp, "s": "sent"} for stamp in stamps]
        (tmp_path / "run" / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    events = list(read_events(RunDirectory(path=tmp_path)))
    assert [event.time for event in events] == ["0", "1", "2", "3", "4", "5"]
    assert events[0].journal == "journal-2of2.jsonl"


def test_a_folder_that_was_taken_away_sends_nothing(tmp_path: Path) -> None:
    """The open file would go on swallowing what nobody can ever read."""
    with journal_in(tmp_path / "foxes") as journal:
        (tmp_path / "foxes").rename(tmp_path / "gone")
        with pytest.raises(FileNotFoundError):
            send(journal)
    assert (tmp_path / "gone/run/journal.jsonl").read_bytes() == b""


WRITE_TO_A_FULL_DISK = """
import os, resource, signal, sys
from pathlib import Path
from nscale_cli.runs.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
def send(key):
    journal.sent(key, attempt=1, idempotency_key="k", path="a", estimate_usd=None)
send("a#1")
size = os.path.getsize(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
try:
    send("b#1")
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
send("c#1")
"""


def test_a_disk_that_fills_leaves_no_half_line_behind(tmp_path: Path) -> None:
    """The line that did not fit was not written, and the next one is whole."""
    (tmp_path / "run").mkdir()
    path = tmp_path / "run/journal.jsonl"
    result = subprocess.run(
        [sys.executable, "-c", WRITE_TO_A_FULL_DISK, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "it takes no more bytes\n"
    assert [row for row, _ in events_in(tmp_path)] == ["a#1", "c#1"]


def test_a_closed_journal_sends_nothing(tmp_path: Path) -> None:
    """A worker that comes too late must not write into another file of the same number."""
    with journal_in(tmp_path) as journal:
        pass
    with pytest.raises(OSError, match="closed"):
        send(journal)


def test_an_image_is_named_relative_to_its_folder(tmp_path: Path) -> None:
    """So that the folder can be moved; one that was rescued elsewhere has its whole path."""
    image = SavedImage(
        path=tmp_path / "sub/a.png",
        format="png",
        size=Size(width=2, height=3),
        byte_count=9,
        sha256="ab",
    )
    assert image_data(image, tmp_path) == {
        "path": "sub/a.png",
        "format": "png",
        "width": 2,
        "height": 3,
        "bytes": 9,
        "sha256": "ab",
    }
    marked = replace(image, original_sha256="cd")
    assert image_data(marked, tmp_path)["original_sha256"] == "cd"
    assert image_data(image, tmp_path / "other")["path"] == os.fspath(tmp_path / "sub/a.png")
