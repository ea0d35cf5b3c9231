"""The journal of a run: what was sent and what came of it, on disk before anything goes on.

One JSON object a line, appended. `sent` is synced before the first byte of the request leaves, so
that a crash at any instant leaves a row that is known to have been tried. Use it so:

    with Journal(path, redact=redact) as journal:              # any thread may write
        journal.sent(key, attempt=1, ...)                      # OSError: send nothing
        journal.saved(key, ...) or journal.failed(key, ...)
    for event in read_events(run): ...                          # of all shards, one in memory
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from nscale_cli.errors import Billed, ConfigurationError, NscaleError
from nscale_cli.redact import excerpt
from nscale_cli.request import SavedImage
from nscale_cli.runs.plan import RunDirectory
from nscale_cli.storage.names import text_of
from nscale_cli.storage.private_files import sync_directory
from nscale_cli.values import frozen

JOURNAL_VERSION = 1
_MAX_LINE_BYTES = 1024 * 1024
_CREATE = os.O_RDWR | os.O_CREAT | os.O_APPEND
_CREATE |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class EventKind(StrEnum):
    """What a line of the journal says."""

    SENT = "sent"
    SAVED = "saved"
    FAILED = "failed"


@frozen
class Event:
    """One line of a journal; `journal` is the file it stands in, `data` all that it says."""

    journal: str
    row: str
    kind: EventKind
    time: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """Appends to one journal file; each line is on disk when its call returns.

    A half last line, which a crash leaves, is taken off first. Raises OSError where a line cannot
    be written whole; after a failure that leaves half a line behind, every further call fails.
    `redact` takes secrets out of what a server said; `on_event` is told of each line that is on
    disk, by the thread that wrote it.
    """

    def __init__(
        self,
        path: Path,
        *,
        redact: Callable[[str], str] = str,
        on_event: Callable[[Event], object] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the file, or make it."""
        self._redact, self._on_event, self._now = redact, on_event, now
        self._directory, self._name = path.parent, path.name
        self._lock, self._torn = threading.Lock(), False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, _CREATE, 0o666)
        try:
            _take_off_half_line(self._descriptor)
            sync_directory(path.parent)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; further calls fail."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._torn, self._descriptor = True, -1

    def require_folder(self) -> None:
        """Raise OSError where the folder was taken away: the open file would swallow all."""
        self._directory.stat()

    def sent(
        self,
        row: str,
        *,
        attempt: int,
        idempotency_key: str,
        path: str,
        estimate_usd: float | None,
        row_id: str = "",
    ) -> None:
        """Say that a request is about to leave; where this raises OSError, it must not."""
        self.require_folder()
        self._append(
            row,
            EventKind.SENT,
            {"id": row_id} if row_id else {},
            {
                "try": attempt,
                "idempotency_key": idempotency_key,
                "path": path,
                "estimate_usd": estimate_usd,
            },
        )

    def saved(
        self,
        row: str,
        images: Iterable[Mapping[str, object]],
        *,
        seconds: float | None,
        cost_usd: float | None,
        request_id: str | None,
        adopted: bool = False,
        kept: Sequence[str] = (),
    ) -> None:
        """Say that all images of a row are on disk. `adopted`: they were found after a crash."""
        self._append(
            row,
            EventKind.SAVED,
            {
                "images": list(images),
                "seconds": None if seconds is None else round(seconds, 3),
                "cost_usd": cost_usd,
                "request_id": self._redacted(request_id),
            },
            {"adopted": True} if adopted else {},
            {"kept": kept} if kept else {},
        )

    def failed(
        self,
        row: str,
        error: NscaleError,
        billed: Billed | None = None,
        *,
        images: Sequence[Mapping[str, object]] = (),
        kept: Sequence[str] = (),
    ) -> None:
        """Say how a request ended that did not bring all images; which came, what else is kept.

        `billed` is given where the error does not say all of it.
        """
        self._append(
            row,
            EventKind.FAILED,
            {
                "code": error.code.label,
                "billed": (billed or error.billed).value,
                "http_status": error.http_status,
                "request_id": self._redacted(error.request_id),
                "message": excerpt(self._redact(error.message)),
            },
            {"images": images} if images else {},
            {"kept": kept} if kept else {},
        )

    def _redacted(self, text: str | None) -> str | None:
        return None if text is None else excerpt(self._redact(text))

    def _append(self, row: str, kind: EventKind, *parts: Mapping[str, object]) -> None:
        time = _stamp(self._now())
        data: dict[str, Any] = {"v": JOURNAL_VERSION, "t": time, "row": row, "s": kind.value}
        for part in parts:
            data |= part
        line = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            self._write(line)
        _sync(self._descriptor)  # outside the lock: the system syncs many lines at once
        self._on_event(Event(journal=self._name, row=row, kind=kind, time=time, data=data))

    def _write(self, line: bytes) -> None:
        if self._torn:
            raise OSError(None, "the journal is closed, or could not be written before")
        length = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(None, "it takes no more bytes")
        except OSError:
            self._torn = True
            os.ftruncate(self._descriptor, length)
            self._torn = False  # what was half written is gone
            raise


def place_in(directory: Path, path: Path) -> str:
    """Return a path as the journal has it: from the run's `directory`, or an absolute one."""
    inside = path.is_relative_to(directory)
    return text_of(path.relative_to(directory) if inside else path).replace(os.sep, "/")


def image_data(image: SavedImage, directory: Path) -> dict[str, object]:
    """Return what the journal says of an image."""
    return {
        "path": place_in(directory, image.path or Path()),
        "format": image.format,
        "width": image.size.width if image.size else None,
        "height": image.size.height if image.size else None,
        "bytes": image.byte_count,
        "sha256": image.sha256,
        **({"original_sha256": image.original_sha256} if image.original_sha256 else {}),
    }


def read_events(run: RunDirectory) -> Iterator[Event]:
    """Yield what all journals of a run say, in the order of time; a half last line is passed over.

    Raises ConfigurationError for a newer journal, and a damaged line, which may hide a payment.
    """
    yield from merge(*map(_events_in, run.journals()), key=attrgetter("time"))


def _events_in(path: Path) -> Iterator[Event]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield _event(line, number, path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None


def _event(line: bytes, number: int, path: Path) -> Event:
    try:
        data = json.loads(line)
        version = int(data["v"])
        if version > JOURNAL_VERSION:
            raise ConfigurationError(
                f"{path} is of version {version}; this nscale knows up to {JOURNAL_VERSION}",
                hint="go on with the nscale that wrote it, or a newer one",
            )
        return Event(
            journal=path.name,
            row=str(data["row"]),
            kind=EventKind(data["s"]),
            time=str(data["t"]),
            data=data,
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ConfigurationError(
            f"{path}, line {number}, is damaged, and may hide a payment; nothing was sent",
            hint="bring it back from a copy; if you take the line out, look at your usage page "
            "for what it may have been about",
        ) from None


def _take_off_half_line(descriptor: int) -> None:
    """Cut the file behind its last whole line."""
    end = position = os.fstat(descriptor).st_size
    while position > 0:
        start = max(0, position - _MAX_LINE_BYTES)
        os.lseek(descriptor, start, os.SEEK_SET)
        newline = os.read(descriptor, position - start).rfind(b"\n")
        if newline >= 0:
            position = start + newline + 1
            break
        position = start
    if position != end:
        os.ftruncate(descriptor, position)


def _stamp(now: datetime) -> str:
    text = now.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


if sys.platform == "darwin":

    def _sync(descriptor: int) -> None:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the drive's own memory there

else:
    _sync = getattr(os, "fdatasync", os.fsync)
