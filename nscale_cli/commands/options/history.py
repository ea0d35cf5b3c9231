"""Which of the images that were made before are looked for."""

from typing import Annotated

import typer

from nscale_cli.commands.options.request import model_option
from nscale_cli.values import frozen


@frozen
class SearchOptions:
    """What is looked for."""

    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Words of the prompt.", show_default=False),
    ] = None
    model: Annotated[
        str | None,
        model_option("Only images of this model."),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only images since 12h, 7d, 4w ago, or a date."
        ),
    ] = None
