"""Buying what a plan asks for: the rows become jobs of the engine, one by one.

    with owning(run, shard), open_ledger(place) as ledger:
        survey = survey_rows(ledger, options, source=name, adopt=True)
        ended = buy_rows(ledger, order, environment, watch)

Nothing here knows where the rows came from. Memory does not grow with their number.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import field, replace
from typing import Protocol

from nscale_cli.connection import Connection
from nscale_cli.errors import NscaleError
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.buyer import Buyer
from nscale_cli.jobs.job import Job, JobEvent, JobProgress, JobResult
from nscale_cli.jobs.marking import Marker
from nscale_cli.jobs.prices import PriceList
from nscale_cli.jobs.record import Recorder
from nscale_cli.jobs.run import Engine
from nscale_cli.jobs.save import Store
from nscale_cli.jobs.steering import Stop
from nscale_cli.request import ImageRequest
from nscale_cli.runs.job_journal import JobJournal
from nscale_cli.runs.journal import Event
from nscale_cli.runs.ledger import Ledger
from nscale_cli.runs.plan import PlannedRow
from nscale_cli.runs.policy import RunPolicy, StopReason
from nscale_cli.runs.resume import Action, ResumeOptions, free_path
from nscale_cli.runs.row_names import target_of
from nscale_cli.runs.survey import rows_to_send
from nscale_cli.service.client import Client
from nscale_cli.service.prices import cost_usd
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.terminal.time import Clock
from nscale_cli.values import frozen


class Watch(Protocol):
    """Who is told how a run goes on; always in the thread that coordinates it."""

    def finished(self, planned: PlannedRow, result: JobResult, usd: float | None) -> None:
        """Hear how a row ended that does not go again, and what it cost where that is known."""

    def happened(self, events: list[Event]) -> None:
        """Hear what was written into the journal."""

    def say(self, text: str) -> None:
        """Hear a sentence for the user."""

    def tick(self, under_way: int) -> None:
        """Look at the clock, several times a second, and at how many requests are under way."""


@frozen
class RunOrder:
    """How a plan is bought. Services, their prices and their budgets are by a row's `service`.

    "" is the plan's own. `store` says where images go whose own place fails. Of each service,
    `markers` write into its images, and `recorders` remember them, where that is wanted.
    """

    services: Mapping[str, Connection]
    prices: Mapping[str, PriceList]
    store: Store
    resume: ResumeOptions
    workers: int
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    keep_going: bool = False
    fail_fast: bool = False
    markers: Mapping[str, Marker] = field(default_factory=dict)
    recorders: Mapping[str, Recorder] = field(default_factory=dict)


@frozen
class RunEnd:
    """How a run ended: why before its last row, if it did, and by which error or signal."""

    stopped_by: StopReason | None = None
    error: NscaleError | None = None
    signal_number: int | None = None
    crash: Exception | None = None


def buy_rows(ledger: Ledger, order: RunOrder, environment: Environment, watch: Watch) -> RunEnd:
    """Send what is to be sent and save what comes; each end is in the ledger.

    From now on signals are this run's own: the first lets what is under way be finished, the
    second gives it up. They are on hold at the end, for the report.
    """
    with ExitStack() as stack:
        clients = {
            service: stack.enter_context(Client(connection))
            for service, connection in order.services.items()
        }
        for client in clients.values():
            client.prepare()
        return _Run(ledger, order, environment, watch, clients).finish()


class _Run:
    """One run: its engine, its policy, and the rows under way."""

    def __init__(
        self,
        ledger: Ledger,
        order: RunOrder,
        environment: Environment,
        watch: Watch,
        clients: Mapping[str, Client],
    ) -> None:
        monotonic = environment.clock.monotonic
        self._ledger, self._order, self._watch = ledger, order, watch
        self._interrupts, self._invocation = environment.interrupts, environment.invocation
        self._rows: dict[str, PlannedRow] = {}  # those under way, and those that go again
        self._warnings: deque[str] = deque()
        self._crash: Exception | None = None
        self._stop = Stop(patient=True)
        self._journal = JobJournal(ledger.journal, ledger.place.run.path, self._price_of)
        first = next(iter(order.services.values()))
        self._policy = RunPolicy(
            workers=order.workers,
            retries=first.retries,
            retry_billed=first.retry_billed,
            keep_going=order.keep_going,
            fail_fast=order.fail_fast,
            say=watch.say,
            monotonic=monotonic,
            service_of=self._service_of,
        )
        self._buyers = self._new_buyers(clients, environment.clock)
        self._engine = Engine(
            self,
            policy=self._policy,
            stop=self._stop,
            notify=self._heed,
            timeout_seconds=first.timeout_seconds,
            tick=self._tick,
            monotonic=monotonic,
        )

    def _new_buyers(self, clients: Mapping[str, Client], clock: Clock) -> dict[str, Buyer]:
        """Return a buyer for each service.

        The attempts of a row are made by the policy, so that each has its end in the journal.
        """
        order, store = self._order, replace(self._order.store, warn=self._warnings.append)
        return {
            service: Buyer(
                client=client,
                connection=replace(order.services[service], retries=0),
                store=store,
                clock=clock,
                budget=order.budgets.get(service),
                journal=self._journal,
                marker=order.markers.get(service),
            )
            for service, client in clients.items()
        }

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Do a job, on a worker's thread."""
        return self._buyer_of(job).run(job, progress)

    def give_up(self, job: Job, progress: JobProgress, signal_number: int | None) -> JobResult:
        """Account for a job whose worker is left behind."""
        return self._buyer_of(job).give_up(job, progress, signal_number)

    def finish(self) -> RunEnd:
        """Run to the end."""
        self._interrupts.hold(self._stop.request)
        self._invocation.buying = True
        try:
            self._note_all(self._engine.results(self._jobs()))
        except Interrupted as again:
            self._interrupts.hold(firmly=True)
            self._stop.signal_number = again.signal_number
            results = self._engine.abandon(again.signal_number)
            self._interrupts.hold()
            self._note_all(results)
        except Exception as failure:
            # What is paid for is finished before anybody hears of it.
            self._policy.stop(StopReason.BUG)
            self._note_all(self._engine.results(()))
            raise failure from None
        self._interrupts.hold()
        self._tick()
        number = self._interrupts.take() or self._stop.signal_number
        if number is not None:
            self._policy.stop(StopReason.SIGNAL)
        return RunEnd(
            stopped_by=self._policy.stopped_by,
            error=self._policy.error,
            signal_number=number,
            crash=self._crash,
        )

    def _jobs(self) -> Iterator[Job]:
        run, states = self._ledger.place.run, self._ledger.states
        place, resume = self._ledger.place, self._order.resume
        for planned, history, action in rows_to_send(place, states, resume):
            if self._policy.stopped or self._stop.signal_number is not None:
                return
            if self._policy.leaves_out(planned.request.model, planned.row.service):
                continue
            path = free_path(planned, run)
            self._rows[planned.key] = planned
            self._journal.expect(planned.key, path=path, row_id=planned.row.id)
            job = Job(
                id=planned.key,
                request=planned.request,
                target=target_of(run.path, path),
                label=planned.label,
            )
            if action is Action.SEND_AGAIN and history.idempotency_key:
                job = replace(job, idempotency_key=history.idempotency_key)
            yield job

    def _note_all(self, results: Iterable[JobResult]) -> None:
        for result in results:
            job = result.job
            planned = self._rows.pop(job.id, None)
            if planned is None:  # it was noted before a signal came
                continue
            self._journal.forget(job.id)
            self._crash = self._crash or result.crash
            price = self._order.prices[planned.row.service].usd_per_megapixel(job.request.model)
            usd = cost_usd(price, [image.size for image in result.images])
            self._watch.finished(planned, result, usd)
            if (recorder := self._order.recorders.get(planned.row.service)) is not None:
                recorder.record(result)

    def _heed(self, event: JobEvent) -> None:
        if event.stage is None and event.text:
            self._watch.say(event.text)

    def _tick(self) -> None:
        events = self._ledger.take_in()
        if events:
            self._watch.happened(events)
        while self._warnings:
            self._watch.say(f"warning: {self._warnings.popleft()}")
        if self._journal.failure is not None:
            self._policy.stop(StopReason.DISK, self._journal.failure)
        self._watch.tick(self._journal.under_way)

    def _buyer_of(self, job: Job) -> Buyer:
        return self._buyers[self._service_of(job)]

    def _service_of(self, job: Job) -> str:
        return self._rows[job.id].row.service

    def _price_of(self, job_id: str, request: ImageRequest) -> float | None:
        # What comes after a row was given up is none of its service's rows any more.
        planned = self._rows.get(job_id)
        service = planned.row.service if planned else next(iter(self._order.prices))
        return self._order.prices[service].usd_per_megapixel(request.model)
