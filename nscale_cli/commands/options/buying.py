"""What every command takes that buys: the service, retries, the most it may cost, the history."""

import math
from typing import Annotated

import typer

from nscale_cli.commands.options.output import OutputOptions, RecordOptions, ShowOptions
from nscale_cli.commands.options.service import RetryOptions, ServiceOptions
from nscale_cli.errors import UsageError
from nscale_cli.values import frozen


def _require_dollars(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise UsageError("--max-cost must be an amount of US dollars, 0 or more")
    return value


@frozen
class BuyingOptions:
    """Who is asked, what is tried again, what it may cost, and what is kept of it."""

    service: ServiceOptions
    retries: RetryOptions
    record: RecordOptions
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="USD",
            callback=_require_dollars,
            help="Ask for no image if the estimate is higher, or unknown. It is an estimate from "
            "the service's price list, not a cap on what is charged.",
        ),
    ] = None


@frozen
class MakingOptions(BuyingOptions):
    """The same, and where the images of one request go, and how they are shown."""

    place: OutputOptions
    how: ShowOptions
    preview: Annotated[
        bool, typer.Option("-p", "--preview", help="Show each saved image in the terminal.")
    ] = False
