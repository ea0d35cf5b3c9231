"""`nscale auth login`: store a key, once the service has accepted it."""

from typing import Annotated

import typer

from nscale_cli.commands._command import command
from nscale_cli.commands._context import address_of, load_settings
from nscale_cli.commands._inputs import read_key_of_input
from nscale_cli.commands.options.service import AddressOptions
from nscale_cli.config.table import DEFAULT_BASE_URL
from nscale_cli.connection import ApiKey, Connection
from nscale_cli.credentials.lookup import key_variables, origin_of
from nscale_cli.credentials.store import KeyStore
from nscale_cli.errors import UsageError
from nscale_cli.output.result import Done
from nscale_cli.service.catalog import check_key
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

HELP = """Store an API key, once the service has accepted it.

\b
Examples:
  nscale auth login
  nscale auth login --with-token < key.txt
  nscale auth login --profile local

The key goes into the system's keyring where one works, else into a file that only you can read;
which of them is said. It is stored for one service, and never sent to another. Nscale's keys are
made in its console, on the page for API keys or service tokens; another service has its own place.
"""


@command("quiet", "debug")
def login(
    environment: Environment,
    address: AddressOptions,
    with_token: Annotated[
        bool, typer.Option("--with-token", help="Read the key from standard input.")
    ] = False,
) -> Done:
    """Log in; HELP is what the user reads."""
    terminal = environment.terminal
    settings = load_settings(terminal, address.profile)
    url = address_of(address, settings)
    origin = origin_of(url)
    key = _read_key(terminal, origin, with_token=with_token)
    terminal.redactor.hide(key.value)
    check = check_key(
        Connection(base_url=url, api_key=key, timeout_seconds=settings.timeout_seconds, retries=0)
    )
    if check.error is not None:
        raise check.error.but(message=f"{check.error.message}; the key was not stored")
    stored = KeyStore(terminal.env).store(origin, key.value)
    said = [f"{origin} accepts the key; it is stored in {stored.place}"]
    warned = [] if stored.private else [f"other users may be able to read {stored.place}"]
    if stored.no_keyring_because:
        closed = "only you can read that file; " if stored.private else ""
        said.append(f"{closed}no keyring took the key: {stored.no_keyring_because}")
    before = [name for name in key_variables(settings, url) if terminal.env.get(name)]
    warned += [f"{name} is set, and goes before the stored key" for name in before]
    return Done(said=said, warned=warned)


def _read_key(terminal: Terminal, origin: str, *, with_token: bool) -> ApiKey:
    if with_token:
        return read_key_of_input(terminal)
    if not terminal.stdin_is_tty:
        raise UsageError(
            "there is no terminal to ask for the key at",
            hint="nscale auth login --with-token < FILE, or set NSCALE_API_KEY instead",
        )
    terminal.note(f"make a key {_place_of_keys(origin)}, and paste it here; it is not shown")
    return ApiKey(value=_ask(f"API key for {origin}: "), source="you")


def _place_of_keys(origin: str) -> str:
    own = origin == origin_of(DEFAULT_BASE_URL)
    return "in the Nscale console (www.nscale.com)" if own else f"where {origin} keeps accounts"


def _ask(question: str) -> str:
    """Return what a person types at the terminal, unseen; an empty text where they type nothing."""
    from getpass import getpass

    try:
        return getpass(question).strip()
    except EOFError:
        return ""
