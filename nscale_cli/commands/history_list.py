"""`nscale history`: what was made before."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.history import SearchOptions
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Result
from nscale_cli.terminal.context import Environment

HELP = """List the images that were made before, the newest first.

\b
Examples:
  nscale history
  nscale history fox snow -n 5
  nscale history --since 7d -m black-forest-labs/FLUX.1-schnell --json
  nscale history list show

With a text, those whose prompt holds all its words. The word `list` may be left out, unless the
text begins with the name of another command of `nscale history`.
"""
_OFF_TERMINAL_COLUMNS = 200

LimitOption = Annotated[
    int, typer.Option("-n", "--limit", metavar="N", help="At most so many images.")
]


@command("as_json", "debug")
def list_images(environment: Environment, wanted: SearchOptions, limit: LimitOption = 20) -> Result:
    """List; HELP is what the user reads."""
    from nscale_cli.commands._context import open_history
    from nscale_cli.commands._history import search
    from nscale_cli.output.history import HistoryListed

    if limit < 1:
        raise UsageError("-n must be 1 or more")
    terminal = environment.terminal
    entries = search(environment, wanted, limit)
    with open_history(terminal) as history:
        is_empty = not entries and history.count() == 0
    columns = terminal.size().columns if terminal.stdout_is_tty else _OFF_TERMINAL_COLUMNS
    return HistoryListed(
        entries=entries,
        columns=columns,
        nothing="no image is remembered yet" if is_empty else "no image matches",
    )
