"""`nscale models show`: all that the service says about one model."""

import typer

from nscale_cli.commands import _model_options as model_options
from nscale_cli.commands import _options as options
from nscale_cli.commands._inputs import load_settings
from nscale_cli.commands._listing import get_models, priced_size
from nscale_cli.errors import ExitCode, RequestRefused
from nscale_cli.output.models import report_model
from nscale_cli.redact import excerpt
from nscale_cli.service.models import did_you_mean, nearest
from nscale_cli.terminal.context import Environment

HELP = """Show what the service says about one model, and its price.

\b
Examples:
  nscale models show black-forest-labs/FLUX.1-schnell
  nscale models show black-forest-labs/FLUX.1-schnell -z 1024x1024 --json
"""


def show(
    context: typer.Context,
    model_id: model_options.ModelArgument,
    size: options.SizeOption = None,
    api_key: options.ApiKeyOption = None,
    api_key_file: options.ApiKeyFileOption = None,
    base_url: options.BaseUrlOption = None,
    profile: options.ProfileOption = None,
    sandbox: options.SandboxOption = False,
    timeout: options.TimeoutOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    debug: options.DebugOption = False,
) -> int:
    """Show the model; HELP is what the user reads."""
    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.quiet, terminal.debugging = quiet, debug
    settings = load_settings(terminal, profile)
    wanted_size = priced_size(size, settings)
    listing = get_models(
        environment,
        settings,
        api_key=api_key,
        api_key_file=api_key_file,
        base_url=base_url,
        sandbox=sandbox,
        timeout=timeout,
    )
    model = listing.listed.find(model_id)
    if model is None:
        close = did_you_mean(nearest(model_id, listing.listed.ids))
        raise RequestRefused(
            f"{listing.listed.base_url} lists no model {excerpt(model_id, 100)!r}",
            hint=close or "nscale models list --all lists them all",
        )
    report_model(model, listing, terminal, size=wanted_size, as_json=as_json)
    return ExitCode.OK
