"""What stands between this machine and an image: a look at each part, without paying."""

import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from nscale_cli import __version__
from nscale_cli.config.directories import cache_directory, home_directory, state_directory
from nscale_cli.config.file import config_path
from nscale_cli.config.settings import Settings
from nscale_cli.connection import ApiKey, Connection
from nscale_cli.errors import NscaleError
from nscale_cli.preview.show import Preview
from nscale_cli.preview.styles import PreviewOptions
from nscale_cli.service.catalog import KeyCheck, NoList, check_key
from nscale_cli.service.replies import what_it_lacks
from nscale_cli.terminal.streams import Terminal
from nscale_cli.terminal.time import run_with_timeout
from nscale_cli.values import frozen

_LIBRARIES = ("openai", "typer", "rich", "Pillow", "ascii-magic")
_MAX_LOOKUP_SECONDS = 5.0
NO_KEY = ApiKey(value="none", source="nowhere")


@frozen
class Finding:
    """What was found of one part, and the error where that part keeps images from being made.

    `values` are the same for a script: numbers, truths and names, by the fields of the document.
    """

    name: str
    text: str
    values: Mapping[str, object]
    error: NscaleError | None = None


def about_the_program() -> Iterator[Finding]:
    """Yield the versions."""
    import platform
    from importlib.metadata import version

    yield Finding(name="nscale", text=__version__, values={"nscale": __version__})
    python = platform.python_version()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding(
        name="python",
        text=f"{python} ({platform.python_implementation()}), {system}",
        values={"python": python, "system": system},
    )
    versions = {name: version(name) for name in _LIBRARIES}
    text = ", ".join(f"{name} {number}" for name, number in versions.items())
    yield Finding(name="libraries", text=text, values={"libraries": versions})


def about_the_settings(settings: Settings, terminal: Terminal) -> Iterator[Finding]:
    """Yield where the settings are, and what would be asked for."""
    path = config_path(terminal.env)
    there = path.exists()
    yield Finding(
        name="settings",
        text=f"{path}{'' if there else ' (not there)'}",
        values={"settings": str(path), "settings_exist": there},
    )
    cache = str(cache_directory(terminal.env))
    yield Finding(name="cache", text=cache, values={"cache": cache})
    yield _history(settings, terminal)
    if settings.profile:
        yield Finding(
            name="profile",
            text=f"{settings.profile} ({settings.sources['profile']})",
            values={"profile": settings.profile},
        )
    source = settings.sources["model"]
    yield Finding(
        name="model",
        text=f"{settings.model} ({source})",
        values={"model": settings.model, "model_source": source},
    )


def about_the_key(connection: Connection) -> Finding:
    """Return where the key comes from."""
    source = connection.api_key.source
    return Finding(name="key", text=f"from {source}", values={"key_source": source})


def about_the_service(connection: Connection) -> Iterator[Finding]:
    """Yield whether the service answers, and whether it accepts the key.

    Without a key (NO_KEY) only the first.
    """
    url = connection.base_url
    yield Finding(name="service", text=url, values={"service": url})
    proxy = _proxy(connection)
    yield Finding(name="proxy", text=proxy or "none", values={"proxy": proxy})
    if not proxy:
        yield _lookup(connection)
    start = time.monotonic()
    check = check_key(connection)
    milliseconds = round((time.monotonic() - start) * 1000)
    if check.http_status is None:
        assert check.error is not None
        yield Finding(
            name="answer",
            text=check.error.message,
            values={"answer_status": None, "answer_milliseconds": milliseconds},
            error=check.error,
        )
        return
    secure = "plain http" if connection.uses_plain_http else "https, its certificate is accepted"
    yield Finding(
        name="answer",
        text=f"{check.http_status} in {milliseconds} ms with the client's start; {secure}",
        values={"answer_status": check.http_status, "answer_milliseconds": milliseconds},
    )
    if connection.api_key is not NO_KEY:
        yield _about_acceptance(check, connection)


def _about_acceptance(check: KeyCheck, connection: Connection) -> Finding:
    """Return whether the key is accepted; that nobody can tell keeps no image from being made."""
    values = {"key_accepted": check.valid}
    if isinstance(check.error, NoList) and not what_it_lacks(connection):
        return Finding(name="key accepted", text=check.error.message, values=values)
    words = {True: "yes", False: "no", None: "not known"}[check.valid]
    return Finding(name="key accepted", text=words, values=values, error=check.error)


def about_the_terminal(settings: Settings, terminal: Terminal) -> Iterator[Finding]:
    """Yield what the terminal is, and how -p would draw there."""
    size, env, is_terminal = terminal.size(), terminal.env, terminal.stderr_is_tty
    term = env.get("TERM") or "not set"
    where = f"{size.columns}x{size.lines}" if is_terminal else "standard error is no terminal"
    yield Finding(
        name="terminal",
        text=f"{where}, TERM {term}",
        values={
            "terminal": is_terminal,
            "columns": size.columns if is_terminal else None,
            "lines": size.lines if is_terminal else None,
            "term": env.get("TERM") or None,
        },
    )
    chosen = {
        style: Preview(PreviewOptions(style=style), terminal).style()
        for style in (settings.preview_style, "auto")
    }
    styles = ", ".join(f"{name}: {style}" for name, style in chosen.items())
    yield Finding(name="preview", text=styles, values={"preview": chosen})


def _history(settings: Settings, terminal: Terminal) -> Finding:
    """Return where the history is, how large, and whether it is kept."""
    from nscale_cli.storage.history import FILE_NAME, History

    path = state_directory(terminal.env) / FILE_NAME
    history = History(path, warn=terminal.warn, home=home_directory(terminal.env))
    count: int | None = None
    try:
        count = history.count()
        what = f"{count} image{'' if count == 1 else 's'}"
    except NscaleError as error:
        what = error.message
    finally:
        history.close()
    notes = [f"{what}, {history.byte_count} bytes" if history.exists else "not there"]
    if not settings.history:
        notes.append(f"not kept: {settings.sources['history']}")
    return Finding(
        name="history",
        text=f"{path} ({'; '.join(notes)})",
        values={
            "history": str(path),
            "history_images": count,
            "history_bytes": history.byte_count,
            "history_kept": settings.history,
        },
    )


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
        reason = str(getattr(error, "strerror", None) or error)
        values = {"dns_milliseconds": None, "dns_error": reason}
        return Finding(name="dns", text=f"{host}: {reason}", values=values)
    milliseconds = round((time.monotonic() - start) * 1000)
    found = {"dns_milliseconds": milliseconds, "dns_error": None}
    return Finding(name="dns", text=f"{host} in {milliseconds} ms", values=found)
