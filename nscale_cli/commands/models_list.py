"""`nscale models list`: the service's models, with their prices."""

import typer

from nscale_cli.commands import _model_options as model_options
from nscale_cli.commands import _options as options
from nscale_cli.commands._inputs import load_settings
from nscale_cli.commands._listing import get_models, priced_size
from nscale_cli.errors import ExitCode
from nscale_cli.output.models import report_models
from nscale_cli.terminal.context import Environment

HELP = """List the models that look like image models, with their prices.

\b
Examples:
  nscale models list
  nscale models list -z 1024x1024 --sort price
  nscale models list --json | jq -r '.data.models[].id'

The service does not say which models make images: they are told by their names, so the list may
lack some, or hold others. Prices are the service's own; what is charged may differ. Without a key
or a network, the last list is shown.
"""


def list_models(
    context: typer.Context,
    everything: model_options.AllOption = False,
    sort: model_options.SortOption = model_options.ORDERS[0],
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
    """List; HELP is what the user reads."""
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
    report_models(
        listing,
        terminal,
        size=wanted_size,
        everything=everything,
        by_price=sort == "price",
        as_json=as_json,
    )
    return ExitCode.OK
