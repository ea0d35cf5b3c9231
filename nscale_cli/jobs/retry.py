"""Buying images: tries again only what certainly did not run, all within one time limit."""

from itertools import count
from typing import Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import Billed, NscaleError, RateLimited, ServiceUnreachable
from nscale_cli.jobs.job import Job, JobProgress
from nscale_cli.service.client import Client
from nscale_cli.service.replies import Reply, error_in
from nscale_cli.terminal.time import Clock

MAX_WAIT_SECONDS = 60.0


class Attempts(Protocol):
    """Who is asked before each attempt, and told of each that failed."""

    def begin(self, number: int) -> None:
        """Raise NscaleError where nothing more is to be sent."""

    def failed(self, error: NscaleError) -> None:
        """Take note of what the attempt came to."""


def buy(
    job: Job,
    progress: JobProgress,
    client: Client,
    connection: Connection,
    clock: Clock,
    attempts: Attempts,
) -> Reply:
    """Return a reply of success; raise the last attempt's error where there is none."""
    last: NscaleError | None = None
    for number in count(1):
        try:
            attempts.begin(number)
        except NscaleError as refusal:
            if last is None:
                raise
            progress.tell(refusal.message)
            raise last from None
        try:
            return _attempt(job, progress, client, connection, clock)
        except NscaleError as error:
            last = error
            attempts.failed(error)
            wait = wait_before_retry(error, number, connection)
            ended = progress.stop.is_set() or progress.given_up
            if wait is None or ended or clock.monotonic() + wait >= progress.deadline:
                raise
            progress.tell(_announcement(error, wait, number, connection))
            if clock.wait(progress.stop, wait):
                raise
    raise AssertionError("attempts have no end of their own")


def _attempt(
    job: Job, progress: JobProgress, client: Client, connection: Connection, clock: Clock
) -> Reply:
    state = progress.begin_attempt()
    reply = client.generate(job.request, state, idempotency_key=job.idempotency_key)
    error = error_in(reply, connection, model=job.request.model, now=clock.now())
    if error is not None:
        raise error
    return reply


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
    again = connection.retry_billed and error.billed is Billed.MAYBE
    return backoff if again else None


def _announcement(error: NscaleError, wait: float, attempt: int, connection: Connection) -> str:
    charged = "; it may be charged again" if error.billed is Billed.MAYBE else ""
    return (
        f"{error.message}; trying again in {wait:.0f} s "
        f"({attempt} of {connection.retries}){charged}"
    )
