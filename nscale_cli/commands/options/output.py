"""Where images go, what is remembered of them, and how they are shown."""

from typing import Annotated, Any

import typer

from nscale_cli.commands.options.request import one_of
from nscale_cli.config.table import METADATA_MODES, PREVIEW_STYLES, SETTINGS
from nscale_cli.values import frozen

DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the request, the file names and the price; make no image."
    ),
]


@frozen
class OutputOptions:
    """Where the images go, and whether they are made at all."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help=SETTINGS["output"].option_help,
        ),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="Let -o FILE replace an existing file.")
    ] = False
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", help="Make no image where one of that name is there already."
        ),
    ] = False
    dry_run: DryRunOption = False


@frozen
class RecordOptions:
    """What is kept of how an image was made."""

    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="MODE",
            autocompletion=one_of(METADATA_MODES),
            help=SETTINGS["metadata"].option_help,
        ),
    ] = None
    no_history: Annotated[
        bool,
        typer.Option(
            "--no-history",
            help="Leave these images out of the history. [env: NSCALE_HISTORY=0]",
        ),
    ] = False


def preview_style_option(text: str) -> Any:
    """Return the option for how a preview is drawn."""
    return typer.Option(
        "--preview-style", metavar="STYLE", autocompletion=one_of(PREVIEW_STYLES), help=text
    )


def preview_width_option(text: str) -> Any:
    """Return the option for how wide a preview may be."""
    return typer.Option("--preview-width", metavar="COLUMNS", help=text)


@frozen
class ShowOptions:
    """How images are shown to a person."""

    open_viewer: Annotated[
        bool, typer.Option("-x", "--open", help="Open each saved image in the desktop's viewer.")
    ] = False
    preview_style: Annotated[
        str | None, preview_style_option(SETTINGS["preview_style"].option_help)
    ] = None
    preview_width: Annotated[
        int | None,
        preview_width_option(
            "The most columns that -p fills. [default: 80, or the terminal's width]"
        ),
    ] = None
