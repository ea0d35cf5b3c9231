"""What a command works in: the settings, the way to the service, the service's models."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.commands._inputs import read_key, read_metadata_mode
from nscale_cli.commands.options.output import RecordOptions
from nscale_cli.commands.options.service import AccountOptions, AddressOptions, RetryOptions
from nscale_cli.config.checks import require_timeout
from nscale_cli.config.directories import home_directory, state_directory
from nscale_cli.config.file import read_config
from nscale_cli.config.settings import Settings
from nscale_cli.config.table import METADATA_MODES
from nscale_cli.connection import ApiKey, Connection, require_base_url
from nscale_cli.errors import KeyMissing, UsageError
from nscale_cli.sandbox.scenarios import SANDBOX_KEYS
from nscale_cli.service.catalog import Listing, fetch_or_load, load_instead
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

if TYPE_CHECKING:
    from nscale_cli.jobs.marking import Marker
    from nscale_cli.jobs.prices import PriceList
    from nscale_cli.jobs.record import Recorder
    from nscale_cli.storage.history import History

_SANDBOX_KEY = ApiKey(value="sandbox", source="--sandbox")


def load_settings(terminal: Terminal, profile: str | None = None) -> Settings:
    """Return what variables, profile and settings file say; raise where one of them is wrong."""
    return Settings.resolve(terminal.env, read_config(terminal.env), profile)


def address_of(service: AddressOptions, settings: Settings) -> str:
    """Return the base URL of the service that is meant, where it is not the sandbox."""
    return settings.base_url if service.base_url is None else service.base_url


@contextmanager
def connected(
    terminal: Terminal,
    settings: Settings,
    service: AccountOptions,
    retries: RetryOptions = RetryOptions(retry=0),  # noqa: B008 - it is frozen
) -> Iterator[Connection]:
    """Yield the way to the service that was asked for; nothing is sent to it yet."""
    if service.sandbox and service.base_url is not None:
        raise UsageError("--sandbox and --base-url exclude each other", hint="give one of them")
    if retries.retry < 0:
        raise UsageError("--retry must be 0 or more")
    seconds = settings.timeout_seconds
    if service.timeout is not None:
        seconds = require_timeout(service.timeout, source="--timeout")
    ephemeral = service.sandbox or (settings.sandbox and service.base_url is None)
    with ExitStack() as stack:
        url = address_of(service, settings)
        if ephemeral:
            from nscale_cli.sandbox.server import Sandbox

            url = stack.enter_context(Sandbox()).base_url
        key = _key(terminal, settings, service, url, ephemeral=ephemeral)
        if key.value not in SANDBOX_KEYS:  # which are no secrets, but words of its answers
            terminal.redactor.hide(key.value)
        yield Connection(
            base_url=url,
            api_key=key,
            timeout_seconds=seconds,
            retries=retries.retry,
            retry_billed=retries.retry_billed,
            ephemeral=ephemeral,
            fetch_urls=settings.fetch_urls,
        )


def _key(
    terminal: Terminal, settings: Settings, service: AccountOptions, url: str, *, ephemeral: bool
) -> ApiKey:
    given = service.api_key is not None or service.api_key_file is not None
    if ephemeral and not given:
        return _SANDBOX_KEY  # no variable's key goes there
    return read_key(
        service.api_key, service.api_key_file, terminal, settings=settings, base_url=url
    )


def get_models(environment: Environment, settings: Settings, service: AccountOptions) -> Listing:
    """Return the service's list, or its last one where it cannot be asked."""
    terminal, now = environment.terminal, environment.clock.now()
    try:
        with connected(terminal, settings, service) as connection:
            return fetch_or_load(connection, terminal, now)
    except KeyMissing as error:
        return load_instead(require_base_url(address_of(service, settings)), terminal, error)


def history_path(terminal: Terminal) -> Path:
    """Return where the history is, whether or not there is one."""
    from nscale_cli.storage.history import FILE_NAME

    return state_directory(terminal.env) / FILE_NAME


@contextmanager
def open_history(terminal: Terminal) -> Iterator["History"]:
    """Yield the history, to be looked at; nothing is opened yet."""
    from nscale_cli.storage.history import History

    home = home_directory(terminal.env)
    with closing(History(history_path(terminal), home=home, warn=terminal.warn)) as history:
        yield history


def make_recorder(
    terminal: Terminal,
    settings: Settings,
    record: RecordOptions,
    connection: Connection,
    prices: "PriceList",
    *,
    run: Path | None = None,
) -> "Recorder | None":
    """Return what remembers the images of a service, None where nothing is to be remembered."""
    if record.no_history or not settings.history:
        return None
    if connection.ephemeral and not settings.keeps_sandbox_history:
        return None
    from nscale_cli.jobs.record import Recorder

    home = home_directory(terminal.env)
    return Recorder(history_path(terminal), connection, prices, terminal, home=home, run=run)


def make_marker(
    terminal: Terminal, settings: Settings, record: RecordOptions, connection: Connection
) -> "Marker | None":
    """Return what marks the images of a service, None where they stay as they come."""
    mode = read_metadata_mode(record, settings)
    if mode == METADATA_MODES[0]:
        return None
    from nscale_cli.jobs.marking import Marker

    return Marker(mode=mode, connection=connection, redactor=terminal.redactor, warn=terminal.warn)
