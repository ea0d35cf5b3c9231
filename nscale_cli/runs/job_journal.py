"""The engine's jobs in the journal of a run: written down before they are sent, and after."""

import threading
from collections.abc import Callable
from pathlib import Path

from nscale_cli.errors import Billed, SavedElsewhere, UsageError
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.request import ImageRequest
from nscale_cli.runs.journal import Journal, image_data, place_in
from nscale_cli.service.prices import cost_usd, estimate_usd

_WORST_FIRST = (Billed.YES, Billed.MAYBE, Billed.NO)


class NotWrittenDown(UsageError):
    """The folder of the run takes nothing more, so nothing more is sent."""


class JobJournal:
    """Writes down each attempt at a job, whose id is its row's key; any worker may call.

    `price_of` returns the price of a row's model in US dollars a megapixel, or None. `failure` is
    why an end could not be written down.
    """

    def __init__(
        self,
        journal: Journal,
        directory: Path,
        price_of: Callable[[str, ImageRequest], float | None],
    ) -> None:
        """Write to `journal` about images in `directory`."""
        self.failure: NotWrittenDown | None = None
        self._journal, self._directory, self._price_of = journal, directory, price_of
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[str, str]] = {}
        self._tries: dict[str, int] = {}
        self._sent: set[str] = set()

    @property
    def under_way(self) -> int:
        """How many requests have been sent whose end is not written down."""
        return len(self._sent)

    def expect(self, job_id: str, *, path: str, row_id: str) -> None:
        """Take note of a job that will begin: the name it reserves, and what people call it."""
        with self._lock:
            self._rows[job_id] = path, row_id

    def forget(self, job_id: str) -> None:
        """Take note that a job does not go again."""
        with self._lock:
            self._rows.pop(job_id, None)
            self._tries.pop(job_id, None)

    def begin(self, job: Job, attempt: int) -> None:
        """Return when it is on disk that the attempt is sent; raise NotWrittenDown if it is not."""
        del attempt  # it counts from one where a job goes again
        with self._lock:
            path, row_id = self._rows[job.id]
            self._tries[job.id] = number = self._tries.get(job.id, 0) + 1
        try:
            self._journal.require_folder()  # first: one that was taken away is not made again
            if job.target is not None:
                job.target.directory.mkdir(parents=True, exist_ok=True)
            self._journal.sent(
                job.id,
                attempt=number,
                idempotency_key=job.idempotency_key,
                path=path,
                estimate_usd=self._estimate(job),
                row_id=row_id,
            )
        except OSError as error:
            raise self._not_written(error) from None
        with self._lock:
            self._sent.add(job.id)

    def end(self, result: JobResult) -> None:
        """Write down what came of a job. An image that is safe is no less so where that fails."""
        job = result.job
        with self._lock:
            sent = job.id in self._sent
            self._sent.discard(job.id)
        if not sent and not result.images:
            return  # nothing left this machine
        images = [image_data(image, self._directory) for image in result.images]
        kept = [place_in(self._directory, path) for path in result.kept]
        whole = len(images) >= job.request.count
        try:
            if whole and all(isinstance(error, SavedElsewhere) for error in result.errors):
                price = self._price_of(job.id, job.request)
                self._journal.saved(
                    job.id,
                    images,
                    seconds=result.elapsed_seconds,
                    cost_usd=cost_usd(price, [image.size for image in result.images]),
                    request_id=result.request_id,
                    kept=kept,
                )
            else:
                # The error that says most of what was paid for.
                worst = min(result.errors, key=lambda error: _WORST_FIRST.index(error.billed))
                self._journal.failed(job.id, worst, result.billed, images=images, kept=kept)
        except OSError as error:
            self.failure = self._not_written(error)

    def _estimate(self, job: Job) -> float | None:
        price = self._price_of(job.id, job.request)
        if price is None or not job.request.send_size:
            return None
        return estimate_usd(price, job.request)

    def _not_written(self, error: OSError) -> NotWrittenDown:
        reason = error.strerror or type(error).__name__
        return NotWrittenDown(
            f"{self._directory} cannot be written to any more: {reason}; nothing more was sent",
            hint="make room, or bring the folder back; then give the same command again",
        )
