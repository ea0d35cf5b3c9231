"""`nscale history page`: what was made before, to be looked at in a browser."""

import os
from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.history import SearchOptions
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Result
from nscale_cli.terminal.context import Environment

HELP = """Write a page of images that were made before.

\b
Examples:
  nscale history page
  nscale history page fox -o foxes.html -x
  nscale history page --since 30d -n 400 --force

It is one file with small pictures of the images inside and links to them, and needs no network.
"""
_DEFAULT_PAGE = "gallery.html"

PageOption = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help=f"Where to write it. [default: {_DEFAULT_PAGE}]"
    ),
]
PageLimitOption = Annotated[
    int, typer.Option("-n", "--limit", metavar="N", help="At most so many images, 400 or fewer.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Let -o replace an existing file.")]
OpenOption = Annotated[bool, typer.Option("-x", "--open", help="Open the page.")]


@command("as_json", "quiet", "debug")
def page(
    environment: Environment,
    wanted: SearchOptions,
    limit: PageLimitOption = 100,
    output: PageOption = None,
    force: ForceOption = False,
    open_viewer: OpenOption = False,
) -> Result:
    """Write it; HELP is what the user reads."""
    from nscale_cli.commands._history import search
    from nscale_cli.config.directories import home_directory
    from nscale_cli.output.history_page import MAX_IMAGES, HistoryPage, write_page
    from nscale_cli.storage.names import disk_path

    if not 1 <= limit <= MAX_IMAGES:
        raise UsageError(f"-n must be 1 or more, and at most {MAX_IMAGES}")
    path = environment.path(disk_path(output or _DEFAULT_PAGE))
    if os.path.lexists(path) and not force:
        raise UsageError(
            f"{path} exists", hint="choose another name with -o, or replace it with --force"
        )
    entries = search(environment, wanted, limit)
    if not entries:
        raise UsageError("no image to show: none is remembered, or none matches")
    write_page(entries, path, home=home_directory(environment.terminal.env))
    return HistoryPage(page=path, entries=entries, open_viewer=open_viewer)
