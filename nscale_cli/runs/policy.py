"""What the end of one row means for the others: which go again, and what stops the run."""

import time
from collections.abc import Callable
from enum import StrEnum
from math import ceil

from nscale_cli.errors import (
    AuthenticationError,
    Billed,
    ConfigurationError,
    ExitCode,
    InsufficientCredit,
    NotSaved,
    NscaleError,
    RateLimited,
    RequestRefused,
    SavedElsewhere,
    ServiceUnreachable,
)
from nscale_cli.jobs.budget import OverBudget
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.jobs.limit import AdaptiveLimit
from nscale_cli.jobs.steering import Policy
from nscale_cli.runs.job_journal import NotWrittenDown

MAX_SECONDS_WITHOUT_SUCCESS = 600.0
MAX_MAYBES_IN_A_ROW = 5
_NOT_FOUND = 404


class StopReason(StrEnum):
    """What ended a run before its last row."""

    CREDIT = "credit"
    KEY = "key"
    CONFIGURATION = "configuration"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    MAYBE_BILLED = "maybe_billed"
    DISK = "disk"
    MAX_COST = "max_cost"
    FAIL_FAST = "fail_fast"
    BUG = "bug"
    SIGNAL = "signal"


# Each of these would meet every other row, too.
_STOPS: dict[type[NscaleError], StopReason] = {
    InsufficientCredit: StopReason.CREDIT,
    AuthenticationError: StopReason.KEY,
    ConfigurationError: StopReason.CONFIGURATION,
    ServiceUnreachable: StopReason.UNREACHABLE,
    NotWrittenDown: StopReason.DISK,
    SavedElsewhere: StopReason.DISK,
    NotSaved: StopReason.DISK,
    OverBudget: StopReason.MAX_COST,
}


class RunPolicy(Policy):
    """How many rows may be under way, and when a run stops; what is under way is finished.

    `stopped_by` tells why, `error` is what stopped it. A row that the service asked to wait with
    goes again and loses no try; one that did not reach it has `retries` more. `keep_going`: no
    number of failures that may have been billed is too many.
    """

    def __init__(
        self,
        *,
        workers: int,
        retries: int = 0,
        retry_billed: bool = False,
        keep_going: bool = False,
        fail_fast: bool = False,
        say: Callable[[str], object] = str,
        monotonic: Callable[[], float] = time.monotonic,
        service_of: Callable[[Job], str] = lambda _: "",
    ) -> None:
        """Start with all workers."""
        super().__init__(workers)
        self.stopped_by: StopReason | None = None
        self.error: NscaleError | None = None
        self.limited = AdaptiveLimit(workers, monotonic=monotonic)
        self._retries, self._retry_billed = retries, retry_billed
        self._keep_going, self._fail_fast = keep_going, fail_fast
        self._say, self._monotonic = say, monotonic
        self._succeeded_at = monotonic()
        self._maybes = 0
        self._limits_told = False
        self._tries: dict[str, int] = {}  # of rows that go again
        self._service_of = service_of
        self._lost_models: set[tuple[str, str]] = set()  # each at one service

    def may_start(self, under_way: int) -> bool:
        """Return whether one more row may be sent now."""
        return self.limited.may_start(under_way)

    def leaves_out(self, model: str, service: str = "") -> bool:
        """Return whether the service does not know this model, so that its rows are not sent."""
        return (service, model) in self._lost_models

    def stop(self, reason: StopReason, error: NscaleError | None = None) -> None:
        """Send nothing more; the first reason counts."""
        if not self.stopped:
            self.stopped, self.stopped_by, self.error = True, reason, error

    def requeues(self, result: JobResult, under_way: int) -> bool:
        """Take note of how a row ended; return whether it is to go again."""
        if result.crash is not None:
            self.stop(StopReason.BUG, result.errors[0] if result.errors else None)
        if not result.errors:
            self._succeeded_at, self._maybes = self._monotonic(), 0
            self.limited.succeeded()
            return False
        again = False
        for error in result.errors:
            again = self._heed(error, result, under_way) or again
        if again and not self.stopped and not result.images:
            return True
        self._tries.pop(result.job.id, None)
        if self._fail_fast:
            self.stop(StopReason.FAIL_FAST, result.errors[0])
        return False

    def _heed(self, error: NscaleError, result: JobResult, under_way: int) -> bool:
        """Do what this error asks for; return whether the row may go again."""
        if isinstance(error, RateLimited):
            return self._heed_limit(error, result, under_way)
        if isinstance(error, ServiceUnreachable) and error.temporary and self._has_try(result):
            self.limited.pause(float(2 ** (self._tries[result.job.id] - 1)))
            return True
        if isinstance(error, RequestRefused) and error.http_status == _NOT_FOUND:
            self._lost_models.add((self._service_of(result.job), result.job.request.model))
        for kind, reason in _STOPS.items():
            if isinstance(error, kind):
                self.stop(reason, error)
        if error.billed is not Billed.MAYBE:
            return False
        self._maybes += 1
        if self._maybes >= MAX_MAYBES_IN_A_ROW and not self._keep_going:
            self.stop(StopReason.MAYBE_BILLED, error)
        return self._retry_billed and error.code in _MAY_BE_REPEATED and self._has_try(result)

    def _heed_limit(self, error: RateLimited, result: JobResult, under_way: int) -> bool:
        before, limited = self.limited.limit, self.limited
        limited.refused(
            under_way,
            elapsed_seconds=result.elapsed_seconds,
            retry_after_seconds=error.retry_after_seconds,
        )
        if limited.pause_seconds:
            self._say(f"{error.message}; all wait {ceil(limited.pause_seconds)} s")
        elif not self._limits_told and limited.limit < before:
            self._limits_told = True
            self._say(f"{error.message}; fewer are sent at once from now on, and none is lost")
        if self._monotonic() - self._succeeded_at > MAX_SECONDS_WITHOUT_SUCCESS:
            self.stop(StopReason.RATE_LIMITED, error)
        return not error.retry_forbidden

    def _has_try(self, result: JobResult) -> bool:
        tries = self._tries.get(result.job.id, 0)
        self._tries[result.job.id] = tries + 1
        return tries < self._retries


_MAY_BE_REPEATED = (
    ExitCode.TIMEOUT,
    ExitCode.DISCONNECTED,
    ExitCode.SERVICE_FAILED,
    ExitCode.UNUSABLE_REPLY,
)
