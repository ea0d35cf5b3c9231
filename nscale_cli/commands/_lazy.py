"""Commands by their names alone, each loaded when it is asked for: help and Tab need no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

from nscale_cli.commands._words import Command, Group
from nscale_cli.errors import ExitCode
from nscale_cli.terminal.context import Environment


def answer_with_help(context: typer.Context) -> None:
    """Answer a group without a command as a usage error whose text is the help."""
    if context.invoked_subcommand is None:
        environment: Environment = context.obj
        environment.terminal.draw(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command: its line in the list, and where its function and its help are, to be loaded."""

    line: str
    module: str
    function: str
    help: str = "HELP"

    def load(self, name: str) -> typer.Typer:
        """Return the command with all that it has."""
        module = import_module(f"nscale_cli.commands.{self.module}")
        text = getattr(module, self.help)
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        text = text() if callable(text) else text
        single.command(name, cls=Command, help=text)(getattr(module, self.function))
        return single


@dataclass(frozen=True, slots=True)
class Branch:
    """A group of commands: its line in the list, its help, and its commands in their order.

    `first` is the command that words belong to which name none; empty where that is a mistake.
    """

    line: str
    help: str
    commands: Mapping[str, Leaf]
    first: str = ""

    def load(self, name: str) -> typer.Typer:
        """Return the group; its commands are loaded when they are run."""
        inside = {"entries": self.commands, "first": self.first}
        kind = type(f"_{name.title()}", (LazyGroup,), inside)
        group = typer.Typer(cls=kind, rich_markup_mode=None, add_completion=False)
        group.callback(help=self.help, invoke_without_command=True)(answer_with_help)
        return group


class LazyGroup(Group):
    """Commands of which the names and one line each are known, until one is run."""

    entries: Mapping[str, Leaf | Branch]
    first = ""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in self.entries.items():
            self.commands[name] = TyperCommand(name, help=entry.line)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's own name
        """Return the names in their order."""
        return list(self.entries)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command before words that name none, where there is one."""
        asks_help = bool(args) and args[0] in ctx.help_option_names
        at_tab = ctx.resilient_parsing and not args  # the shell asks for the commands' names
        if self.first and not (asks_help or at_tab or (args and args[0] in self.commands)):
            args = [self.first, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name, now with all that it has, and the rest."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name is not None:
            command = typer.main.get_command(self.entries[name].load(name))
            command.name = name
        return name, command, rest
