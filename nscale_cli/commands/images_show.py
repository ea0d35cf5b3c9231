"""`nscale images show`: files on disk, in the terminal or in the desktop's viewer."""

import os
from typing import Annotated

import typer

from nscale_cli.commands import _options as options
from nscale_cli.errors import ExitCode, UsageError
from nscale_cli.terminal.context import Environment

HELP = """Show images from files (PNG, JPEG, WebP).

\b
Examples:
  nscale images show a-red-fox.png
  nscale images show *.png --preview-style auto
  nscale images show a-red-fox.png -x
"""


def show(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="The images to show.")],
    open_viewer: options.OpenOption = False,
    preview_style: options.PreviewStyleOption = None,
    preview_width: options.PreviewWidthOption = None,
    debug: options.DebugOption = False,
) -> int:
    """Show the files; HELP is what the user reads."""
    from nscale_cli.commands._inputs import load_settings, read_preview_options
    from nscale_cli.preview.show import Preview, open_images
    from nscale_cli.storage.names import disk_path

    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.debugging = debug
    preview_options = read_preview_options(preview_style, preview_width, load_settings(terminal))
    paths = [environment.cwd / disk_path(name) for name in files]
    for path, name in zip(paths, files, strict=True):
        if not os.path.isfile(path):  # noqa: PTH113 - is_file() may raise
            raise UsageError(f"{name} is not a file", hint="name PNG, JPEG or WebP files")
    complete = (
        open_images(paths, terminal)
        if open_viewer
        else Preview(preview_options, terminal).show(paths)
    )
    return ExitCode.OK if complete else ExitCode.USAGE
