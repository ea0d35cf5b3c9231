"""`nscale help`: the help of a command, a page on a topic, or all of it for a program."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Annotated, Any

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands._words import did_you_mean, paths_below
from nscale_cli.config.table import VARIABLES
from nscale_cli.errors import ExitCode, UsageError
from nscale_cli.output.result import Page, Result
from nscale_cli.output.tables import format_table
from nscale_cli.values import frozen

HELP = """Explain a command, or a topic such as exit-codes.

\b
Examples:
  nscale help images generate
  nscale help exit-codes
  nscale help agent
  nscale help --json | jq -r '.data.commands[].command'

agent is a page for coding agents; json-schema is the JSON Schema of what --json prints. With
--json, all commands, options, exit codes, variables and fields are one document.
"""
_MAX_WIDTH = 96


@frozen
class Explained(Result):
    """All that the program can do, for a program."""

    command = "help"
    reference: Mapping[str, object]

    def data(self) -> Mapping[str, object]:
        """Return the commands, the exit codes and the variables."""
        return self.reference


def _complete_words(context: typer.Context, incomplete: str) -> list[str]:
    """Return topics and commands that fit what is typed, the words before it included."""
    typed = tuple(context.params.get("words") or ())
    paths = [path for path, _ in paths_below(context.find_root())]
    names = [path[len(typed)] for path in paths if path[:-1] == typed]
    offers = [*names, *TOPICS] if not typed else names
    return [name for name in offers if name.startswith(incomplete)]


@command("as_json")
def explain(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND|TOPIC",
            help="A command's words, or a topic; without any, the program's own help.",
            autocompletion=_complete_words,
            show_default=False,
        ),
    ] = None,
) -> Result:
    """Print the page; HELP is what the user reads."""
    root, asked = context.find_root(), tuple(words or ())
    if context.obj.invocation.as_json:
        from nscale_cli.commands._reference import reference

        return Explained(reference=reference(root, asked))
    if not asked:
        return Page(text=root.get_help())
    if len(asked) == 1 and asked[0] in TOPICS:
        return Page(text=TOPICS[asked[0]]())
    return Page(text=context_of(root, asked).get_help())


def context_of(root: Any, asked: tuple[str, ...]) -> Any:
    """Return the context of the command that these words name; raise UsageError."""
    for path, context in paths_below(root):
        if path == asked:
            return context
    hint = did_you_mean(root, asked, before="nscale help ") or f"the topics are {', '.join(TOPICS)}"
    raise UsageError(f"there is no help on {' '.join(asked)[:80]!r}", hint=hint)


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


def agent_page() -> str:
    """Return the page for coding agents, which is the repository's SKILL.md, too."""
    text = files("nscale_cli").joinpath("commands", "agent.md").read_text(encoding="utf-8")
    return text.rstrip("\n")


def schema_page() -> str:
    """Return the JSON Schema of the documents that --json prints."""
    from nscale_cli.output.schema import document_schema

    return json.dumps(document_schema(), indent=2)


def _page(before: str, rows: Sequence[Sequence[str]], after: str) -> str:
    return "\n".join([before, "", *format_table(rows, max_width=_MAX_WIDTH), "", after])


TOPICS: Mapping[str, Callable[[], str]] = {
    "exit-codes": exit_codes_page,
    "environment": environment_page,
    "agent": agent_page,
    "json-schema": schema_page,
}
