"""`nscale images receipt`: what a run has sent, and what was billed."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.run import DirectoryArgument
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.receipt import Receipt

HELP = """Tell what was asked for in a run, and what was billed.

\b
Examples:
  nscale images receipt foxes/
  nscale images receipt foxes/ --csv > receipt.csv
  nscale images receipt foxes/ --json | jq '.data.requests[] | select(.billed == "maybe")'

It is what one needs to ask a service for money back: the time, the idempotency key, and what the
service itself called the request. It reads the journals of the run, and needs no key or network.
Amounts are estimates by the service's price list.
"""


@command("as_json", "quiet", "debug")
def receipt(
    environment: Environment,
    directory: DirectoryArgument,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV to stdout.")] = False,
) -> "Receipt":
    """Tell; HELP is what the user reads."""
    from nscale_cli.output.receipt import Receipt
    from nscale_cli.runs.journal import read_events
    from nscale_cli.runs.plan import RunDirectory, require_header
    from nscale_cli.runs.receipt import ReceiptTotals, entries
    from nscale_cli.storage.names import disk_path

    if as_csv and environment.invocation.as_json:
        raise UsageError("--csv and --json both write to stdout", hint="give one of them")
    run = RunDirectory(path=environment.cwd / disk_path(directory))
    header, totals = require_header(run), ReceiptTotals()
    requests = sorted(entries(read_events(run)), key=lambda entry: entry.sent_at)
    for entry in requests:
        totals.add(entry)
    return Receipt(
        directory=run.path,
        service=header.base_url,
        entries=requests,
        totals=totals,
        as_csv=as_csv,
    )
