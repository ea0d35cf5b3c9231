"""`nscale sandbox`: serve the offline API until stopped."""

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.config.table import SANDBOX_MODELS
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Done
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.signals import Interrupted
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from nscale_cli.sandbox.server import Sandbox

HELP = """Serve the offline API until stopped.

\b
Examples:
  nscale sandbox --port 8787
  nscale sandbox --latency 0.5 --max-concurrent 8
  NSCALE_BASE_URL=http://127.0.0.1:8787/v1 NSCALE_API_KEY=any \\
    nscale images generate "A red fox"

It answers as the real API does, with pictures drawn from the prompt, and needs no key. Its
address goes to stdout, a line for each request to stderr. The prices of its models are examples.
The model sandbox/credit-after-3 pays for three requests, and sandbox/flaky fails for some prompts.
The keys sandbox-bad-key (401), sandbox-forbidden-key (403) and sandbox-no-credit-key (429, for
images only) are refused; any other is good. Model ids choose what happens:
"""
DEFAULT_PORT = 8787
MAX_LATENCY_SECONDS = 3600.0


def whole_help() -> str:
    """Return HELP with a line for each scenario."""
    return f"{HELP}\n\b\n" + "\n".join(f"  {model}" for model in SANDBOX_MODELS)


@frozen
class SandboxOptions:
    """Where the sandbox listens, and how it behaves."""

    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", help="The port to listen on; 0 takes a free one."),
    ] = DEFAULT_PORT
    latency: Annotated[
        float,
        typer.Option(
            "--latency",
            metavar="SECONDS",
            min=0,
            max=MAX_LATENCY_SECONDS,
            help="How much longer images take.",
        ),
    ] = 0.0
    max_concurrent: Annotated[
        int | None,
        typer.Option(
            "--max-concurrent",
            metavar="N",
            min=1,
            help="Answer 429 to what is more than N requests for images at once.",
        ),
    ] = None


@command("quiet")
def serve(environment: Environment, wanted: SandboxOptions) -> Done:
    """Serve; HELP is what the user reads."""
    from nscale_cli.sandbox.server import Sandbox

    terminal = environment.terminal
    try:
        sandbox = Sandbox(
            port=wanted.port,
            log=terminal.note,
            latency_seconds=wanted.latency,
            max_concurrent=wanted.max_concurrent,
        )
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "not a port number"
        raise UsageError(
            f"port {wanted.port} cannot be used: {reason}",
            hint="choose another with --port, 0 for any",
        ) from None
    with sandbox:
        terminal.note("serving until Ctrl-C; no key is needed, nothing is billed")
        terminal.answer(sandbox.base_url)  # now: the next line ends with the program
        _wait_for_the_end(sandbox, environment)
    return Done(said=["stopped"])


def _wait_for_the_end(sandbox: "Sandbox", environment: Environment) -> None:
    """Return at Ctrl-C or SIGTERM, by which servers end when all is well."""
    try:
        sandbox.wait()
    except Interrupted as stop:
        if stop.signal_number not in (signal.SIGINT, signal.SIGTERM):
            raise
        environment.interrupts.hold()
