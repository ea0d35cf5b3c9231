"""What a worker does with a job: buy it, and save what comes, whatever else happens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import (
    Billed,
    InternalError,
    NscaleError,
    Stopped,
)
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.collect import Collected, collect, keep_incomplete
from nscale_cli.jobs.job import Job, JobProgress, JobResult, Stage
from nscale_cli.jobs.retry import buy
from nscale_cli.jobs.save import Store
from nscale_cli.request import SavedImage
from nscale_cli.service.client import Client
from nscale_cli.service.transport_errors import timeout_error
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.time import Clock


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
        collected, crash = Collected(), None
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
            collected = collect(reply, job, self.store)
        except NscaleError as error:
            if not progress.given_up:  # else the coordinator has kept what came
                error = self._with_what_came(error, job, progress)
            collected = Collected(errors=(error,))
        except Exception as bug:
            crash = bug
            unforeseen = InternalError(type(bug).__name__, billed=_billed(progress))
            collected = Collected(errors=(unforeseen,))
        result = self._result(job, progress, collected, crash)
        # What nobody waits for any more is accounted for already, but for images that still came.
        return result if progress.given_up and not result.images else self._settled(result)

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Account for a job that was not waited for any longer, and keep what came of it."""
        error: NscaleError
        if signal_number is None:
            error = timeout_error(self.connection, sent=progress.state.sent)
        else:
            error = stopped_error(signal_number, _billed(progress))
        collected = Collected(errors=(self._with_what_came(error, job, progress),))
        return self._settled(self._result(job, progress, collected, None))

    def _with_what_came(self, error: NscaleError, job: Job, progress: JobProgress) -> NscaleError:
        """Keep a reply that was not saved, and say in the error where it is."""
        state = progress.state
        if state.receiving and state.body and (state.reply is None or isinstance(error, Stopped)):
            error.message += f"; {keep_incomplete(state.arrived, job, self.store)}"
        return error

    def _settled(self, result: JobResult) -> JobResult:
        if self.budget is not None:
            self.budget.settle(result)
        if self.journal is not None:
            self.journal.end(result)
        return result

    def _result(
        self, job: Job, progress: JobProgress, collected: Collected, crash: Exception | None
    ) -> JobResult:
        reply = progress.state.reply
        return JobResult(
            job=job,
            images=collected.images,
            errors=collected.errors,
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
