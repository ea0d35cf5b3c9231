"""`nscale auth logout`: forget a stored key."""

import typer

from nscale_cli.commands import _options as options
from nscale_cli.commands._inputs import load_settings
from nscale_cli.credentials.lookup import key_variables, origin_of
from nscale_cli.credentials.store import KeyStore
from nscale_cli.errors import ExitCode
from nscale_cli.terminal.context import Environment

HELP = """Forget a stored API key.

\b
Examples:
  nscale auth logout
  nscale auth logout --profile local

The key itself stays valid: revoke it at the service where it must not be used any more.
"""


def logout(
    context: typer.Context,
    base_url: options.BaseUrlOption = None,
    profile: options.ProfileOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Log out; HELP is what the user reads."""
    environment: Environment = context.obj
    terminal = environment.terminal
    terminal.quiet = quiet
    settings = load_settings(terminal, profile)
    url = settings.base_url if base_url is None else base_url
    origin = origin_of(url)
    place = KeyStore(terminal.env).remove(origin)
    if place is None:
        terminal.note(f"no key is stored for {origin}")
    else:
        terminal.note(f"the key for {origin} is removed from {place}")
    for name in key_variables(settings, url):
        if terminal.env.get(name):
            terminal.warn(f"{name} is still set, and is used")
    return ExitCode.OK
