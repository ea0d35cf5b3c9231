"""The list of models that `models list` and `models show` both start from."""

from nscale_cli.commands._connecting import connected
from nscale_cli.config.settings import Settings
from nscale_cli.connection import require_base_url
from nscale_cli.errors import KeyMissing
from nscale_cli.output.models import report_age
from nscale_cli.request import Size
from nscale_cli.service.catalog import Listing, fetch_or_load, load_instead
from nscale_cli.terminal.context import Environment


def priced_size(option: str | None, settings: Settings) -> Size:
    """Return the size to give prices for."""
    return Size.parse(settings.size if option is None else option)


def get_models(
    environment: Environment,
    settings: Settings,
    *,
    api_key: str | None,
    api_key_file: str | None,
    base_url: str | None,
    sandbox: bool,
    timeout: float | None,
) -> Listing:
    """Return the service's list, or its last one, saying so, where it cannot be asked."""
    terminal, now = environment.terminal, environment.clock.now()
    connecting = connected(
        terminal,
        settings,
        api_key=api_key,
        api_key_file=api_key_file,
        base_url=base_url,
        sandbox=sandbox,
        timeout=timeout,
    )
    try:
        with connecting as connection:
            listing = fetch_or_load(connection, terminal, now)
    except KeyMissing as error:
        address = require_base_url(settings.base_url if base_url is None else base_url)
        listing = load_instead(address, terminal, error)
    report_age(listing, terminal, now)
    return listing
