"""`nscale images rerun`: the request that made an image, once more."""

from typing import TYPE_CHECKING, Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands.history_show import complete_id
from nscale_cli.commands.options.buying import MakingOptions
from nscale_cli.commands.options.request import ChangeOptions
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
    change: ChangeOptions,
    making: MakingOptions,
) -> "Result":
    """Make it; HELP is what the user reads."""
    from nscale_cli.commands._again import changed, past_request, require_same_service
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._making import make, require_compatible, with_output

    settings = load_settings(environment.terminal, making.service.profile)
    making = with_output(making, settings, environment)
    past = past_request(image, environment)
    require_same_service(past, making.service, settings)
    request = changed(past, change, settings, environment)
    require_compatible(request.count, making, settings, environment)
    return make(request, making, settings, environment)
