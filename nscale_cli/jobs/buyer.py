"""What a worker does with a job: buy it, and save what comes, whatever else happens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    Billed,
    InternalError,
    NotSaved,
    NscaleError,
    Stopped,
)
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.collect import Saver, Store
from nscale_cli.jobs.job import Job, JobProgress, JobResult, Stage
from nscale_cli.jobs.retry import buy
from nscale_cli.request import SavedImage
from nscale_cli.service.client import Client
from nscale_cli.service.replies import Reply
from nscale_cli.service.transport_errors import timeout_error
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.time import Clock

_MAX_SAVES = 3


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
    budget: Budget | None
    journal: Journal | None

    def begin(self, number: int) -> None:
        if self.budget is not None:
            self.budget.reserve(self.job)
        if self.journal is not None:
            self.journal.begin(self.job, number)

    def failed(self, error: NscaleError) -> None:
        if self.budget is not None:
            self.budget.end_attempt(self.job, error.billed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Buys from one service through one client, which all workers share."""

    client: Client
    connection: Connection
    store: Store
    clock: Clock
    budget: Budget | None = None
    journal: Journal | None = None

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Buy the job and save its images; a failure is part of the result."""
        saver = Saver(job=job, store=self.store)
        crash = None
        try:
            reply = buy(
                job,
                progress,
                self.client,
                self.connection,
                self.clock,
                _Attempts(job, self.budget, self.journal),
            )
            progress.begin_collecting()
            what = f"received {len(reply.body)} bytes, request id {reply.request_id}"
            progress.tell(what, stage=Stage.RECEIVING)
            _save(reply, saver)
        except NscaleError as error:
            if not progress.given_up:  # else the coordinator has kept what came
                error = _with_what_came(error, progress, saver)
            saver.problems.append(error)
        except Exception as bug:
            crash = bug
            saver.problems.append(InternalError(type(bug).__name__, billed=_billed(progress)))
        result = self._result(job, progress, saver, crash)
        # What nobody waits for any more is accounted for already, but for images that still came.
        return result if progress.given_up and not result.images else self._settled(result)

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Account for a job that was not waited for any longer, and keep what came of it."""
        saver = Saver(job=job, store=self.store)
        error: NscaleError
        if signal_number is None:
            error = timeout_error(self.connection, sent=progress.state.sent)
        else:
            error = stopped_error(signal_number, _billed(progress))
        saver.problems.append(_with_what_came(error, progress, saver))
        return self._settled(self._result(job, progress, saver, None))

    def _settled(self, result: JobResult) -> JobResult:
        if self.budget is not None:
            self.budget.settle(result)
        if self.journal is not None:
            self.journal.end(result)
        return result

    def _result(
        self, job: Job, progress: JobProgress, saver: Saver, crash: Exception | None
    ) -> JobResult:
        reply = progress.state.reply
        return JobResult(
            job=job,
            images=tuple(saver.images),
            errors=tuple(saver.problems),
            elapsed_seconds=self.clock.monotonic() - progress.start,
            request_id=reply.request_id if reply else None,
            crash=crash,
        )


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
    reply = progress.state.reply
    if reply is not None and 200 <= reply.status < 300:
        return Billed.YES
    return Billed.MAYBE if progress.may_be_billed else Billed.NO


def _with_what_came(error: NscaleError, progress: JobProgress, saver: Saver) -> NscaleError:
    """Keep a reply that was not saved, and say in the error where it is."""
    state = progress.state
    if state.receiving and state.body and (state.reply is None or isinstance(error, Stopped)):
        error.message += f"; {saver.keep_incomplete(state.arrived)}"
    return error


def _save(reply: Reply, saver: Saver) -> None:
    """Save what the reply holds. It was paid for, so no failure is the last word on it."""
    failure: Exception | None = None
    for _ in range(_MAX_SAVES):
        try:
            if failure is None:
                saver.save_reply(reply)
            else:
                saver.keep_whole(reply, because=type(failure).__name__)
        except Exception as error:  # a bug, or no memory, which may be there again in a moment
            failure = error
        else:
            return
    saver.problems.append(NotSaved("the reply was received and paid for, but could not be kept"))
