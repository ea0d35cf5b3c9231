"""The run of `images generate`: buy, save, and account for everything that was paid for."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from nscale_cli.connection import Connection
from nscale_cli.errors import Billed, NotSaved, NscaleError, RequestRefused, Stopped
from nscale_cli.jobs.collect import Saver
from nscale_cli.jobs.pricing import PriceQuery
from nscale_cli.jobs.result import GenerateResult
from nscale_cli.jobs.retry import Purchase
from nscale_cli.redact import excerpt
from nscale_cli.request import GeneratedImage, ImageRequest
from nscale_cli.service.client import Client
from nscale_cli.service.decode import InvalidItem
from nscale_cli.service.models import did_you_mean
from nscale_cli.service.replies import Reply
from nscale_cli.storage.files import remove_unfinished
from nscale_cli.storage.names import Target, text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.terminal.streams import Terminal

_MAX_SAVES = 3


def run_generate(
    request: ImageRequest,
    connection: Connection,
    target: Target | None,
    environment: Environment,
    prices: PriceQuery,
    *,
    force: bool,
    meanwhile: Callable[[], object] = lambda: None,
) -> GenerateResult:
    """Make and save the images. A failure is part of the result, never raised.

    `target` is None where the bytes go to standard output. Once the request is on its way, the
    price is asked for, and `meanwhile` is called.
    """
    terminal, interrupts, clock = environment.terminal, environment.interrupts, environment.clock
    start = clock.monotonic()
    saver = _saver(request, connection, target, terminal, force=force)

    def begin_others(client: Client) -> None:
        prices.begin(client)
        meanwhile()

    purchase = _purchase(request, connection, environment, on_sent=begin_others)
    interrupts.explain = lambda number: _stopped(number, purchase, saver)
    until_priced = ExitStack()  # keeps the connection open
    stopped = _buy_and_save_unless_stopped(purchase, saver, connection, environment, until_priced)
    elapsed = clock.monotonic() - start
    stopped = stopped or _wait_for_price(prices, saver, environment)
    with suppress(Exception):  # a socket that cannot be closed must not take a saved image along
        until_priced.close()
    if stopped is not None:
        saver.problems.append(stopped)
    return GenerateResult(
        request=request,
        images=tuple(saver.images),
        problems=tuple(saver.problems),
        elapsed_seconds=elapsed,
        usd_per_megapixel=prices.usd_per_megapixel,
    )


def _purchase(
    request: ImageRequest,
    connection: Connection,
    environment: Environment,
    on_sent: Callable[[Client], None],
) -> Purchase:
    terminal, interrupts = environment.terminal, environment.interrupts
    return Purchase(
        request,
        connection,
        clock=environment.clock,
        announce=lambda text: _announce_retry(text, environment),
        on_sent=on_sent,
        on_reply=lambda: interrupts.hold(lambda: _announce_hold(terminal)),
    )


def _saver(
    request: ImageRequest,
    connection: Connection,
    target: Target | None,
    terminal: Terminal,
    *,
    force: bool,
) -> Saver:
    return Saver(
        request=request,
        target=target,
        force=force,
        env=terminal.env,
        redactor=terminal.redactor,
        write_answer=terminal.write_answer,
        warn=terminal.warn,
        fetch=_fetch if connection.fetch_urls else None,
    )


def _fetch(url: str) -> GeneratedImage | InvalidItem:
    from nscale_cli.service.fetch import fetch_image

    return fetch_image(url)


def _buy_and_save_unless_stopped(
    purchase: Purchase,
    saver: Saver,
    connection: Connection,
    environment: Environment,
    until_priced: ExitStack,
) -> Stopped | None:
    """Do it, and return how a signal ended it; signals wait from then on, for the report."""
    interrupts = environment.interrupts
    try:
        _buy_and_save(purchase, saver, connection, environment.terminal, until_priced)
        number = interrupts.take()
        interrupts.hold()
        return None if number is None else interrupts.explain(number)
    except Interrupted as signal:
        interrupts.hold()
        stopped = interrupts.explain(signal.signal_number)
        stopped.message += _keep_what_came(purchase, saver)
        remove_unfinished()  # only now: until here it may have been the last whole copy
        return stopped


def _buy_and_save(
    purchase: Purchase,
    saver: Saver,
    connection: Connection,
    terminal: Terminal,
    until_priced: ExitStack,
) -> None:
    try:
        # All in one: a terminal that blocks must not stand between a paid reply and the disk.
        with terminal.working(f"Generating with {excerpt(saver.request.model, 80)}"):
            terminal.debug(f"loading the client for {connection.base_url}")
            client = until_priced.enter_context(Client(connection))
            terminal.debug("sending the request")
            reply = purchase.make(client)
            _save(reply, saver)
            terminal.debug(f"received {len(reply.body)} bytes, request id {reply.request_id}")
    except NscaleError as error:
        if purchase.state.reply is None:
            error.message += _keep_what_came(purchase, saver)
        saver.problems.append(error)
    except Exception:
        # A spinner that cannot be closed must not take a paid reply along.
        paid = purchase.state.reply if purchase.state.receiving else None
        if paid is None:
            raise
        if not saver.images and not saver.problems:
            _save(paid, saver)


def _save(reply: Reply, saver: Saver) -> None:
    """Save what the reply holds. It was paid for, so no failure is the last word on it."""
    failure: Exception | None = None
    for _ in range(_MAX_SAVES):
        try:
            if failure is None:
                saver.save_reply(reply)
            else:
                saver.keep_whole(reply, because=type(failure).__name__)
        except Exception as error:  # a bug, or no memory, which may be there again in a moment
            failure = error
        else:
            return
    saver.problems.append(NotSaved("the reply was received and paid for, but could not be kept"))


def _keep_what_came(purchase: Purchase, saver: Saver) -> str:
    """Keep a reply that was not saved, and return the end of the sentence that says so."""
    state = purchase.state
    if not state.receiving or not state.body:
        return ""
    # A copy, because the thread that was left behind may still be adding to it.
    return f"; {saver.keep_incomplete(bytes(state.arrived))}"


def _wait_for_price(prices: PriceQuery, saver: Saver, environment: Environment) -> Stopped | None:
    """Wait a little where the price is of use, and return how a signal ended the wait."""
    unknown = [
        problem
        for problem in saver.problems
        if isinstance(problem, RequestRefused) and problem.http_status == 404
    ]
    if not saver.images and not unknown:
        return None
    interrupts = environment.interrupts
    try:
        interrupts.release()  # everything is safe: nobody has to sit this out
        prices.wait()
        interrupts.hold()
    except Interrupted as signal:
        interrupts.hold()
        return interrupts.explain(signal.signal_number)
    for problem in unknown:
        problem.hint = did_you_mean(prices.suggestions()) or problem.hint
    if prices.usd_per_megapixel is None:
        environment.terminal.debug(f"cost unknown: {prices.unknown_because}")
    return None


def _announce_retry(text: str, environment: Environment) -> None:
    environment.interrupts.release()  # what was arriving broke off: nothing is at stake now
    environment.terminal.note(text)


def _announce_hold(terminal: Terminal) -> None:
    terminal.say("finishing: the image is arriving (press Ctrl-C again to abort)")


def _stopped(signal_number: int, purchase: Purchase, saver: Saver) -> Stopped:
    reply = purchase.state.reply
    if saver.images:
        places = [text_of(image.path or Path("standard output")) for image in saver.images]
        what, billed = f"stopped; saved {', '.join(places)}", Billed.YES
    elif reply is not None and 200 <= reply.status < 300:
        what, billed = "stopped before an image was saved", Billed.YES
    elif purchase.may_be_billed:
        what, billed = "stopped while waiting for the reply", Billed.MAYBE
    else:
        what, billed = "stopped before anything was sent", Billed.NO
    return Stopped(signal_number, what, billed=billed)
