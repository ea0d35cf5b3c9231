"""The command tree: which name leads to which function, and nothing else.

Only the branch that is asked for is loaded: help and Tab need the names of the others, no more.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from nscale_cli import __version__
from nscale_cli.commands._words import Command, Group
from nscale_cli.errors import ExitCode
from nscale_cli.terminal.context import Environment

HELP = """Make images from text at the command line, through Nscale's API.

\b
Examples:
  nscale images generate "A sunset over mountains" --sandbox
  nscale images generate "A sunset over mountains" -m black-forest-labs/FLUX.1-schnell

The first needs no key and no network; the second needs NSCALE_API_KEY.
"""
IMAGES_HELP = """Make images.

\b
Examples:
  nscale images generate "A sunset over mountains"
  nscale images batch prompts.csv -o pictures/
  nscale images show a-sunset-over-mountains.png
"""
MODELS_HELP = """List models and their prices.

\b
Examples:
  nscale models list
  nscale models show black-forest-labs/FLUX.1-schnell
"""
AUTH_HELP = """Store the API key, forget it, and see which one is used.

\b
Examples:
  nscale auth login
  nscale auth status
"""
CONFIG_HELP = """Keep settings, and profiles of services, in a file.

\b
Examples:
  nscale config set preview_style auto
  nscale config show
"""


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        environment: Environment = context.obj
        environment.terminal.answer(f"nscale {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    _group(context)


def _group(context: typer.Context) -> None:
    """Answer a group without a command as a usage error whose text is the help."""
    if context.invoked_subcommand is None:
        environment: Environment = context.obj
        environment.terminal.draw(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def _images() -> typer.Typer:
    from nscale_cli.commands import (
        images_batch,
        images_generate,
        images_receipt,
        images_resume,
        images_show,
    )

    group = _new_group(IMAGES_HELP)
    _add(group, "generate", images_generate.generate, images_generate.HELP)
    _add(group, "batch", images_batch.batch, images_batch.HELP)
    _add(group, "resume", images_resume.resume, images_resume.HELP)
    _add(group, "receipt", images_receipt.receipt, images_receipt.HELP)
    _add(group, "show", images_show.show, images_show.HELP)
    return group


def _models() -> typer.Typer:
    from nscale_cli.commands import models_list, models_show

    group = _new_group(MODELS_HELP)
    _add(group, "list", models_list.list_models, models_list.HELP)
    _add(group, "show", models_show.show, models_show.HELP)
    return group


def _auth() -> typer.Typer:
    from nscale_cli.commands import auth_login, auth_logout, auth_status

    group = _new_group(AUTH_HELP)
    _add(group, "login", auth_login.login, auth_login.HELP)
    _add(group, "logout", auth_logout.logout, auth_logout.HELP)
    _add(group, "status", auth_status.status, auth_status.HELP)
    return group


def _config() -> typer.Typer:
    from nscale_cli.commands import config_edit, config_set, config_show

    group = _new_group(CONFIG_HELP)
    _add(group, "show", config_show.show, config_show.HELP)
    _add(group, "set", config_set.set_setting, config_set.set_help())
    _add(group, "unset", config_set.unset_setting, config_set.UNSET_HELP)
    _add(group, "edit", config_edit.edit, config_edit.EDIT_HELP)
    _add(group, "path", config_edit.path, config_edit.PATH_HELP)
    return group


def _doctor() -> typer.Typer:
    from nscale_cli.commands import doctor

    return _single("doctor", doctor.examine, doctor.HELP)


def _sandbox() -> typer.Typer:
    from nscale_cli.commands import sandbox
    from nscale_cli.config.settings import SANDBOX_MODELS

    scenarios = "\n".join(f"  {model}" for model in SANDBOX_MODELS)
    return _single("sandbox", sandbox.serve, f"{sandbox.HELP}\n\b\n{scenarios}")


def _completion() -> typer.Typer:
    from nscale_cli.commands import completion

    return _single("completion", completion.complete, completion.HELP)


def _help() -> typer.Typer:
    from nscale_cli.commands import help as help_command

    return _single("help", help_command.help_topic, help_command.HELP)


# In the order in which they come up in a user's day, each with its line in the program's help.
_COMMANDS: Mapping[str, tuple[str, Callable[[], typer.Typer]]] = {
    "images": ("Make images.", _images),
    "models": ("List models and their prices.", _models),
    "auth": ("Store the API key, forget it, and see which one is used.", _auth),
    "config": ("Keep settings, and profiles of services, in a file.", _config),
    "doctor": ("Find out whether an image could be made now, and if not, why.", _doctor),
    "sandbox": ("Serve the offline API until stopped.", _sandbox),
    "completion": ("Make Tab complete commands in your shell.", _completion),
    "help": ("Explain a topic: exit-codes, environment.", _help),
}


def _new_group(text: str) -> typer.Typer:
    group = typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False)
    group.callback(help=text, invoke_without_command=True)(_group)
    return group


def _single(name: str, function: Callable[..., Any], text: str) -> typer.Typer:
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    _add(single, name, function, text)
    return single


def _add(group: typer.Typer, name: str, function: Callable[..., Any], text: str) -> None:
    group.command(name, cls=Command, help=text)(function)


class _Program(Group):
    """The program's commands: their names and one line each, until one is run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (line, _) in _COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=line)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's own name
        """Return the names in their order."""
        return list(_COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words name, now with all that it has, and the rest."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name is not None:
            command = typer.main.get_command(_COMMANDS[name][1]())
            command.name = name
        return name, command, rest


def build_app() -> typer.Typer:
    """Return the whole program as a Typer application; call it with `obj=Environment`."""
    app = typer.Typer(
        cls=_Program,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(help=HELP, invoke_without_command=True)(_root)
    return app
