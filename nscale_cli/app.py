"""The command tree: which name leads to which function, and nothing else."""

from collections.abc import Mapping
from typing import Annotated

import typer

from nscale_cli import __version__
from nscale_cli.commands._lazy import Branch, LazyGroup, Leaf, answer_with_help
from nscale_cli.terminal.context import Environment

HELP = """Make images from text at the command line, through Nscale's API.

\b
Examples:
  nscale images generate "A sunset over mountains" --sandbox
  nscale images generate "A sunset over mountains" -m black-forest-labs/FLUX.1-schnell

The first needs no key and no network; the second needs NSCALE_API_KEY.
"""
IMAGES_HELP = """Make images, and tell how they were made.

\b
Examples:
  nscale images generate "A sunset over mountains"
  nscale images batch prompts.csv -o pictures/
  nscale images compare "A sunset over mountains" -z 512x512 -z 1024x512 --sandbox
  nscale images info a-sunset-over-mountains.png
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
HISTORY_HELP = """List, find and show the images that were made before.

\b
Examples:
  nscale history
  nscale history fox snow
  nscale history show last

Any other text than the name of a command is looked for in the prompts.
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
            "-V", "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    answer_with_help(context)


# In the order in which they come up in a user's day.
COMMANDS: Mapping[str, Leaf | Branch] = {
    "images": Branch(
        "Make images, and tell how they were made.",
        IMAGES_HELP,
        {
            "generate": Leaf(
                "Make images from a text and save them.", "images_generate", "generate"
            ),
            "batch": Leaf(
                "Make an image of each row of a file, into one folder.", "images_batch", "batch"
            ),
            "resume": Leaf("Go on with a run where it was.", "images_resume", "resume"),
            "compare": Leaf(
                "Compare models, sizes and settings side by side.", "images_compare", "compare"
            ),
            "report": Leaf(
                "Draw the sheet, the page and the tables of a run again.",
                "images_report",
                "report",
            ),
            "votes": Leaf(
                "Count the votes of a blind page, and tell who made what.", "images_votes", "votes"
            ),
            "receipt": Leaf(
                "Tell what was asked for in a run, and what was billed.",
                "images_receipt",
                "receipt",
            ),
            "rerun": Leaf(
                "Make an image again: the same request, or a changed one.", "images_rerun", "rerun"
            ),
            "info": Leaf(
                "Tell what image files are, and how they were made.", "images_info", "info"
            ),
            "show": Leaf("Show images from files (PNG, JPEG, WebP).", "images_show", "show"),
        },
    ),
    "history": Branch(
        "List, find and show the images that were made before.",
        HISTORY_HELP,
        {
            "list": Leaf(
                "List the images that were made before, the newest first.",
                "history_list",
                "list_images",
            ),
            "show": Leaf(
                "Show all that is remembered of an image.", "history_show", "show", "SHOW_HELP"
            ),
            "open": Leaf(
                "Open an image in the desktop's viewer.", "history_show", "open_image", "OPEN_HELP"
            ),
            "page": Leaf("Write a page of images that were made before.", "history_page", "page"),
            "clear": Leaf(
                "Forget images that were made before; the files stay.",
                "history_clear",
                "clear",
                "CLEAR_HELP",
            ),
            "path": Leaf("Print where the history is.", "history_clear", "path", "PATH_HELP"),
        },
        first="list",
    ),
    "models": Branch(
        "List models and their prices.",
        MODELS_HELP,
        {
            "list": Leaf(
                "List the models that look like image models, with their prices.",
                "models_list",
                "list_models",
            ),
            "show": Leaf(
                "Show what the service says about one model, and its price.", "models_show", "show"
            ),
        },
    ),
    "auth": Branch(
        "Store the API key, forget it, and see which one is used.",
        AUTH_HELP,
        {
            "login": Leaf(
                "Store an API key, once the service has accepted it.", "auth_login", "login"
            ),
            "logout": Leaf("Forget a stored API key.", "auth_logout", "logout"),
            "status": Leaf(
                "Tell which API key is used, and whether the service accepts it.",
                "auth_status",
                "status",
            ),
        },
    ),
    "config": Branch(
        "Keep settings, and profiles of services, in a file.",
        CONFIG_HELP,
        {
            "show": Leaf(
                "Show every setting, and where its value comes from.", "config_show", "show"
            ),
            "set": Leaf(
                "Write a setting into the settings file.", "config_set", "set_setting", "set_help"
            ),
            "get": Leaf(
                "Print the value that a setting has now, wherever it comes from.",
                "config_get",
                "get",
                "GET_HELP",
            ),
            "unset": Leaf(
                "Take a setting out of the settings file.",
                "config_set",
                "unset_setting",
                "UNSET_HELP",
            ),
            "profiles": Leaf(
                "List the profiles of the settings file, with their addresses.",
                "config_get",
                "profiles",
                "PROFILES_HELP",
            ),
            "edit": Leaf(
                "Open the settings file in your editor, and check it.",
                "config_edit",
                "edit",
                "EDIT_HELP",
            ),
            "path": Leaf(
                "Print the path of the settings file, which need not be there.",
                "config_edit",
                "path",
                "PATH_HELP",
            ),
        },
    ),
    "doctor": Leaf(
        "Find out whether an image could be made now, and if not, why.", "doctor", "examine"
    ),
    "sandbox": Leaf("Serve the offline API until stopped.", "sandbox", "serve", "whole_help"),
    "completion": Leaf(
        "Print a shell's completion script, or install it.",
        "completion",
        "complete",
    ),
    "version": Leaf("Print the version.", "version", "version"),
    "help": Leaf(
        "Explain a command, or a topic such as exit-codes.",
        "help",
        "explain",
    ),
}


class _Program(LazyGroup):
    """All of them."""

    entries = COMMANDS


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
