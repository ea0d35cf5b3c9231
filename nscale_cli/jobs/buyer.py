"""What a worker does with a job: buy it, and save what comes, whatever else happens."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    Billed,
    InternalError,
    NscaleError,
    Stopped,
)
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.collect import ReplySink
from nscale_cli.jobs.job import Collected, Job, JobProgress, JobResult, Stage
from nscale_cli.jobs.retry import buy
from nscale_cli.jobs.save import Store
from nscale_cli.request import SavedImage
from nscale_cli.service.client import Client
from nscale_cli.service.transport_errors import timeout_error
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.time import Clock
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.jobs.marking import Marker


class Journal(Protocol):
    """What is written down of jobs, for a run that is to go on after a crash."""

    def begin(self, job: Job, attempt: int) -> None:
        """Return when it is on disk that the attempt is sent; raise NscaleError if it is not."""

    def end(self, result: JobResult) -> None:
        """Write down what came of a job."""


@dataclass(frozen=True, slots=True)
class _Attempts:
    """The attempts at one job: each is paid for out of the budget, and written down before."""

    job: Job
    progress: JobProgress
    store: Store
    budget: Budget | None
    journal: Journal | None
    marked: Callable[[Collected], Collected]

    def begin(self, number: int) -> ReplySink:
        if self.budget is not None:
            self.budget.reserve(self.job)
        if self.journal is not None:
            self.journal.begin(self.job, number)
        return ReplySink(self.job, self.store, again=number > 1)

    def failed(self, error: NscaleError) -> NscaleError:
        if self.budget is not None:
            self.budget.end_attempt(self.job, error.billed)
        if self.progress.given_up or self.progress.state.reply is not None:
            return error  # the coordinator has kept what came; or it is what the reply says
        collected = self.marked(_what_came(self.progress, final=True))
        self.progress.earlier.append(collected)
        return _with_what_came(error, collected, self.job)

    @property
    def complete(self) -> bool:
        images = sum(len(collected.images) for collected in self.progress.earlier)
        return images >= self.job.request.count


@frozen
class Buyer:
    """Buys from one service through one client, which all workers share."""

    client: Client
    connection: Connection
    store: Store
    clock: Clock
    budget: Budget | None = None
    journal: Journal | None = None
    marker: "Marker | None" = None

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Buy the job and save its images; a failure is part of the result."""
        errors: tuple[NscaleError, ...] = ()
        collected, crash = Collected(), None
        attempts = _Attempts(
            job,
            progress,
            self.store,
            self.budget,
            self.journal,
            lambda each: self._marked(each, job),
        )
        try:
            arrival = buy(job, progress, self.client, self.connection, self.clock, attempts)
            progress.begin_collecting()
            reply = progress.state.reply
            said = f", request id {reply.request_id}" if reply else ""
            progress.tell(f"received {arrival.byte_count} bytes{said}", stage=Stage.RECEIVING)
            collected = self._marked(arrival.collected(), job)
            progress.earlier.append(collected)
        except NscaleError as error:
            errors = (error,)
        except Exception as bug:
            crash = bug
            what = f"this is a bug in nscale: {type(bug).__name__}"
            errors = (InternalError(what, billed=_billed(progress)),)
        result = self._result(job, progress, errors, crash)
        # What nobody waits for any more is accounted for already, but for images that still came.
        late = progress.given_up and not collected.images
        return result if late else self._settled(result)

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Account for a job that was not waited for any longer, and keep what came of it.

        After its deadline (no signal) what still comes is saved, as long as the process lives.
        Nothing is marked now: that may take its time, and this thread is the user's.
        """
        collected = _what_came(progress, final=signal_number is not None)
        images = (*_images(progress), *collected.images)
        error: NscaleError
        if signal_number is None:
            error = timeout_error(self.connection, sent=progress.state.sent)
            error = _with_what_came(error, collected, job)
        else:
            error = stopped_error(signal_number, _billed(progress), images)
            error = error.but(message=_joined(error.message, collected.kept))
        if collected.images and self.marker is not None:
            error = error.but(message=_joined(error.message, "metadata was not added any more"))
        result = self._result(job, progress, (*collected.errors, error), None)
        return self._settled(replace(result, images=images))

    def _marked(self, collected: Collected, job: Job) -> Collected:
        """Return what is saved, with its marks: all of it is safe on the disk by now."""
        if self.marker is None:
            return collected
        now = self.clock.now()
        images = (self.marker.mark(image, job.request, now) for image in collected.images)
        return replace(collected, images=tuple(images))

    def _settled(self, result: JobResult) -> JobResult:
        if self.budget is not None:
            self.budget.settle(result)
        if self.journal is not None:
            self.journal.end(result)
        return result

    def _result(
        self,
        job: Job,
        progress: JobProgress,
        errors: tuple[NscaleError, ...],
        crash: Exception | None,
    ) -> JobResult:
        reply = progress.state.reply
        earlier = [error for collected in progress.earlier for error in collected.errors]
        return JobResult(
            job=job,
            images=_images(progress),
            errors=(*earlier, *errors),
            elapsed_seconds=self.clock.monotonic() - progress.start,
            created_at=self.clock.now(),
            request_id=self._shown(reply.request_id) if reply else None,
            kept=self.store.take_kept(job),
            crash=crash,
        )

    def _shown(self, request_id: str | None) -> str | None:
        """Return what the service calls a request, without a key that it may have put there."""
        return None if request_id is None else self.store.redactor.redact(request_id)


def _images(progress: JobProgress) -> tuple[SavedImage, ...]:
    return tuple(image for collected in progress.earlier for image in collected.images)


def _what_came(progress: JobProgress, *, final: bool) -> Collected:
    """Keep what came of an attempt that failed, or is given up, also where that is nothing yet."""
    if progress.arrival is None:
        return Collected()
    return progress.arrival.abort(final=final)


def _with_what_came(error: NscaleError, collected: Collected, job: Job) -> NscaleError:
    """Return an error that says what was kept of a reply that broke off."""
    if not collected.images:
        return error.but(message=_joined(error.message, collected.kept))
    count, asked = len(collected.images), job.request.count
    whole = "its image is saved" if asked == 1 else f"{count} of {asked} images are saved"
    return error.but(message=_joined(error.message, whole, collected.kept), billed=Billed.YES)


def _joined(*sentences: str) -> str:
    return "; ".join(sentence for sentence in sentences if sentence)


def stopped_error(
    signal_number: int, billed: Billed, images: tuple[SavedImage, ...] = ()
) -> Stopped:
    """Return how a signal ended a job: what is saved, and what may be billed."""
    if images:
        places = [text_of(image.path or Path("standard output")) for image in images]
        return Stopped(signal_number, f"stopped; saved {', '.join(places)}", billed=Billed.YES)
    what = {
        Billed.YES: "stopped before an image was saved",
        Billed.MAYBE: "stopped while waiting for the reply",
        Billed.NO: "stopped before anything was sent",
    }
    return Stopped(signal_number, what[billed], billed=billed)


def _billed(progress: JobProgress) -> Billed:
    if _images(progress):
        return Billed.YES
    reply = progress.state.reply
    if reply is not None and 200 <= reply.status < 300:
        return Billed.YES
    return Billed.MAYBE if progress.may_be_billed else Billed.NO
