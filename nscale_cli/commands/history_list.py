"""`nscale history`: what was made before."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.request import complete_model
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.history import HistoryListed

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
DEFAULT_LIMIT = 20
_OFF_TERMINAL_COLUMNS = 200

TextArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Words of the prompt.", show_default=False),
]
LimitOption = Annotated[
    int, typer.Option("-n", "--limit", metavar="N", help="At most so many images.")
]
OnlyModelOption = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="ID",
        autocompletion=complete_model,
        help="Only images of this model.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only images since 12h, 7d, 4w ago, or a date."),
]


@command("as_json", "debug")
def list_images(
    environment: Environment,
    text: TextArgument = None,
    limit: LimitOption = DEFAULT_LIMIT,
    model: OnlyModelOption = None,
    since: SinceOption = None,
) -> "HistoryListed":
    """List; HELP is what the user reads."""
    from nscale_cli.commands._context import open_history
    from nscale_cli.commands._history import search
    from nscale_cli.output.history import HistoryListed

    if limit < 1:
        raise UsageError("-n must be 1 or more")
    terminal = environment.terminal
    entries = search(environment, text or (), limit=limit, model=model, since=since)
    history = open_history(terminal)
    is_empty = not entries and history.count() == 0
    history.close()
    columns = terminal.size().columns if terminal.stdout_is_tty else _OFF_TERMINAL_COLUMNS
    return HistoryListed(
        entries=entries,
        columns=columns,
        nothing="no image is remembered yet" if is_empty else "no image matches",
    )
