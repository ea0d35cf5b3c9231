"""`nscale auth logout`: forget a stored key."""

from nscale_cli.commands._command import command
from nscale_cli.commands._context import address_of, load_settings
from nscale_cli.commands.options.service import AddressOptions
from nscale_cli.credentials.lookup import key_variables, origin_of
from nscale_cli.credentials.store import KeyStore
from nscale_cli.output.result import Done
from nscale_cli.terminal.context import Environment

HELP = """Forget a stored API key.

\b
Examples:
  nscale auth logout
  nscale auth logout --profile local

The key itself stays valid: revoke it at the service where it must not be used any more.
"""


@command("quiet")
def logout(environment: Environment, address: AddressOptions) -> Done:
    """Log out; HELP is what the user reads."""
    env = environment.terminal.env
    settings = load_settings(environment.terminal, address.profile)
    url = address_of(address, settings)
    origin = origin_of(url)
    place = KeyStore(env).remove(origin)
    said = f"the key for {origin} is removed from {place}"
    if place is None:
        said = f"no key is stored for {origin}"
    left = [name for name in key_variables(settings, url) if env.get(name)]
    return Done(said=[said], warned=[f"{name} is still set, and is used" for name in left])
