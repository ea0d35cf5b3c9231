"""`nscale history clear` and `path`: the history as a file."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.history_show import complete_id
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Done, Page
from nscale_cli.terminal.context import Environment

CLEAR_HELP = """Forget images that were made before; the files stay.

\b
Examples:
  nscale history clear 12
  nscale history clear --before 2026-01-01
  nscale history clear

Without an ID or a time, all are forgotten. Nothing of their prompts is left in the file.
"""
PATH_HELP = """Print where the history is.

\b
Examples:
  nscale history path
  ls -l "$(nscale history path)"
"""
OneArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        help="A number from the history, or `last`.",
        autocompletion=complete_id,
        show_default=False,
    ),
]
BeforeOption = Annotated[
    str | None,
    typer.Option("--before", metavar="TIME", help="Only images from before 30d ago, or a date."),
]


@command("quiet", "debug")
def clear(
    environment: Environment, entry_id: OneArgument = None, before: BeforeOption = None
) -> Done:
    """Forget; CLEAR_HELP is what the user reads."""
    from nscale_cli.commands._context import open_history
    from nscale_cli.commands._history import find_entry, read_moment

    if entry_id is not None and before is not None:
        raise UsageError("ID and --before exclude each other", hint="give one of them")
    number = None if entry_id is None else find_entry(entry_id, environment).id
    moment = read_moment(before, "--before", environment.clock.now()) if before else None
    with open_history(environment.terminal) as history:
        count = history.clear(entry_id=number, before=moment)
    return Done(said=[f"{count} image{'' if count == 1 else 's'} forgotten"])


@command()
def path(environment: Environment) -> Page:
    """Print it; PATH_HELP is what the user reads."""
    from nscale_cli.commands._context import history_path
    from nscale_cli.storage.names import text_of

    return Page(text=text_of(history_path(environment.terminal)))
