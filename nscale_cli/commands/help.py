"""`nscale help TOPIC`: the pages that belong to no single command."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.config.settings import VARIABLES
from nscale_cli.errors import ExitCode, UsageError
from nscale_cli.output.result import Page
from nscale_cli.output.tables import format_table

HELP = """Explain a topic: exit-codes, environment.

\b
Examples:
  nscale help exit-codes
  nscale help environment
"""
_MAX_WIDTH = 96


@command()
def help_topic(
    context: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help="exit-codes or environment; without it, the program's own help.",
            autocompletion=lambda incomplete: [t for t in TOPICS if t.startswith(incomplete)],
            show_default=False,
        ),
    ] = None,
) -> Page:
    """Print the page; HELP is what the user reads."""
    if topic is None:
        return Page(text=context.find_root().get_help())
    if topic not in TOPICS:
        raise UsageError(
            f"unknown help topic {topic[:40]!r}", hint=f"the topics are {', '.join(TOPICS)}"
        )
    return Page(text=TOPICS[topic]())


def exit_codes_page() -> str:
    """Return the table of exit codes."""
    rows = [(f"{code.value}", code.label, code.billed, code.meaning) for code in ExitCode]
    return _page(
        "May I run it again without paying twice? Yes, where 'billed' is no.",
        [("code", "name", "billed", "meaning"), *rows],
        "With --json, errors[].code is the name.",
    )


def environment_page() -> str:
    """Return the table of environment variables."""
    return _page(
        "A flag wins over a variable.",
        [("variable", "meaning"), *VARIABLES.items()],
        "Variables that start with OPENAI_ are never read, unless a profile names one as its "
        "key_variable.",
    )


def _page(before: str, rows: Sequence[Sequence[str]], after: str) -> str:
    return "\n".join([before, "", *format_table(rows, max_width=_MAX_WIDTH), "", after])


TOPICS: Mapping[str, Callable[[], str]] = {
    "exit-codes": exit_codes_page,
    "environment": environment_page,
}
