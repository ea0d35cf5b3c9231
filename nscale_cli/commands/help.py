"""`nscale help TOPIC`: the pages that belong to no single command."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Annotated

import typer

from nscale_cli.config.settings import VARIABLES
from nscale_cli.errors import ExitCode, UsageError
from nscale_cli.terminal.context import Environment

HELP = """Explain a topic: exit-codes, environment.

\b
Examples:
  nscale help exit-codes
  nscale help environment
"""
_WIDTH = 96


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
) -> int:
    """Print the page; HELP is what the user reads."""
    environment: Environment = context.obj
    if topic is None:
        environment.terminal.answer(context.find_root().get_help())
    elif topic in TOPICS:
        environment.terminal.answer(TOPICS[topic]())
    else:
        raise UsageError(
            f"unknown help topic {topic[:40]!r}", hint=f"the topics are {', '.join(TOPICS)}"
        )
    return ExitCode.OK


def exit_codes_page() -> str:
    """Return the table of exit codes."""
    rows = [(f"{code.value}", code.label, code.billed, code.meaning) for code in ExitCode]
    return (
        "May I run it again without paying twice? Yes, where 'billed' is no.\n\n"
        + _table(("code", "name", "billed", "meaning"), rows)
        + "\n\nWith --json, errors[].code is the name."
    )


def environment_page() -> str:
    """Return the table of environment variables."""
    return (
        "A flag wins over a variable.\n\n"
        + _table(("variable", "meaning"), list(VARIABLES.items()))
        + "\n\nVariables that start with OPENAI_ are never read, unless a profile names one "
        "as its key_variable."
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows in columns; the last column is wrapped."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header) - 1)]
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row in [header, *rows]:
        start = "".join(f"{cell:<{width + 2}}" for cell, width in zip(row, widths, strict=False))
        first, *rest = wrap(row[-1], _WIDTH - indent)
        lines += [start + first, *(" " * indent + line for line in rest)]
    return "\n".join(lines)


TOPICS: Mapping[str, Callable[[], str]] = {
    "exit-codes": exit_codes_page,
    "environment": environment_page,
}
