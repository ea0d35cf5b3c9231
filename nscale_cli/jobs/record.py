"""What is remembered of saved images: an entry of the history for each, never in an image's way."""

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from nscale_cli.connection import Connection
from nscale_cli.jobs.job import JobResult
from nscale_cli.jobs.prices import PriceList
from nscale_cli.request import SavedImage
from nscale_cli.service.prices import cost_usd
from nscale_cli.storage.history import History, HistoryEntry
from nscale_cli.terminal.streams import Terminal

_PATIENCE_SECONDS = 2.0  # that a run waits for a process that holds the file


class Recorder:
    """Writes what one service made into the history at `path`.

    `home` is the user's home directory, `run` the directory of a run of many. The terminal is only
    spoken to where something is recorded.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        prices: PriceList,
        terminal: Terminal,
        *,
        home: Path | None,
        run: Path | None = None,
    ) -> None:
        self._connection, self._prices, self._terminal = connection, prices, terminal
        self._run = run
        self._warnings: list[str] = []  # which may come while the file is opened by a thread
        self._history = History(
            path, home=home, warn=self._warnings.append, patience_seconds=_PATIENCE_SECONDS
        )
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self) -> None:
        """Open the history while there is nothing else to do."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._open, daemon=True)
            self._thread.start()

    def record(self, made: JobResult) -> None:
        """Write an entry for each image; a failure is told to --debug, and to nobody else."""
        if not made.images:
            return
        try:
            self._history.record(self._entry(made, image) for image in made.images)
        except Exception as error:
            self._terminal.debug(f"not remembered: {getattr(error, 'message', None) or error}")
        while self._warnings:
            self._terminal.warn(self._warnings.pop(0))

    def __enter__(self) -> Self:
        """Open the history in the background; it is closed when the context is left."""
        self.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the history, also where it is about to be opened."""
        self._closed = True
        self._history.close()

    def _open(self) -> None:
        with suppress(Exception):  # it comes again when something is to be written
            self._history.open()
        if self._closed:
            self._history.close()

    def _entry(self, made: JobResult, image: SavedImage) -> HistoryEntry:
        request, connection = made.request, self._connection
        redact = self._terminal.redactor.redact
        price = self._prices.usd_per_megapixel(request.model)
        return HistoryEntry(
            created_at=made.created_at or datetime.now(UTC),
            prompt=redact(request.prompt),
            model=request.model,
            requested_size=str(request.size) if request.send_size else None,
            count=request.count,
            params=json.loads(redact(json.dumps(dict(request.params)))),
            base_url=redact(connection.base_url),
            sandbox=connection.ephemeral,
            path=image.path,
            format=image.format,
            size=image.size,
            byte_count=image.byte_count,
            sha256=image.sha256,
            original_sha256=image.original_sha256 or image.sha256,
            seconds=round(made.elapsed_seconds, 3),
            cost_usd=cost_usd(price, [image.size]),
            request_id=made.request_id and redact(made.request_id),
            run=self._run,
        )
