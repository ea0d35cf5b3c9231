"""The command tree: which name leads to which function, and nothing else."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nscale_cli import __version__
from nscale_cli.commands import (
    completion,
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


class _InOrder(TyperGroup):
    """A group that lists its commands as they come up in a user's day."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, the main commands first."""
        return sorted(super().list_commands(ctx), key=lambda n: (n != "images", n != "models"))


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
    images = typer.Typer(name="images", rich_markup_mode=None)
    images.callback(help=IMAGES_HELP, invoke_without_command=True)(_group)
    images.command("generate", help=images_generate.HELP)(images_generate.generate)
    images.command("show", help=images_show.HELP)(images_show.show)
    app.add_typer(images)
    models = typer.Typer(name="models", rich_markup_mode=None)
    models.callback(help=MODELS_HELP, invoke_without_command=True)(_group)
    models.command("list", help=models_list.HELP)(models_list.list_models)
    models.command("show", help=models_show.HELP)(models_show.show)
    app.add_typer(models)
    scenarios = "\n".join(f"  {model}" for model in SANDBOX_MODELS)
    app.command("sandbox", help=f"{sandbox.HELP}\n\b\n{scenarios}")(sandbox.serve)
    app.command("completion", help=completion.HELP)(completion.print_script)
    app.command("help", help=help_command.HELP)(help_command.help_topic)
    return app
