"""The run of `images generate`: buy, save, and account for everything that was paid for."""

from dataclasses import dataclass

from nscale_cli.client import Client
from nscale_cli.connection import Connection
from nscale_cli.environment import Environment
from nscale_cli.errors import Billed, ExitCode, NotSaved, NscaleError, Stopped
from nscale_cli.images import ImageRequest, SavedImage
from nscale_cli.interrupts import Signalled
from nscale_cli.names import Target
from nscale_cli.purchase import Purchase
from nscale_cli.replies import Reply
from nscale_cli.saving import Saver
from nscale_cli.terminal import Terminal

_MOST_SAVES = 3
_WORST_FIRST = (ExitCode.NOT_SAVED, ExitCode.INCOMPLETE, ExitCode.SAVED_ELSEWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateResult:
    """What one run made. `problems` are failures of parts of it, or of the whole."""

    request: ImageRequest
    images: tuple[SavedImage, ...]
    problems: tuple[NscaleError, ...]
    elapsed_seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """The code of the gravest problem, or OK."""
        codes = [problem.code for problem in self.problems]
        stops = [problem.code for problem in self.problems if isinstance(problem, Stopped)]
        graver = [code for code in _WORST_FIRST if code in codes]
        return (stops + graver + codes + [ExitCode.OK])[0]


def run_generate(
    request: ImageRequest,
    connection: Connection,
    target: Target | None,
    environment: Environment,
    *,
    force: bool,
) -> GenerateResult:
    """Make and save the images. A failure is part of the result, never raised.

    `target` is None where the bytes go to standard output.
    """
    terminal, interrupts, clock = environment.terminal, environment.interrupts, environment.clock
    start = clock.monotonic()
    saver = Saver(
        request=request,
        target=target,
        force=force,
        env=terminal.env,
        scrubber=terminal.scrubber,
        write_answer=terminal.write_answer,
        warn=terminal.warn,
    )
    purchase = Purchase(
        request,
        connection,
        clock=clock,
        announce=terminal.note,
        on_reply=lambda: interrupts.hold(lambda: _announce_hold(terminal)),
    )
    try:
        _buy_and_save(purchase, saver, connection, terminal)
        interrupts.release()
    except Signalled as signal:
        saver.problems.append(_stopped(signal, purchase, saver))
    return GenerateResult(
        request=request,
        images=tuple(saver.images),
        problems=tuple(saver.problems),
        elapsed_seconds=clock.monotonic() - start,
    )


def _buy_and_save(
    purchase: Purchase, saver: Saver, connection: Connection, terminal: Terminal
) -> None:
    try:
        with terminal.working(f"Generating with {saver.request.model}"):
            terminal.debug(f"loading the client for {connection.base_url}")
            with Client(connection) as client:
                terminal.debug("sending the request")
                reply = purchase.make(client)
    except NscaleError as error:
        exchange = purchase.exchange
        if exchange.arriving and exchange.body and exchange.reply is None:
            error.message += f"; {saver.keep_incomplete(exchange.arrived)}"
        saver.problems.append(error)
        return
    except Exception:
        # A socket or a spinner that cannot be closed must not take a paid reply along.
        if not purchase.exchange.arriving or purchase.exchange.reply is None:
            raise
        reply = purchase.exchange.reply
    terminal.debug(f"received {len(reply.body)} bytes, request id {reply.request_id}")
    _save(reply, saver)


def _save(reply: Reply, saver: Saver) -> None:
    """Save what the reply holds. It was paid for, so no failure is the last word on it."""
    failure: Exception | None = None
    for _ in range(_MOST_SAVES):
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


def _announce_hold(terminal: Terminal) -> None:
    terminal.say("finishing: the image is arriving (once more to give it up)")


def _stopped(signal: Signalled, purchase: Purchase, saver: Saver) -> Stopped:
    if saver.images:
        what, billed = "stopped; the images above are saved", Billed.YES
    elif purchase.may_be_billed:
        what, billed = "stopped while the service was at work", Billed.MAYBE
    else:
        what, billed = "stopped before anything was sent", Billed.NO
    return Stopped(signal.signal_number, what, billed=billed)
