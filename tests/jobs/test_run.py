"""The engine, with work that needs no service: limits, signals, and results."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from nscale_cli.errors import AnswerTimeout, ConfigurationError, Stopped
from nscale_cli.jobs.job import Job, JobEvent, JobProgress, JobResult, Stage
from nscale_cli.jobs.run import Engine
from nscale_cli.jobs.steering import Policy, Stop
from nscale_cli.request import ImageRequest, Size
from nscale_cli.terminal.time import SLICE_SECONDS


class Errand:
    """Work that does what the test says."""

    def __init__(self, errand: Callable[[JobProgress], None]) -> None:
        """Do this with each job."""
        self.errand = errand

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Do it, and say so."""
        self.errand(progress)
        return JobResult(job=job)

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Say what ended it."""
        error = AnswerTimeout("late") if signal_number is None else Stopped(signal_number)
        return JobResult(job=job, errors=(error,))


def jobs(count: int) -> list[Job]:
    """Return so many jobs."""
    request = ImageRequest(prompt="cat", model="m", size=Size(width=1, height=1))
    return [Job(id=str(number), request=request, target=None) for number in range(count)]


def engine(
    errand: Callable[[JobProgress], None],
    *,
    workers: int = 1,
    stop: Stop | None = None,
    notify: Callable[[JobEvent], None] = lambda event: None,
    timeout_seconds: float = 60.0,
) -> Engine:
    """Return an engine for the errand."""
    return Engine(
        Errand(errand),
        policy=Policy(workers),
        stop=stop or Stop(),
        notify=notify,
        timeout_seconds=timeout_seconds,
    )


@pytest.mark.slow
def test_what_is_here_comes_before_a_limit_that_has_passed() -> None:
    """A terminal that stands still holds the coordinator up, and no result is thrown away."""
    finished, heard = threading.Event(), []

    def errand(progress: JobProgress) -> None:
        for _ in range(3):
            progress.tell(stage=Stage.SENT)
        finished.set()

    def notify(event: JobEvent) -> None:
        if not heard:
            assert finished.wait(60)
            threading.Event().wait(0.5)  # the limit passes, in less than counts as sleep
        heard.append(event)

    (result,) = engine(errand, notify=notify, timeout_seconds=0.3).results(jobs(1))

    assert result.errors == ()
    assert len(heard) == 3


@pytest.mark.slow
def test_a_worker_that_is_overdue_is_left_behind_and_replaced() -> None:
    """The others go on."""
    hanging = threading.Event()

    def errand(progress: JobProgress) -> None:
        if progress.job.id == "0":
            hanging.wait(60)

    results = list(engine(errand, timeout_seconds=0.3).results(jobs(3)))
    hanging.set()

    assert [result.job.id for result in results] == ["0", "1", "2"]
    assert [bool(result.errors) for result in results] == [True, False, False]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signal comes from elsewhere there")
def test_a_signal_that_takes_longer_than_the_wait_does_not_outlast_the_limit() -> None:
    """Its handler returns after the wait was over, on which some waits have no end."""
    handled, given_up = threading.Event(), threading.Event()

    def handle(number: int, frame: object) -> None:
        time.sleep(2 * SLICE_SECONDS)
        handled.set()

    def interrupt() -> None:
        time.sleep(SLICE_SECONDS / 2)  # when the coordinator is in the middle of a wait
        os.kill(os.getpid(), signal.SIGUSR1)

    def errand(progress: JobProgress) -> None:
        threading.Thread(target=interrupt).start()
        given_up.wait(30)  # what else would end a wait without an end

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        (result,) = engine(errand, timeout_seconds=0.3).results(jobs(1))
    finally:
        given_up.set()
        signal.signal(signal.SIGUSR1, before)

    assert handled.is_set()
    assert isinstance(result.errors[0], AnswerTimeout)


def test_a_worker_that_fails_without_a_result_ends_its_job_and_no_other() -> None:
    """Also where it had begun to collect, which no limit in time ends."""

    def errand(progress: JobProgress) -> None:
        if progress.job.id == "0":
            progress.begin_collecting()
            raise MemoryError

    results = list(engine(errand, timeout_seconds=600).results(jobs(3)))

    assert [result.job.id for result in results] == ["0", "1", "2"]
    assert [type(result.crash) for result in results] == [MemoryError, type(None), type(None)]


_REFUSED = "can't start new thread"


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the system give so many threads from now on, and no more."""
    start = threading.Thread.start

    def after(count: int) -> None:
        given = iter(range(count))

        def refuse(thread: threading.Thread) -> None:
            if next(given, None) is None:
                raise RuntimeError(_REFUSED)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)

    return after


def test_where_no_thread_can_be_started_nothing_waits_for_one(
    no_more_threads: Callable[[int], None],
) -> None:
    """Neither at first, nor when what is under way is finished after the failure."""
    no_more_threads(0)
    runs = engine(lambda progress: None, timeout_seconds=600)

    with pytest.raises(ConfigurationError, match=_REFUSED):
        list(runs.results(jobs(3)))
    assert list(runs.results(())) == []


def test_fewer_threads_than_wanted_do_all_jobs(no_more_threads: Callable[[int], None]) -> None:
    """A limit on processes makes a run slower, and loses no row."""
    no_more_threads(2)

    results = engine(lambda progress: None, workers=8).results(jobs(20))

    assert sorted(int(result.job.id) for result in results) == list(range(20))


def test_no_more_jobs_are_asked_for_than_may_begin() -> None:
    """A million rows are no million jobs in memory."""
    pulled = 0
    most = []

    def endless() -> Iterator[Job]:
        nonlocal pulled
        for job in jobs(200):
            pulled += 1
            yield job

    done = 0
    for _ in engine(lambda progress: None, workers=4).results(endless()):
        done += 1
        most.append(pulled - done)

    assert done == 200
    assert max(most) <= 4


@pytest.mark.slow
def test_a_job_that_may_be_given_up_ends_with_the_first_signal_and_no_other_begins() -> None:
    """Only what is arriving is waited for."""
    stop, waiting, arriving = Stop(), threading.Event(), threading.Event()

    def errand(progress: JobProgress) -> None:
        if progress.job.id == "0":
            progress.state.receiving = True
            arriving.set()
            waiting.wait(0.5)
            return
        assert arriving.wait(60)
        stop.request(2)
        waiting.wait(60)

    results = {
        result.job.id: result for result in engine(errand, workers=2, stop=stop).results(jobs(9))
    }
    waiting.set()

    assert sorted(results) == ["0", "1"]
    assert results["0"].errors == ()
    assert [type(error) for error in results["1"].errors] == [Stopped]


def test_a_patient_stop_finishes_all_that_is_under_way() -> None:
    """And says so, once."""
    stop, said = Stop(patient=True), []

    def errand(progress: JobProgress) -> None:
        stop.request(15)
        progress.stop.wait(60)

    results = list(engine(errand, workers=3, stop=stop, notify=said.append).results(jobs(9)))

    assert [result.errors for result in results] == [()] * len(results)
    assert 1 <= len(results) <= 3
    assert [event.text for event in said if event.text.startswith("finishing: ")] != []
    assert len(said) == 1
