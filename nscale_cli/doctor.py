"""What stands between this machine and an image: a look at each part, without paying."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from nscale_cli import __version__
from nscale_cli.config.directories import cache_directory
from nscale_cli.config.file import config_path
from nscale_cli.config.settings import Settings
from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import NscaleError
from nscale_cli.preview.show import Preview
from nscale_cli.preview.styles import PreviewOptions
from nscale_cli.service.catalog import check_key
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import run_with_timeout

_LIBRARIES = ("openai", "typer", "rich", "Pillow", "ascii-magic")
_MAX_LOOKUP_SECONDS = 5.0
NO_KEY = ApiKey(value="none", source="nowhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one part, and the error where that part keeps images from being made."""

    name: str
    text: str
    error: NscaleError | None = None


def about_the_program() -> Iterator[Finding]:
    """Yield the versions."""
    import platform
    from importlib.metadata import version

    yield Finding(name="nscale", text=__version__)
    yield Finding(
        name="python",
        text=f"{platform.python_version()} ({platform.python_implementation()}), "
        f"{platform.system()} {platform.release()} {platform.machine()}",
    )
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    yield Finding(name="libraries", text=versions)


def about_the_settings(settings: Settings, terminal: Terminal) -> Iterator[Finding]:
    """Yield where the settings are, and what would be asked for."""
    path = config_path(terminal.env)
    yield Finding(name="settings", text=f"{path}{'' if path.exists() else ' (not there)'}")
    yield Finding(name="cache", text=str(cache_directory(terminal.env)))
    if settings.profile:
        yield Finding(name="profile", text=f"{settings.profile} ({settings.sources['profile']})")
    yield Finding(name="model", text=f"{settings.model} ({settings.sources['model']})")


def about_the_service(connection: Connection) -> Iterator[Finding]:
    """Yield whether the service answers, and whether it accepts the key.

    Without a key (NO_KEY) only the first.
    """
    yield Finding(name="service", text=connection.base_url)
    proxy = _proxy(connection)
    yield Finding(name="proxy", text=proxy or "none")
    if not proxy:
        yield _lookup(connection)
    start = time.monotonic()
    check = check_key(connection)
    milliseconds = (time.monotonic() - start) * 1000
    if check.http_status is None:
        assert check.error is not None
        yield Finding(name="answer", text=check.error.message, error=check.error)
        return
    secure = "plain http" if connection.uses_plain_http else "https, its certificate is accepted"
    text = f"{check.http_status} in {milliseconds:.0f} ms with the client's start; {secure}"
    yield Finding(name="answer", text=text)
    if connection.api_key is not NO_KEY:
        words = {True: "yes", False: "no", None: "not known"}[check.valid]
        yield Finding(name="key accepted", text=words, error=check.error)


def about_the_terminal(settings: Settings, terminal: Terminal) -> Iterator[Finding]:
    """Yield what the terminal is, and how -p would draw there."""
    size, env = terminal.size(), terminal.env
    term = env.get("TERM") or "not set"
    if terminal.stderr_is_tty:
        text = f"{size.columns}x{size.lines}, TERM {term}"
    else:
        text = f"standard error is no terminal, TERM {term}"
    yield Finding(name="terminal", text=text)
    chosen = {
        style: Preview(PreviewOptions(style=style), terminal).style()
        for style in (settings.preview_style, "auto")
    }
    styles = ", ".join(f"{name}: {style}" for name, style in chosen.items())
    yield Finding(name="preview", text=styles)


def _proxy(connection: Connection) -> str | None:
    """Return the proxy in front of the service, without the password that may stand in it."""
    from urllib.request import getproxies, proxy_bypass

    if connection.uses_plain_http or proxy_bypass(connection.host):
        return None
    proxies = getproxies()
    url = proxies.get("https") or proxies.get("all")
    if not url:
        return None
    parts = urlsplit(url if "//" in url else f"http://{url}")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _lookup(connection: Connection) -> Finding:
    import socket

    host, port = connection.address
    start = time.monotonic()
    try:
        run_with_timeout(_MAX_LOOKUP_SECONDS, lambda: socket.getaddrinfo(host, port))
    except (OSError, UnicodeError) as error:
        return Finding(name="dns", text=f"{host}: {getattr(error, 'strerror', None) or error}")
    milliseconds = (time.monotonic() - start) * 1000
    return Finding(name="dns", text=f"{host} in {milliseconds:.0f} ms")
