"""What a worker does with a job: buy it, and save what comes, whatever else happens.

It tries again only what certainly did not run, all within one time limit.
"""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    Billed,
    InternalError,
    NscaleError,
    RateLimited,
    ServiceUnreachable,
    Stopped,
)
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.collect import ReplySink
from nscale_cli.jobs.job import Collected, Job, JobProgress, JobResult, Stage
from nscale_cli.jobs.save import Store
from nscale_cli.request import SavedImage
from nscale_cli.service.client import Client
from nscale_cli.service.replies import error_in
from nscale_cli.service.transport_errors import timeout_error
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.time import Clock
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.jobs.marking import Marker

MAX_WAIT_SECONDS = 60.0


class Journal(Protocol):
    """What is written down of jobs, for a run that is to go on after a crash."""

    def begin(self, job: Job, attempt: int) -> None:
        """Return when it is on disk that the attempt is sent; raise NscaleError if it is not."""

    def end(self, result: JobResult) -> None:
        """Write down what came of a job."""


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
        try:
            arrival = self._buy(job, progress)
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
        # What nobody waits for any more is accounted for already, but for images that still came,
        # and for an attempt that was written down at that moment and is not sent.
        late = progress.given_up and not collected.images and progress.may_be_billed
        return result if late else self._settled(result)

    def _buy(self, job: Job, progress: JobProgress) -> ReplySink:
        """Return a whole reply of success; raise the last attempt's error where there is none."""
        last: NscaleError | None = None
        for number in count(1):
            try:
                arrival = self._begin(job, number)
            except NscaleError as refusal:
                if last is None:
                    raise
                progress.tell(refusal.message)
                raise last from None
            try:
                self._attempt(job, progress, arrival)
            except NscaleError as error:
                last = self._failed(job, progress, error)
            else:
                return arrival
            wait = _wait_before_retry(last, number, self.connection)
            ended = progress.stop.is_set() or progress.given_up or _is_complete(job, progress)
            if wait is None or ended or self.clock.monotonic() + wait >= progress.deadline:
                raise last
            progress.tell(_announcement(last, wait, number, self.connection))
            if self.clock.wait(progress.stop, wait):
                raise last
        raise AssertionError("attempts have no end of their own")

    def _begin(self, job: Job, number: int) -> ReplySink:
        """Return where the reply goes: the attempt is paid for out of the budget, and written down.

        Raises NscaleError where nothing more is to be sent.
        """
        if self.budget is not None:
            self.budget.reserve(job)
        if self.journal is not None:
            self.journal.begin(job, number)
        return ReplySink(job, self.store, again=number > 1)

    def _attempt(self, job: Job, progress: JobProgress, arrival: ReplySink) -> None:
        state = progress.begin_attempt(arrival)
        reply = self.client.generate(job.request, state, idempotency_key=job.idempotency_key)
        error = error_in(reply, self.connection, model=job.request.model, now=self.clock.now())
        if error is not None:
            raise error

    def _failed(self, job: Job, progress: JobProgress, error: NscaleError) -> NscaleError:
        """Keep what came of the attempt; return the error with that in it."""
        if self.budget is not None:
            self.budget.end_attempt(job, error.billed)
        if progress.given_up or progress.state.reply is not None:
            return error  # the coordinator has kept what came; or it is what the reply says
        collected = self._marked(_what_came(progress, final=True), job)
        progress.earlier.append(collected)
        return _with_what_came(error, collected, job)

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
        request_id = progress.state.reply.request_id if progress.state.reply else None
        earlier = [error for collected in progress.earlier for error in collected.errors]
        return JobResult(
            job=job,
            images=_images(progress),
            errors=(*earlier, *errors),
            elapsed_seconds=self.clock.monotonic() - progress.start,
            created_at=self.clock.now(),
            # Without a key that the service may have put there.
            request_id=request_id and self.store.redactor.redact(request_id),
            kept=self.store.take_kept(job),
            crash=crash,
        )


def _is_complete(job: Job, progress: JobProgress) -> bool:
    """Return whether all that the job is for has come, though an attempt failed."""
    return len(_images(progress)) >= job.request.count


def _wait_before_retry(error: NscaleError, attempt: int, connection: Connection) -> float | None:
    """Return the seconds to wait before the next attempt, or None where there is to be none."""
    backoff = float(min(2 ** (attempt - 1), MAX_WAIT_SECONDS))
    if attempt > connection.retries:
        return None
    if isinstance(error, ServiceUnreachable):
        return backoff if error.temporary else None
    if isinstance(error, RateLimited):
        wait = error.retry_after_seconds or backoff
        return wait if wait <= MAX_WAIT_SECONDS and not error.retry_forbidden else None
    again = connection.retry_billed and error.billed is not Billed.NO
    return backoff if again else None


def _announcement(error: NscaleError, wait: float, attempt: int, connection: Connection) -> str:
    charged = "; it may be charged again" if error.billed is not Billed.NO else ""
    return (
        f"{error.message}; trying again in {wait:.0f} s "
        f"({attempt} of {connection.retries}){charged}"
    )


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
