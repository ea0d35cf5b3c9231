"""`nscale models show`: all that the service says about one model."""

from nscale_cli.commands._command import command
from nscale_cli.commands._context import get_models, load_settings
from nscale_cli.commands.options.request import ModelArgument, SizeOption
from nscale_cli.commands.options.service import ServiceOptions
from nscale_cli.errors import RequestRefused
from nscale_cli.output.models import ModelShown
from nscale_cli.redact import excerpt
from nscale_cli.request import Size
from nscale_cli.service.models import did_you_mean, nearest
from nscale_cli.terminal.context import Environment

HELP = """Show what the service says about one model, and its price.

\b
Examples:
  nscale models show black-forest-labs/FLUX.1-schnell
  nscale models show black-forest-labs/FLUX.1-schnell -z 1024x1024 --json
"""


@command("as_json", "quiet", "debug")
def show(
    environment: Environment,
    model_id: ModelArgument,
    service: ServiceOptions,
    size: SizeOption = None,
) -> ModelShown:
    """Show the model; HELP is what the user reads."""
    settings = load_settings(environment.terminal, service.profile)
    wanted = Size.parse(settings.size if size is None else size)
    listing = get_models(environment, settings, service)
    model = listing.listed.find(model_id)
    if model is None:
        close = did_you_mean(nearest(model_id, listing.listed.ids))
        raise RequestRefused(
            f"{listing.listed.base_url} lists no model {excerpt(model_id, 100)!r}",
            hint=close or "nscale models list --all lists them all",
        )
    return ModelShown(model=model, listing=listing, asked_at=environment.clock.now(), size=wanted)
