"""What steers an engine: how many jobs at once, and the wish to end."""

import threading
from collections.abc import Callable

from nscale_cli.jobs.job import JobResult


class Policy:
    """How many jobs may be under way, and what the result of one means for the others."""

    def __init__(self, workers: int) -> None:
        self.limit = workers
        self.stopped = False

    def may_start(self, under_way: int) -> bool:
        """Return whether one more job may begin now."""
        return under_way < self.limit

    def requeues(self, result: JobResult, under_way: int) -> bool:
        """Take note of a result; return whether its job is to be done again, later."""
        del result, under_way
        return False


class Stop:
    """The wish to end a run early; a signal handler may make it, since it takes no lock.

    `patient`: jobs under way are finished; else only those whose reply is arriving.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.signal_number: int | None = None
        self.event = threading.Event()
        self._wake: Callable[[], None] = lambda: None

    def request(self, signal_number: int) -> None:
        """Note the wish, and wake the coordinator."""
        if self.signal_number is None:
            self.signal_number = signal_number
        self._wake()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Say how the coordinator is woken."""
        self._wake = wake
