"""`nscale version`: the version."""

from nscale_cli import __version__
from nscale_cli.commands._command import command
from nscale_cli.output.result import Page

HELP = """Print the version.

\b
Examples:
  nscale version
  nscale -V
"""


@command()
def version() -> Page:
    """Print; HELP is what the user reads."""
    return Page(text=f"nscale {__version__}")
