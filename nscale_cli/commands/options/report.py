"""What a report shows, and how it is shown."""

from typing import Annotated

import typer

from nscale_cli.commands.options.output import (
    ShowOptions,
    preview_style_option,
    preview_width_option,
)
from nscale_cli.config.table import PREVIEW_STYLES
from nscale_cli.values import frozen

DEFAULT_CELL = 384  # pixels


@frozen
class DrawOptions:
    """What a report shows, and how."""

    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--rows",
            metavar="AXIS",
            help="What the rows are: prompt, model, size, a varied field...; repeatable.",
        ),
    ] = None
    columns: Annotated[
        list[str] | None,
        typer.Option("--cols", metavar="AXIS", help="What the columns are; repeatable."),
    ] = None
    cell: Annotated[
        int,
        typer.Option(
            "--cell",
            metavar="PIXELS",
            min=96,
            max=2048,
            help=f"The longest side of an image on the sheet. [default: {DEFAULT_CELL}]",
            show_default=False,
        ),
    ] = DEFAULT_CELL
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="The title of sheet and page.")
    ] = None
    no_sheet: Annotated[bool, typer.Option("--no-sheet", help="Draw no sheet.png.")] = False
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no index.html.")] = False
    embed: Annotated[
        bool,
        typer.Option("--embed", help="Put the original images into the page, whole."),
    ] = False
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Write a page to vote on that hides who made what; draw nothing else."
        ),
    ] = False
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="DIR", help="Lay the images of an older run beside these."
        ),
    ] = None


@frozen
class PageOptions(ShowOptions):
    """How a report is shown to a person."""

    open_viewer: Annotated[
        bool, typer.Option("-x", "--open", help="Open the page in the desktop's browser.")
    ] = False
    preview: Annotated[
        bool, typer.Option("-p", "--preview", help="Draw the sheet in the terminal.")
    ] = False
    preview_style: Annotated[
        str | None,
        preview_style_option(
            f"How -p draws: {', '.join(PREVIEW_STYLES)} (auto: the best there is). "
            "[env: NSCALE_PREVIEW; default: auto]"
        ),
    ] = None
    preview_width: Annotated[
        int | None,
        preview_width_option("The most columns that -p fills. [default: the terminal's width]"),
    ] = None
