"""`nscale images rerun`: the request that made an image, once more."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands import _options as options
from nscale_cli.commands._command import command
from nscale_cli.commands.history_show import complete_id
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.output.result import Result

HELP = """Make an image again: the same request, or a changed one.

\b
Examples:
  nscale images rerun last --dry-run
  nscale images rerun a-red-fox.png -n 4 -o more/
  nscale images rerun 12 -m black-forest-labs/FLUX.1-schnell --param seed=2

The request is told first, and then it is sent, and billed, as any other. It comes from the history,
or from a file that nscale wrote with --metadata full or sidecar; -m, -z, -n, --param and
--prompt-file change it. An image of another service than the one that is set up now is only made
with --base-url, --profile or --sandbox, so that nothing goes where it was not meant to.
"""


@command("as_json", "quiet", "debug")
def rerun(
    environment: Environment,
    image: Annotated[
        str,
        typer.Argument(
            metavar="FILE|ID|last",
            help="An image, by its file, its number in the history, or `last`.",
            autocompletion=complete_id,
        ),
    ],
    change: options.ChangeOptions,
    place: options.OutputOptions,
    how: options.ShowOptions,
    service: options.ServiceOptions,
    retries: options.RetryOptions,
    record: options.RecordOptions,
    preview: options.PreviewOption = False,
    max_cost: options.MaxCostOption = None,
) -> "Result":
    """Make it; HELP is what the user reads."""
    from nscale_cli.commands._again import changed, past_request, require_same_service
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._making import (
        MakingOptions,
        make,
        read_output,
        require_compatible,
    )

    settings = load_settings(environment.terminal, service.profile)
    wanted = MakingOptions(
        output=read_output(place.output, settings, environment),
        place=place,
        how=how,
        service=service,
        retries=retries,
        record=record,
        preview=preview,
        max_cost=max_cost,
    )
    past = past_request(image, environment)
    require_same_service(past, service, settings)
    request = changed(past, change, settings, environment)
    require_compatible(request.count, wanted, settings, environment)
    return make(request, wanted, settings, environment)
