"""`nscale history show` and `open`: one image that was made before."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.output.result import Result
from nscale_cli.terminal.context import Environment

SHOW_HELP = """Show all that is remembered of an image.

\b
Examples:
  nscale history show 12
  nscale history show last --json | jq .data.image.params
"""
OPEN_HELP = """Open an image in the desktop's viewer.

\b
Examples:
  nscale history open 12
  nscale history open last
"""


def complete_id(context: typer.Context, incomplete: str) -> list[str]:
    """Return ids for the shell."""
    from nscale_cli.commands._history import complete_entry

    environment: Environment | None = context.obj
    return complete_entry(environment.terminal, incomplete) if environment else []


IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A number from the history, or `last`.", autocompletion=complete_id
    ),
]


@command("as_json", "debug")
def show(environment: Environment, entry_id: IdArgument) -> Result:
    """Show it; SHOW_HELP is what the user reads."""
    from nscale_cli.commands._history import find_entry
    from nscale_cli.output.history import HistoryShown

    return HistoryShown(entry=find_entry(entry_id, environment))


@command("debug")
def open_image(environment: Environment, entry_id: IdArgument) -> Result:
    """Open it; OPEN_HELP is what the user reads."""
    from nscale_cli.commands._history import existing_path, find_entry
    from nscale_cli.commands.images_show import Shown
    from nscale_cli.preview.show import open_images

    path = existing_path(find_entry(entry_id, environment))
    return Shown(paths=[path], complete=open_images([path], environment.terminal))
