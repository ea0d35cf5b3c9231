"""`nscale images report`: a run is drawn again, for nothing."""

from typing import TYPE_CHECKING

from nscale_cli.commands._command import command
from nscale_cli.commands.options.report import DrawOptions, PageOptions
from nscale_cli.commands.options.run import DirectoryArgument
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.result import Result

HELP = """Draw the sheet, the page and the tables of a run again.

\b
Examples:
  nscale images report compare-a-red-fox --cols size
  nscale images report foxes/ --cell 192 -x
  nscale images report compare-a-red-fox --baseline last-week/compare-a-red-fox

Free, without a key or a network, for what images compare and images batch have made, finished or
not. No image is touched.
"""


@command("as_json", "quiet", "debug")
def report(
    environment: Environment,
    directory: DirectoryArgument,
    drawing: DrawOptions,
    how: PageOptions,
) -> "Result":
    """Draw; HELP is what the user reads."""
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._report import Drawing
    from nscale_cli.runs.files import write_results
    from nscale_cli.runs.journal import read_events
    from nscale_cli.runs.ledger import Place
    from nscale_cli.runs.plan import RunDirectory, require_header
    from nscale_cli.runs.states import RowStates
    from nscale_cli.runs.totals import outcomes
    from nscale_cli.storage.names import disk_path
    from nscale_cli.storage.private_files import locked

    run = RunDirectory(path=environment.path(disk_path(directory)))
    require_header(run)
    wish = Drawing(environment, drawing, how, load_settings(environment.terminal))
    try:
        drawn = wish.draw(run)
        if not drawing.blind:
            with locked(run.results_lock), RowStates(read_events(run)) as states:
                write_results(run, outcomes(Place(run=run), states))
    except OSError as error:
        raise UsageError(f"{run.path} cannot be written to: {error.strerror}") from None
    return drawn
