"""`nscale images votes`: what was judged blind is counted, and who made what is told."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.options.run import DirectoryArgument
from nscale_cli.errors import UsageError
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.compare_result import VotesCounted

HELP = """Count the votes of a blind page, and tell who made what.

\b
Examples:
  nscale images votes compare-a-red-fox votes-3f2a.json votes-77c1.json
  nscale images votes compare-a-red-fox votes-*.json --json

Of each pair the share of wins, with what it lies between at 95 % confidence (Wilson). Three and
more are ranked (Bradley-Terry) where wins lead from each to each. Where votes are too few, it
says so. Votes on another page, or with a key that was changed, are refused.
"""
MAX_BYTES = 16 * 1024 * 1024


@command("as_json", "quiet", "debug")
def votes(
    environment: Environment,
    directory: DirectoryArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Votes that the page saved.")
    ],
) -> "VotesCounted":
    """Count; HELP is what the user reads."""
    from nscale_cli.output.compare_result import VotesCounted
    from nscale_cli.output.report.votes import count, read_votes
    from nscale_cli.output.report.write import read_keys
    from nscale_cli.runs.plan import RunDirectory, require_header
    from nscale_cli.storage.names import disk_path

    run = RunDirectory(path=environment.path(disk_path(directory)))
    require_header(run)
    keys = read_keys(run.bookkeeping)
    if not keys:
        raise UsageError(
            f"{run.path} has no blind page",
            hint=f"write one: nscale images report {directory} --blind",
        )
    found = []
    for name in files:
        key, given = read_votes(_read(environment, name), name, keys)
        found += [(key, vote) for vote in given]
    if not found:
        raise UsageError("there is no vote in what was given")
    return VotesCounted(outcome=count(found))


def _read(environment: Environment, name: str) -> bytes:
    from nscale_cli.redact import excerpt
    from nscale_cli.storage.disk import read_bounded
    from nscale_cli.storage.names import disk_path

    try:
        return read_bounded(environment.path(disk_path(name)), MAX_BYTES)
    except OSError as error:
        raise UsageError(f"{excerpt(name)} cannot be read: {error.strerror}") from None
