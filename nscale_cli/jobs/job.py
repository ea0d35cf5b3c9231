"""One order for images: what is asked for, how far it is, and what came of it."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from nscale_cli.errors import Billed, ExitCode, NscaleError, Stopped
from nscale_cli.request import ImageRequest, SavedImage
from nscale_cli.service.request_state import RequestState, Sink
from nscale_cli.storage.names import Target
from nscale_cli.values import frozen

_WORST_FIRST = (ExitCode.NOT_SAVED, ExitCode.INCOMPLETE, ExitCode.SAVED_ELSEWHERE)


class Stage(StrEnum):
    """How far a job is."""

    SENT = "sent"
    RECEIVING = "receiving"


@frozen
class Job:
    """One request for images, and where they go.

    `target` is None where the bytes go to standard output. Each attempt at the request carries
    the same idempotency key. By `label` its unfinished files are known after a crash.
    """

    id: str
    request: ImageRequest
    target: Target | None
    force: bool = False
    label: str = ""
    idempotency_key: str = field(default_factory=lambda: str(uuid.uuid4()))


@frozen
class JobResult:
    """What came of a job: `errors` are failures of parts of it, or of the whole.

    `request_id` is what the service called the last attempt. `kept` are files that hold what was
    paid for and is no image. `crash` is what the code did not foresee, for whoever writes the
    report of a bug.
    """

    job: Job
    images: tuple[SavedImage, ...] = ()
    errors: tuple[NscaleError, ...] = ()
    elapsed_seconds: float = 0.0
    created_at: datetime | None = None
    request_id: str | None = None
    kept: tuple[Path, ...] = ()
    crash: Exception | None = None

    @property
    def request(self) -> ImageRequest:
        """What was asked for."""
        return self.job.request

    @property
    def stopped(self) -> bool:
        """Whether a signal ended it."""
        return any(isinstance(error, Stopped) for error in self.errors)

    @property
    def exit_code(self) -> ExitCode:
        """The code of the gravest error, or OK."""
        codes = [error.code for error in self.errors]
        stops = [error.code for error in self.errors if isinstance(error, Stopped)]
        graver = [code for code in _WORST_FIRST if code in codes]
        return (stops + graver + codes + [ExitCode.OK])[0]

    @property
    def billed(self) -> Billed:
        """Whether the job has cost money, as far as this program can know."""
        found = {error.billed for error in self.errors}
        if self.images or Billed.YES in found:
            return Billed.YES
        return Billed.MAYBE if Billed.MAYBE in found else Billed.NO


@frozen
class Collected:
    """What came of a reply: the images, and what is wrong with it or with parts of it.

    `kept` says where a reply that broke off is kept; it is empty where there is nothing to keep.
    """

    images: tuple[SavedImage, ...] = ()
    errors: tuple[NscaleError, ...] = ()
    kept: str = ""


class Arrival(Sink, Protocol):
    """The reply of one attempt, saved while it arrives."""

    @property
    def byte_count(self) -> int:
        """How much of it has come."""

    def collected(self) -> Collected:
        """Return what came of the whole reply."""

    def abort(self, *, final: bool = True) -> Collected:
        """Keep what came of a reply that broke off, or is given up; any thread may do so."""


@frozen
class JobEvent:
    """News of a job under way: a new stage, with a text for --debug, or a text for the user."""

    stage: Stage | None = None
    text: str = ""


class JobProgress:
    """A job under way: its worker writes, the coordinator reads, and one of them ends it.

    `deadline` is a moment of the clock, which the coordinator moves where the process was asleep.
    `stop` is set where nothing more is to be sent. `state` and `arrival` are of the latest
    attempt, `earlier` is what came of those before.
    """

    def __init__(
        self,
        job: Job,
        *,
        start: float,
        deadline: float,
        stop: threading.Event,
        tell: Callable[[JobEvent], None],
    ) -> None:
        self.job, self.start, self.deadline, self.stop = job, start, deadline, stop
        self.state = RequestState()
        self.arrival: Arrival | None = None
        self.earlier: list[Collected] = []
        self.billed_before = False
        self._tell = tell
        self._lock = threading.Lock()
        self._collecting = self._given_up = False
        self.result: JobResult | None = None  # of the worker, when it is done
        self.failure: Exception | None = None  # with which the worker ended, in place of a result

    def begin_attempt(self, arrival: Arrival) -> RequestState:
        """Return the state of a further attempt, whose reply goes to `arrival`."""
        self.billed_before = self.may_be_billed
        self.arrival = arrival
        self.state = RequestState(
            sink=arrival,
            may_send=self._may_send,
            on_sent=lambda: self.tell(stage=Stage.SENT),
            on_reply=lambda: self.tell(stage=Stage.RECEIVING),
        )
        return self.state

    def _may_send(self) -> bool:
        """Return whether the request may be sent, and note that it is.

        It is that, or the job has been given up as one of which nothing was sent: never both.
        """
        with self._lock:
            if self._given_up:
                return False
            self.state.sent = True
            return True

    @property
    def may_be_billed(self) -> bool:
        """Whether an attempt got as far as the service and was not turned down."""
        refused = self.state.reply is not None and self.state.reply.status == 429
        return self.billed_before or (self.state.sent and not refused)

    def tell(self, text: str = "", *, stage: Stage | None = None) -> None:
        """Tell the coordinator."""
        self._tell(JobEvent(stage=stage, text=text))

    def begin_collecting(self) -> None:
        """Note that all is here: from now on only the worker ends the job."""
        with self._lock:
            self._collecting = True

    def give_up(self) -> bool:
        """Return whether the coordinator may end the job; its worker is left behind then."""
        with self._lock:
            self._given_up = not self._collecting
            return self._given_up

    @property
    def given_up(self) -> bool:
        """Whether the coordinator has ended the job."""
        return self._given_up
