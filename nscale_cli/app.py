"""The command tree: which name leads to which function, and nothing else."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nscale_cli import __version__
from nscale_cli.commands import (
    auth_login,
    auth_logout,
    auth_status,
    completion,
    config_edit,
    config_set,
    config_show,
    doctor,
    images_generate,
    images_show,
    models_list,
    models_show,
    sandbox,
)
from nscale_cli.commands import help as help_command
from nscale_cli.environment import Environment
from nscale_cli.errors import ExitCode
from nscale_cli.settings import SANDBOX_MODELS

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
CONFIG_HELP = """Keep settings in a file: model, size, output, profiles of services.

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


_ORDER = ("images", "models", "auth", "config", "doctor", "sandbox", "completion", "help")


class _InOrder(TyperGroup):
    """A group that lists its commands as they come up in a user's day."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in that order."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


def build_app() -> typer.Typer:
    """Return the whole program as a Typer application; call it with `obj=Environment`."""
    app = typer.Typer(
        cls=_InOrder,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(help=HELP, invoke_without_command=True)(_root)
    for group in (_images(), _models(), _auth(), _config()):
        app.add_typer(group)
    app.command("doctor", help=doctor.HELP)(doctor.examine)
    scenarios = "\n".join(f"  {model}" for model in SANDBOX_MODELS)
    app.command("sandbox", help=f"{sandbox.HELP}\n\b\n{scenarios}")(sandbox.serve)
    app.command("completion", help=completion.HELP)(completion.print_script)
    app.command("help", help=help_command.HELP)(help_command.help_topic)
    return app


def _images() -> typer.Typer:
    group = _new_group("images", IMAGES_HELP)
    group.command("generate", help=images_generate.HELP)(images_generate.generate)
    group.command("show", help=images_show.HELP)(images_show.show)
    return group


def _models() -> typer.Typer:
    group = _new_group("models", MODELS_HELP)
    group.command("list", help=models_list.HELP)(models_list.list_models)
    group.command("show", help=models_show.HELP)(models_show.show)
    return group


def _auth() -> typer.Typer:
    group = _new_group("auth", AUTH_HELP)
    group.command("login", help=auth_login.HELP)(auth_login.login)
    group.command("logout", help=auth_logout.HELP)(auth_logout.logout)
    group.command("status", help=auth_status.HELP)(auth_status.status)
    return group


def _config() -> typer.Typer:
    group = _new_group("config", CONFIG_HELP)
    group.command("show", help=config_show.HELP)(config_show.show)
    group.command("set", help=config_set.set_help())(config_set.set_setting)
    group.command("unset", help=config_set.UNSET_HELP)(config_set.unset_setting)
    group.command("edit", help=config_edit.EDIT_HELP)(config_edit.edit)
    group.command("path", help=config_edit.PATH_HELP)(config_edit.path)
    return group


def _new_group(name: str, text: str) -> typer.Typer:
    group = typer.Typer(name=name, rich_markup_mode=None)
    group.callback(help=text, invoke_without_command=True)(_group)
    return group
