"""`nscale images show`: files on disk, in the terminal or in the desktop's viewer."""

from dataclasses import dataclass
from typing import Annotated

import typer

from nscale_cli.commands import _options as options
from nscale_cli.commands._command import command
from nscale_cli.errors import ExitCode
from nscale_cli.output.result import Result
from nscale_cli.terminal.context import Environment

HELP = """Show images from files (PNG, JPEG, WebP).

\b
Examples:
  nscale images show a-red-fox.png
  nscale images show *.png --preview-style auto
  nscale images show last -x
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Result):
    """Images that were shown; those that could not be were warned of."""

    complete: bool

    @property
    def exit_code(self) -> ExitCode:
        """OK where all were shown."""
        return ExitCode.OK if self.complete else ExitCode.USAGE


@command("debug")
def show(
    environment: Environment,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="One image or several, or `last` for the last one."),
    ],
    how: options.ShowOptions,
) -> Shown:
    """Show the files; HELP is what the user reads."""
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._files import file_named
    from nscale_cli.commands._inputs import read_preview_options
    from nscale_cli.preview.show import Preview, open_images

    terminal = environment.terminal
    preview_options = read_preview_options(how, load_settings(terminal))
    paths = [file_named(name, environment) for name in files]
    if how.open_viewer:
        return Shown(complete=open_images(paths, terminal))
    return Shown(complete=Preview(preview_options, terminal).show(paths))
