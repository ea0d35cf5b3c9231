"""`nscale images generate`: the command line becomes a request, the request becomes files."""

from typing import TYPE_CHECKING

from nscale_cli.commands._command import command
from nscale_cli.commands.options.buying import MakingOptions
from nscale_cli.commands.options.request import ImageOptions, PromptOptions
from nscale_cli.terminal.context import Environment

if TYPE_CHECKING:
    from nscale_cli.config.settings import Settings
    from nscale_cli.output.result import Result
    from nscale_cli.request import ImageRequest

HELP = """Make images from a text and save them.

\b
Examples:
  nscale images generate "A sunset over mountains" --sandbox
  nscale images generate "A futuristic city" -z 1024x1024 -o city.png
  nscale images generate "A cat playing piano" -n 3 -p -o cats/
  echo "A red fox" | nscale images generate --json | jq -r '.data.images[].path'

The path of each saved image goes to stdout, everything else to stderr. Nothing is ever replaced
without --force, and no request that may have been billed is repeated without --retry-billed.
The exit code tells whether a run may be repeated without paying twice: nscale help exit-codes.
"""


@command("as_json", "quiet", "debug")
def generate(
    environment: Environment,
    words: PromptOptions,
    image: ImageOptions,
    making: MakingOptions,
) -> "Result":
    """Make them; HELP is what the user reads."""
    # Help, a usage error and a Tab know this module; what they do not need is loaded here.
    from nscale_cli.commands._context import load_settings
    from nscale_cli.commands._inputs import require_one_reader
    from nscale_cli.commands._making import make, require_compatible, with_output

    require_one_reader(words, making.service.api_key)
    settings = load_settings(environment.terminal, making.service.profile)
    making = with_output(making, settings, environment)
    require_compatible(image.count, making, settings, environment)
    request = _request(environment, words, image, settings)
    return make(request, making, settings, environment)


def _request(
    environment: Environment,
    words: PromptOptions,
    image: ImageOptions,
    settings: "Settings",
) -> "ImageRequest":
    """Return what is asked for; raise UsageError."""
    from nscale_cli.commands._inputs import read_params, read_prompt
    from nscale_cli.request import ImageRequest, Size

    model = settings.model if image.model is None else image.model
    prompt = read_prompt(words, environment.terminal)
    params = read_params(image.param or (), settings)
    environment.invocation.tell(model=model, prompt=prompt, params=params)
    size = Size.parse(settings.size if image.size is None else image.size)
    environment.invocation.tell(size=str(size))
    return ImageRequest(
        prompt=prompt,
        model=model,
        size=size,
        count=image.count,
        params=params,
        send_size=settings.send_size,
    )
