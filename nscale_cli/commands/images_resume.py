"""`nscale images resume`: a run goes on where it was."""

from typing import TYPE_CHECKING

from nscale_cli.commands._command import command
from nscale_cli.commands.options.buying import BuyingOptions
from nscale_cli.commands.options.run import DirectoryArgument, RunOptions
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.result import Result

HELP = """Go on with a run where it was.

\b
Examples:
  nscale images resume foxes/
  nscale images resume foxes/ --retry-billed
  nscale images resume foxes/ --redo hero --redo 17

Rows that were not sent, or failed without being billed, are sent. What may have been billed is
left alone: --retry-billed repeats it with the same idempotency key. The journal in the folder's
run/ knows what was sent, whatever ended the run.
"""


@command("as_json", "quiet", "debug")
def resume(
    environment: Environment,
    directory: DirectoryArgument,
    run: RunOptions,
    buying: BuyingOptions,
) -> "Result":
    """Go on; HELP is what the user reads."""
    from dataclasses import replace

    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._run import carry_out
    from nscale_cli.commands._run_command import SANDBOX, RunCommand
    from nscale_cli.runs.comparison import KIND
    from nscale_cli.runs.plan import RunDirectory, require_header
    from nscale_cli.storage.names import disk_path

    folder = RunDirectory(path=environment.path(disk_path(directory)))
    header, service = require_header(folder), buying.service
    if header.base_url == SANDBOX and service.base_url is None and service.profile is None:
        buying = replace(buying, service=replace(service, sandbox=True))  # which no key goes to
    asked = RunCommand(
        name="images resume",
        run=folder,
        source=str(folder.plan),
        buying=buying,
        options=run,
        settings=load_settings(environment.terminal, service.profile),
    )
    if run.dask is not None:
        from nscale_cli.commands._dask import carry_out_on_cluster

        result = carry_out_on_cluster(asked, environment, lambda: None)
    else:
        result = carry_out(asked, environment, lambda: None)
    if header.axes.get("kind") != KIND:
        return result
    return replace(result, then=f"to draw it again: nscale images report {folder.path}")
