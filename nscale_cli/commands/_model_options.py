"""The options that are about models, and the ids that the shell offers at Tab."""

from typing import Annotated

import typer

from nscale_cli.config.settings import KNOWN_MODELS, SANDBOX_MODELS
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

ORDERS = ("name", "price")  # the first: default


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Return ids for the shell: those that look like image models, else any that were listed."""
    from nscale_cli.service.catalog import stored_ids
    from nscale_cli.service.models import looks_like_images

    environment: Environment | None = context.obj
    stored = stored_ids(environment.terminal.env) if environment else []
    drawing = [model for model in stored if looks_like_images(model)]
    for models in ((*drawing, *KNOWN_MODELS, *SANDBOX_MODELS), stored):
        offers = [model for model in dict.fromkeys(models) if model.startswith(incomplete)]
        if offers:
            return offers
    return []


def _require_order(value: str) -> str:
    if value not in ORDERS:
        raise UsageError(
            f"--sort has an invalid order, {value[:40]!r}",
            hint=f"choose from {', '.join(ORDERS)}",
        )
    return value


def _complete_order(incomplete: str) -> list[str]:
    return [order for order in ORDERS if order.startswith(incomplete)]


ModelArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The model's id.", autocompletion=complete_model)
]
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
        help=f"The order of the list: {' or '.join(ORDERS)}. [default: {ORDERS[0]}]",
        show_default=False,
    ),
]
