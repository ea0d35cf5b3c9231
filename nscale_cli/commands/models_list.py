"""`nscale models list`: the service's models, with their prices."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands._context import get_models, load_settings
from nscale_cli.commands.options.request import SizeOption
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.errors import UsageError
from nscale_cli.output.models import ModelsListed
from nscale_cli.request import Size
from nscale_cli.terminal.context import Environment

HELP = """List the models that look like image models, with their prices.

\b
Examples:
  nscale models list
  nscale models list -z 1024x1024 --sort price
  nscale models list --json | jq -r '.data.models[].id'

The service does not say which models make images: they are told by their names, so the list may
lack some, or hold others. Prices are the service's own; what is charged may differ. Without a key
or a network, the last list is shown.
"""
_ORDERS = ("name", "price")  # the first: default


def _require_order(value: str) -> str:
    if value not in _ORDERS:
        raise UsageError(
            f"--sort has an invalid order, {value[:40]!r}",
            hint=f"choose from {', '.join(_ORDERS)}",
        )
    return value


def _complete_order(incomplete: str) -> list[str]:
    return [order for order in _ORDERS if order.startswith(incomplete)]


AllOption = Annotated[
    bool, typer.Option("--all", help="List all models, not only those named like image models.")
]
SortOption = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="ORDER",
        callback=_require_order,
        autocompletion=_complete_order,
        help=f"The order of the list: {' or '.join(_ORDERS)}. [default: {_ORDERS[0]}]",
        show_default=False,
    ),
]


@command("as_json", "quiet", "debug")
def list_models(
    environment: Environment,
    service: ServiceOptions,
    everything: AllOption = False,
    sort: SortOption = _ORDERS[0],
    size: SizeOption = None,
) -> ModelsListed:
    """List; HELP is what the user reads."""
    terminal = environment.terminal
    settings = load_settings(terminal, service.profile)
    wanted = Size.parse(settings.size if size is None else size)
    return ModelsListed(
        listing=get_models(environment, settings, service),
        asked_at=environment.clock.now(),
        size=wanted,
        everything=everything,
        by_price=sort == "price",
        columns=terminal.size().columns if terminal.stdout_is_tty else None,
    )
