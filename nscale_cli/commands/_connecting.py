"""From flags and settings to a connection, starting the sandbox where it is asked for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nscale_cli.commands._inputs import read_key
from nscale_cli.config.checks import require_timeout
from nscale_cli.config.settings import DEFAULT_RETRIES, Settings
from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import UsageError
from nscale_cli.sandbox.scenarios import SANDBOX_KEYS
from nscale_cli.terminal.streams import Terminal

_SANDBOX_KEY = ApiKey(value="sandbox", source="--sandbox")


@contextmanager
def connected(
    terminal: Terminal,
    settings: Settings,
    *,
    api_key: str | None = None,
    api_key_file: str | None = None,
    base_url: str | None = None,
    sandbox: bool = False,
    timeout: float | None = None,
    retry: int = DEFAULT_RETRIES,
    retry_billed: bool = False,
) -> Iterator[Connection]:
    """Yield the way to the service that was asked for; nothing is sent to it yet."""
    if sandbox and base_url is not None:
        raise UsageError("--sandbox and --base-url exclude each other", hint="give one of them")
    if retry < 0:
        raise UsageError("--retry must be 0 or more")
    seconds = settings.timeout_seconds
    if timeout is not None:
        seconds = require_timeout(timeout, source="--timeout")
    ephemeral = sandbox or (settings.sandbox and base_url is None)
    given = api_key is not None or api_key_file is not None
    with ExitStack() as stack:
        url = settings.base_url if base_url is None else base_url
        if ephemeral:
            from nscale_cli.sandbox.server import Sandbox

            url = stack.enter_context(Sandbox()).base_url
        key = _SANDBOX_KEY  # no variable's key goes there
        if given or not ephemeral:
            key = read_key(api_key, api_key_file, terminal, settings=settings, base_url=url)
        if key.value not in SANDBOX_KEYS:  # which are no secrets, but words of its answers
            terminal.redactor.hide(key.value)
        yield Connection(
            base_url=url,
            api_key=key,
            timeout_seconds=seconds,
            retries=retry,
            retry_billed=retry_billed,
            ephemeral=ephemeral,
            fetch_urls=settings.fetch_urls,
        )
