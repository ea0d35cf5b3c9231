"""What the end of one row means for the others."""

from dataclasses import replace

import pytest

from nscale_cli.errors import (
    AnswerTimeout,
    AuthenticationError,
    ConfigurationError,
    Incomplete,
    InsufficientCredit,
    InternalError,
    NotSaved,
    NscaleError,
    RateLimited,
    RequestRefused,
    SavedElsewhere,
    ServiceFailed,
    ServiceUnreachable,
)
from nscale_cli.jobs.budget import OverBudget
from nscale_cli.jobs.job import Job, JobResult
from nscale_cli.runs.job_journal import NotWrittenDown
from nscale_cli.runs.policy import RunPolicy, StopReason
from tests.runs.rows import request


class Time:
    """A clock that shows what a test says."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def result(*errors: NscaleError, row: str = "a", model: str = "a/model") -> JobResult:
    """Return how a row ended that had these errors."""
    job = Job(id=row, request=request(model=model), target=None)
    return JobResult(job=job, errors=errors, elapsed_seconds=0.1)


def policy(time: Time | None = None, **options: object) -> RunPolicy:
    """Return the policy of a run with four workers."""
    return RunPolicy(workers=4, monotonic=time or Time(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InsufficientCredit("x"), "credit"),
        (AuthenticationError("x"), "key"),
        (ConfigurationError("x"), "configuration"),
        (ServiceUnreachable("x", temporary=False), "unreachable"),
        (NotWrittenDown("x"), "disk"),
        (SavedElsewhere("x"), "disk"),
        (NotSaved("x"), "disk"),
        (OverBudget("x"), "max_cost"),
    ],
)
def test_what_every_other_row_would_meet_stops_the_run(error: NscaleError, reason: str) -> None:
    """And the error is what stopped it; the first reason counts."""
    rules = policy()
    assert not rules.requeues(result(error), 3)
    assert (rules.stopped, rules.stopped_by, rules.error) == (True, reason, error)
    rules.stop(StopReason.SIGNAL)
    assert rules.stopped_by == reason


@pytest.mark.parametrize(
    "error", [RequestRefused("x"), ServiceFailed("x"), AnswerTimeout("x"), Incomplete("x")]
)
def test_what_is_wrong_with_one_row_stops_nothing(error: NscaleError) -> None:
    """Unless --fail-fast was given."""
    rules = policy()
    assert not rules.requeues(result(error), 3)
    assert (rules.stopped, rules.stopped_by) == (False, None)
    strict = policy(fail_fast=True)
    assert not strict.requeues(result(error), 3)
    assert strict.stopped_by is StopReason.FAIL_FAST


def test_a_model_that_is_not_there_is_left_out() -> None:
    """Other refusals say nothing of the model."""
    rules = policy()
    rules.requeues(result(RequestRefused("x", http_status=404), model="gone"), 3)
    rules.requeues(result(RequestRefused("x", http_status=400), model="there"), 3)
    assert (rules.leaves_out("gone"), rules.leaves_out("there")) == (True, False)


def test_a_row_that_is_to_wait_goes_again_and_loses_no_try() -> None:
    """However often it is turned away, while others succeed; it is said once."""
    said: list[str] = []
    rules = policy(retries=0, say=said.append)
    for _ in range(20):
        assert rules.requeues(result(RateLimited("too many")), 2)
        assert not rules.requeues(result(row="b"), 2)
    assert said == ["too many; fewer are sent at once from now on, and none is lost"]
    assert not rules.may_start(2)
    assert rules.may_start(1)


def test_a_service_that_forbids_another_try_is_heeded() -> None:
    """By its header `x-should-retry: false`."""
    limited = RateLimited("too many")
    limited.retry_forbidden = True
    assert not policy().requeues(result(limited), 2)


def test_ten_minutes_without_a_success_are_enough() -> None:
    """The run stops; the row has failed, and was not billed."""
    time = Time()
    rules = policy(time)
    time.now += 599
    assert rules.requeues(result(RateLimited("too many")), 0)
    rules.requeues(result(), 0)
    time.now += 600
    assert rules.requeues(result(RateLimited("too many")), 0)
    time.now += 1
    assert not rules.requeues(result(RateLimited("too many")), 0)
    assert rules.stopped_by is StopReason.RATE_LIMITED


def test_all_wait_as_long_as_the_service_says() -> None:
    """And the user is told."""
    said: list[str] = []
    limited = RateLimited("too many")
    limited.retry_after_seconds = 20.0
    time = Time()
    rules = policy(time, say=said.append)
    assert rules.requeues(result(limited), 3)
    assert said == ["too many; all wait 20 s"]
    assert not rules.may_start(0)
    time.now += 20
    assert rules.may_start(0)


def test_a_service_that_is_not_reached_for_a_moment_is_tried_again() -> None:
    """With a pause for all; each row has its tries, and then the run stops."""
    time = Time()
    rules = policy(time, retries=2)
    away = result(ServiceUnreachable("x", temporary=True))
    assert rules.requeues(away, 3)
    assert rules.limited.pause_seconds == 1.0
    time.now += 1
    assert rules.requeues(away, 3)
    assert rules.limited.pause_seconds == 2.0
    assert not rules.stopped
    assert not rules.requeues(away, 3)
    assert rules.stopped_by is StopReason.UNREACHABLE


def test_five_failures_in_a_row_that_may_have_been_billed_stop_the_run() -> None:
    """A success between them starts the count anew."""
    rules = policy()
    for row in "abcd":
        rules.requeues(result(ServiceFailed("x"), row=row), 3)
    rules.requeues(result(), 3)
    for row in "efgh":
        rules.requeues(result(ServiceFailed("x"), row=row), 3)
    assert not rules.stopped
    rules.requeues(result(AnswerTimeout("x"), row="i"), 3)
    assert rules.stopped_by is StopReason.MAYBE_BILLED
    going = policy(keep_going=True)
    for number in range(20):
        going.requeues(result(ServiceFailed("x"), row=str(number)), 3)
    assert not going.stopped


def test_what_may_have_been_billed_goes_again_only_where_that_is_allowed() -> None:
    """As often as --retry says."""
    assert not policy(retries=2).requeues(result(ServiceFailed("x")), 3)
    rules = policy(retries=2, retry_billed=True)
    assert [rules.requeues(result(ServiceFailed("x")), 3) for _ in range(3)] == [True, True, False]


def test_a_bug_stops_the_run() -> None:
    """What is under way is finished first."""
    rules = policy()
    crashed = replace(result(InternalError("KeyError")), crash=KeyError("x"))
    assert not rules.requeues(crashed, 3)
    assert rules.stopped_by is StopReason.BUG


def test_nothing_goes_again_once_the_run_has_stopped() -> None:
    """It is sent when the same command is given again."""
    rules = policy()
    rules.stop(StopReason.CREDIT)
    assert not rules.requeues(result(RateLimited("x")), 3)
