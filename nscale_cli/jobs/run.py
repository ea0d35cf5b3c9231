"""The engine: jobs on worker threads, and one coordinator in the caller's thread.

A worker buys **and saves**, so that nothing that happens in the caller's thread (a signal, a
terminal that stands still, a time limit) comes between a paid reply and the disk. The coordinator
alone owns signals, deadlines, the terminal and the results; all it hears comes through one queue.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Protocol

from nscale_cli.errors import ConfigurationError
from nscale_cli.jobs.job import Job, JobEvent, JobProgress, JobResult
from nscale_cli.jobs.steering import Policy, Stop
from nscale_cli.terminal.time import SLICE_SECONDS

# A look at the clock that comes so much later than it should: the process was asleep meanwhile.
_ASLEEP_SECONDS = 1.0


class Work(Protocol):
    """What is done with a job."""

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Do the job, on a worker's thread; never raises."""

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Account for a job whose worker is left behind: by a signal, or None for its deadline."""


class _Events:
    """What the coordinator hears: news of a job, or that it is done.

    A signal handler may tell of something, since it takes no lock.

    Not `SimpleQueue.get(timeout=...)`: before Python 3.13 that waits for ever where a signal is
    handled while the time ends.
    """

    def __init__(self) -> None:
        self._told: deque[JobEvent | JobProgress] = deque()
        self._bell = threading.Lock()  # held while there is nothing new
        self._bell.acquire()

    def tell(self, event: JobEvent | JobProgress) -> None:
        """Add an event, and wake the coordinator."""
        self._told.append(event)
        self.wake()

    def wake(self) -> None:
        """Let the coordinator look around."""
        with suppress(RuntimeError):  # it was woken already
            self._bell.release()

    def wait(self, seconds: float) -> None:
        """Wait until there is something new, or for so long."""
        self._bell.acquire(timeout=seconds)

    def __iter__(self) -> Iterator[JobEvent | JobProgress]:
        """Take what was told, the oldest first."""
        while self._told:
            yield self._told.popleft()


class Engine:
    """Runs jobs, each with a limit of `timeout_seconds`.

    `notify` is called in this thread, and so is `tick`, several times a second.
    """

    def __init__(
        self,
        work: Work,
        *,
        policy: Policy,
        stop: Stop,
        notify: Callable[[JobEvent], None],
        timeout_seconds: float,
        tick: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._policy, self._stop, self._notify = work, policy, stop, notify
        self._timeout_seconds, self._tick, self._monotonic = timeout_seconds, tick, monotonic
        self._tasks: SimpleQueue[JobProgress | None] = SimpleQueue()
        self._events = _Events()
        self._under_way: dict[JobProgress, None] = {}
        self._again: list[Job] = []
        self._exhausted = False
        self._idle = self._threads = 0
        self._looked_at = monotonic()
        self._announced = False
        self._stopped_at: float | None = None
        stop.wakes(self._events.wake)

    def results(self, jobs: Iterable[Job]) -> Iterator[JobResult]:
        """Yield what came of each job, in the order in which they end.

        `jobs` is asked for one more only when that may begin, so it may be as long as it likes.
        Where an exception came in between, a result may be yielded once more.
        """
        waiting, self._exhausted = iter(jobs), False
        self._looked_at = self._monotonic()
        yield from self._ended()
        while True:
            self._start_all(waiting)
            if not self._under_way and not self._has_more():
                break
            self._events.wait(SLICE_SECONDS)  # in which signals are heeded
            for event in self._events:  # what is here comes before any limit
                yield from self._heed(event)
            yield from self._failed()
            yield from self._overdue()
            yield from self._stopped()
            self._tick()
        self._dismiss()

    def abandon(self, signal_number: int) -> list[JobResult]:
        """Return what came of all that is under way, without waiting for it any longer.

        Nobody is notified: a terminal that stands still would be waited for.
        """
        self._stop.event.set()
        results = list(self._ended())
        for progress in list(self._under_way):
            progress.give_up()
            results += self._give_up(progress, signal_number)
        return results

    def _start_all(self, waiting: Iterator[Job]) -> None:
        while self._has_more() and self._policy.may_start(len(self._under_way)):
            job = self._next(waiting)
            if job is None:
                return
            if not self._idle and not self._hire():
                self._again.append(job)  # those who are there do it
                return
            self._idle -= 1
            start = self._monotonic()
            progress = JobProgress(
                job,
                start=start,
                deadline=start + self._timeout_seconds,
                stop=self._stop.event,
                tell=self._events.tell,
            )
            self._under_way[progress] = None
            self._tasks.put(progress)

    def _next(self, waiting: Iterator[Job]) -> Job | None:
        if self._again:
            return self._again.pop()
        job = next(waiting, None)
        self._exhausted = job is None
        return job

    def _has_more(self) -> bool:
        ended = self._stop.event.is_set() or self._policy.stopped
        return not ended and (bool(self._again) or not self._exhausted)

    def _hire(self) -> bool:
        """Return whether there is one more worker; raise ConfigurationError where there is none."""
        try:
            # A daemon, so that one that is left behind cannot keep the program alive.
            threading.Thread(target=self._serve, daemon=True).start()
        except (RuntimeError, MemoryError) as failure:
            if self._under_way:
                return False
            raise ConfigurationError(
                f"no thread could be started: {failure or 'out of memory'}",
                hint="free some memory, or raise the limits on memory and processes (ulimit -a)",
            ) from None
        self._threads += 1
        self._idle += 1
        return True

    def _serve(self) -> None:
        while (progress := self._tasks.get()) is not None:
            try:
                progress.result = self._work.run(progress.job, progress)
                self._events.tell(progress)
            except Exception as failure:  # a bug; or no memory, not even for a result
                progress.failure = failure

    def _dismiss(self) -> None:
        for _ in range(self._threads):
            self._tasks.put(None)
        self._threads = 0

    def _heed(self, event: JobEvent | JobProgress) -> Iterator[JobResult]:
        if isinstance(event, JobEvent):
            self._notify(event)
            return
        self._idle += 1
        if event in self._under_way:  # else it was given up; what it still saved is on disk
            yield from self._end(event)

    def _ended(self) -> Iterator[JobResult]:
        """Yield what came of jobs of which nobody was told yet."""
        for progress in [each for each in self._under_way if each.result is not None]:
            yield from self._end(progress)

    def _end(self, progress: JobProgress) -> Iterator[JobResult]:
        result = progress.result
        if result is not None:
            if self._policy.requeues(result, len(self._under_way) - 1):
                self._again.append(progress.job)
            else:
                yield result
        # Only now, since a signal may be raised anywhere before.
        self._under_way.pop(progress, None)

    def _failed(self) -> Iterator[JobResult]:
        """Account for jobs whose worker could not say what came of them."""
        for progress in [each for each in self._under_way if each.failure is not None]:
            self._idle += 1
            for result in self._give_up(progress, None):
                yield replace(result, crash=progress.failure)

    def _overdue(self) -> Iterator[JobResult]:
        """Give up what has had its time; time in which this process was asleep does not count."""
        now = self._monotonic()
        asleep = now - self._looked_at - SLICE_SECONDS
        self._looked_at = now
        for progress in list(self._under_way):
            if asleep > _ASLEEP_SECONDS:
                progress.deadline += asleep
            if now >= progress.deadline and progress.give_up():
                yield from self._give_up(progress, None)

    def _stopped(self) -> Iterator[JobResult]:
        number = self._stop.signal_number
        if number is None:
            return
        self._stop.event.set()
        # A reply may wait in the socket of a process that was asleep: there is time to read of it.
        now = self._monotonic()
        self._stopped_at = now if self._stopped_at is None else self._stopped_at
        looking = now - self._stopped_at < SLICE_SECONDS
        arriving = False
        for progress in list(self._under_way):
            goes_on = self._stop.patient or progress.state.receiving
            arriving |= goes_on
            if not goes_on and not (looking and progress.state.sent) and progress.give_up():
                yield from self._give_up(progress, number)
        if arriving and self._under_way and not self._announced:
            self._announced = True
            self._notify(JobEvent(text=_finishing(len(self._under_way), self._stop)))

    def _give_up(self, progress: JobProgress, signal_number: int | None) -> Iterator[JobResult]:
        progress.result = result = self._work.give_up(progress.job, progress, signal_number)
        yield result
        self._under_way.pop(progress, None)


def _finishing(count: int, stop: Stop) -> str:
    what = f"{count} under way" if stop.patient else "the image is arriving"
    return f"finishing: {what} (press Ctrl-C again to abort)"
