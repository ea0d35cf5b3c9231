"""The limit on requests under way, against a service that refuses some of them."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from nscale_cli.jobs.limit import AdaptiveLimit

LATENCY_SECONDS, REFUSAL_SECONDS, POLL_SECONDS = 0.5, 0.02, 0.25


@dataclass
class Service:
    """Takes `at_once` requests at a time, and `a_minute`; answers in half a second of its time."""

    at_once: int = 1000
    a_minute: int = 1000
    retry_after_seconds: float | None = None
    now: float = 0.0
    running: int = 0
    taken: list[float] = field(default_factory=list)

    def takes(self) -> bool:
        """Return whether it takes one more request now."""
        recent = [moment for moment in self.taken if moment > self.now - 60]
        if self.running >= self.at_once or len(recent) >= self.a_minute:
            return False
        self.taken.append(self.now)
        self.running += 1
        return True


def run(service: Service, rows: int, workers: int) -> tuple[float, int]:
    """Send these rows as the engine does; return the seconds that it took, and the refusals."""
    limit = AdaptiveLimit(workers, monotonic=lambda: service.now)
    answers: list[tuple[float, bool, float]] = []  # when, whether it is an image, when it left
    refusals = 0
    while rows or answers:
        while rows and limit.may_start(len(answers)):
            rows -= 1
            taken = service.takes()
            seconds = LATENCY_SECONDS if taken else REFUSAL_SECONDS
            heapq.heappush(answers, (service.now + seconds, taken, service.now))
        if not answers or answers[0][0] > service.now + POLL_SECONDS:
            service.now += POLL_SECONDS
            continue
        service.now, taken, left_at = heapq.heappop(answers)
        if taken:
            service.running -= 1
            limit.succeeded()
            continue
        rows += 1
        refusals += 1
        limit.refused(
            len(answers),
            elapsed_seconds=service.now - left_at,
            retry_after_seconds=service.retry_after_seconds,
        )
    return service.now, refusals


def test_without_a_refusal_all_workers_work() -> None:
    """The service takes what it is sent."""
    assert run(Service(), 160, 16) == (pytest.approx(5.0), 0)


@pytest.mark.parametrize(("at_once", "workers"), [(8, 16), (4, 16), (8, 64), (1, 8), (15, 16)])
def test_a_service_that_takes_so_many_at_once_is_kept_busy(at_once: int, workers: int) -> None:
    """Nobody waits for those who were refused, and few are."""
    seconds, refusals = run(Service(at_once=at_once), 20 * at_once, workers)
    assert seconds <= 1.1 * 20 * LATENCY_SECONDS
    assert refusals <= workers - at_once + 8


def test_a_limit_by_the_minute_makes_all_wait_together() -> None:
    """As long as the service says, and no longer than a minute at a time."""
    service = Service(a_minute=30, retry_after_seconds=20.0)
    seconds, refusals = run(service, 90, 8)
    assert 120 <= seconds <= 150
    assert refusals <= 8 * 8


def test_a_service_that_refuses_everything_is_asked_ever_more_seldom() -> None:
    """Also where it does not say how long to wait."""
    service = Service(a_minute=20)
    seconds, refusals = run(service, 60, 8)
    assert 120 <= seconds <= 200
    assert refusals <= 60


def limit_at(now: list[float], workers: int = 8) -> AdaptiveLimit:
    """Return a limit whose clock shows `now[0]`."""
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731 - a clock
    return AdaptiveLimit(workers, monotonic=clock)


def test_a_refusal_with_retry_after_is_heeded_up_to_a_minute() -> None:
    """A service may say anything."""
    now = [0.0]
    limit = limit_at(now)
    limit.refused(3, elapsed_seconds=0.1, retry_after_seconds=9999.0)
    assert (limit.limit, limit.pause_seconds) == (3, 60.0)
    now[0] = 59.9
    assert not limit.may_start(0)
    now[0] = 60.0
    assert limit.may_start(0)


def test_those_that_left_together_are_one_strike() -> None:
    """A burst above the limit is no reason for anybody to wait."""
    now = [10.0]
    limit = limit_at(now)
    for under_way in (7, 6, 5, 4):
        limit.refused(under_way, elapsed_seconds=0.3, retry_after_seconds=None)
        now[0] += 0.05
    assert (limit.limit, limit.pause_seconds) == (4, 0.0)
    for _ in range(2):
        now[0] += 1.0
        limit.refused(4, elapsed_seconds=0.3, retry_after_seconds=None)
    assert limit.pause_seconds == 1.0
    limit.succeeded()
    now[0] += 1.0
    limit.refused(4, elapsed_seconds=0.3, retry_after_seconds=None)
    assert limit.pause_seconds == 0.0
