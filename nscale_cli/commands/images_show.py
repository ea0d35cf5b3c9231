"""`nscale images show`: files on disk, in the terminal or in the desktop's viewer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.output import ShowOptions
from nscale_cli.errors import ExitCode, NscaleError, UsageError
from nscale_cli.output.result import Result
from nscale_cli.storage.names import text_of
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

HELP = """Show images from files (PNG, JPEG, WebP).

\b
Examples:
  nscale images show a-red-fox.png
  nscale images show *.png --preview-style auto
  nscale images show last -x
"""


@frozen
class Shown(Result):
    """Images that were shown; those that could not be were warned of."""

    command = "images show"
    paths: Sequence[Path]
    complete: bool

    @property
    def errors(self) -> Sequence[NscaleError]:
        """One for all that could not be shown."""
        hint = "see the warnings on standard error"
        return [] if self.complete else [UsageError("not every image could be shown", hint=hint)]

    @property
    def untold(self) -> Sequence[NscaleError]:
        """None: each was warned of."""
        return ()

    def data(self) -> dict[str, object]:
        """Return the files."""
        return {"paths": [text_of(path) for path in self.paths], "complete": self.complete}

    @property
    def exit_code(self) -> ExitCode:
        """OK where all were shown."""
        return ExitCode.OK if self.complete else ExitCode.USAGE


@command("as_json", "debug")
def show(
    environment: Environment,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="One image or several, or `last` for the last one."),
    ],
    how: ShowOptions,
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
        return Shown(paths=paths, complete=open_images(paths, terminal))
    return Shown(paths=paths, complete=Preview(preview_options, terminal).show(paths))
