"""Buying images: tries again only what certainly did not run, all within one time limit."""

from itertools import count
from typing import Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import Billed, NscaleError, RateLimited, ServiceUnreachable
from nscale_cli.jobs.job import Arrival, Job, JobProgress
from nscale_cli.service.client import Client
from nscale_cli.service.replies import error_in
from nscale_cli.terminal.time import Clock

MAX_WAIT_SECONDS = 60.0


class Attempts(Protocol):
    """Who is asked before each attempt, and told of each that failed."""

    def begin(self, number: int) -> Arrival:
        """Return where the reply goes; raise NscaleError where nothing more is to be sent."""

    def failed(self, error: NscaleError) -> NscaleError:
        """Keep what came of the attempt; return the error with that in it."""

    @property
    def complete(self) -> bool:
        """Whether all that the job is for has come, though an attempt failed."""


def buy(
    job: Job,
    progress: JobProgress,
    client: Client,
    connection: Connection,
    clock: Clock,
    attempts: Attempts,
) -> Arrival:
    """Return a whole reply of success; raise the last attempt's error where there is none."""
    last: NscaleError | None = None
    for number in count(1):
        try:
            arrival = attempts.begin(number)
        except NscaleError as refusal:
            if last is None:
                raise
            progress.tell(refusal.message)
            raise last from None
        try:
            _attempt(job, progress, arrival, client, connection, clock)
        except NscaleError as error:
            last = attempts.failed(error)
        else:
            return arrival
        wait = wait_before_retry(last, number, connection)
        ended = progress.stop.is_set() or progress.given_up or attempts.complete
        if wait is None or ended or clock.monotonic() + wait >= progress.deadline:
            raise last
        progress.tell(_announcement(last, wait, number, connection))
        if clock.wait(progress.stop, wait):
            raise last
    raise AssertionError("attempts have no end of their own")


def _attempt(
    job: Job,
    progress: JobProgress,
    arrival: Arrival,
    client: Client,
    connection: Connection,
    clock: Clock,
) -> None:
    state = progress.begin_attempt(arrival)
    reply = client.generate(job.request, state, idempotency_key=job.idempotency_key)
    error = error_in(reply, connection, model=job.request.model, now=clock.now())
    if error is not None:
        raise error


def wait_before_retry(error: NscaleError, attempt: int, connection: Connection) -> float | None:
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
