"""The run of `images generate`: one job of the engine, and its price."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nscale_cli.connection import Connection
from nscale_cli.errors import NscaleError, RequestRefused
from nscale_cli.jobs.budget import Budget
from nscale_cli.jobs.buyer import Buyer, stopped_error
from nscale_cli.jobs.job import Job, JobEvent, JobResult, Stage
from nscale_cli.jobs.prices import PriceList
from nscale_cli.jobs.run import Engine
from nscale_cli.jobs.save import Store
from nscale_cli.jobs.steering import Policy, Stop
from nscale_cli.redact import excerpt
from nscale_cli.request import ImageRequest
from nscale_cli.service.client import Client
from nscale_cli.service.models import did_you_mean
from nscale_cli.storage.names import Target
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.terminal.streams import Terminal
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.jobs.marking import Marker


@frozen
class Order:
    """All that `images generate` was asked for, checked. `meanwhile` is done once it is sent.

    `target` is None where the bytes go to standard output. `prices` are of the same service.
    """

    request: ImageRequest
    connection: Connection
    target: Target | None
    prices: PriceList
    budget: Budget | None = None
    force: bool = False
    marker: "Marker | None" = None
    meanwhile: tuple[Callable[[], object], ...] = ()


def run_generate(order: Order, environment: Environment) -> JobResult:
    """Make and save the images. A failure is part of the result, never raised.

    Signals are on hold at the end, for the report.
    """
    job = Job(id="1", request=order.request, target=order.target, force=order.force)
    start = environment.clock.monotonic()
    connected = ExitStack()  # until the price is known, too
    try:
        result = _buy(job, order, environment, connected)
    except NscaleError as error:  # there is no client
        elapsed = environment.clock.monotonic() - start
        result = JobResult(job=job, errors=(error,), elapsed_seconds=elapsed)
    if result.crash is not None and not result.images:
        raise result.crash
    result = _wait_for_price(order, result, environment)
    with suppress(Exception):  # a socket that cannot be closed must not take an image along
        connected.close()
    return result


def _buy(job: Job, order: Order, environment: Environment, connected: ExitStack) -> JobResult:
    terminal, interrupts = environment.terminal, environment.interrupts
    results: list[JobResult] = []
    engine: Engine | None = None
    try:
        with terminal.working(f"Generating with {excerpt(job.request.model, 80)}"):
            terminal.debug(f"loading the client for {order.connection.base_url}")
            client = connected.enter_context(Client(order.connection))
            terminal.debug("sending the request")
            engine = _engine(order, client, environment)
            results += engine.results([job])
    except Interrupted as again:
        interrupts.hold(firmly=True)  # what is at stake is told, however often somebody presses
        if engine is None:
            raise
        results += engine.abandon(again.signal_number)
    except Exception:
        # A spinner that cannot be closed must not take a paid reply along.
        if engine is None:
            raise
        results += engine.results(())
        if not results:
            raise
    interrupts.hold()
    return _with_stop(results[0], interrupts.take())


def _engine(order: Order, client: Client, environment: Environment) -> Engine:
    """Return the engine for one job; from now on signals are its own."""
    terminal, stop = environment.terminal, Stop()
    buyer = Buyer(
        client=client,
        connection=order.connection,
        store=_store(order, terminal),
        clock=environment.clock,
        budget=order.budget,
        marker=order.marker,
    )

    def heed(event: JobEvent) -> None:
        if event.stage is Stage.SENT:
            order.prices.begin(client)
            for act in order.meanwhile:
                act()
        elif event.stage is None:
            terminal.note(event.text)
        elif event.text:
            terminal.debug(event.text)

    environment.interrupts.hold(stop.request)
    environment.invocation.buying = True
    return Engine(
        buyer,
        policy=Policy(workers=1),
        stop=stop,
        notify=heed,
        timeout_seconds=order.connection.timeout_seconds,
    )


def _with_stop(result: JobResult, signal_number: int | None) -> JobResult:
    """Return the result, with the signal that ended the run after this job was finished."""
    if signal_number is None or result.stopped:
        return result
    stopped = stopped_error(signal_number, result.billed, result.images)
    return replace(result, errors=(*result.errors, stopped))


def _store(order: Order, terminal: Terminal) -> Store:
    return Store(
        env=terminal.env,
        redactor=terminal.redactor,
        write_answer=terminal.write_answer,
        warn=terminal.warn,
        fetch_urls=order.connection.fetch_urls,
    )


def _wait_for_price(order: Order, result: JobResult, environment: Environment) -> JobResult:
    """Return the result with what the service's list adds to it, waiting a little for that.

    A signal ends the wait, and is told in the result.
    """
    unknown = any(_is_unknown_model(error) for error in result.errors)
    if result.stopped or not (result.images or unknown):
        return result
    interrupts, model = environment.interrupts, order.request.model
    try:
        interrupts.release()  # everything is safe: nobody has to sit this out
        order.prices.wait()
        interrupts.hold()
    except Interrupted as signal:
        interrupts.hold()
        return _with_stop(result, signal.signal_number)
    if order.prices.usd_per_megapixel(model) is None:
        environment.terminal.debug(f"cost unknown: {order.prices.unknown_because(model)}")
    hint = did_you_mean(order.prices.suggestions(model))
    errors = (
        error.but(hint=hint) if _is_unknown_model(error) else error for error in result.errors
    )
    return replace(result, errors=tuple(errors))


def _is_unknown_model(error: NscaleError) -> bool:
    return isinstance(error, RequestRefused) and error.http_status == 404
