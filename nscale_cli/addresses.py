"""Addresses of services: which of them a key may be sent to."""

import re
from urllib.parse import urlsplit

from nscale_cli.errors import ConfigurationError

_LONGEST_URL = 2000
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
_NUMBERS = re.compile(r"[0-9.]+", re.ASCII)


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine itself."""
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    """Return whether `host`, in lower case, is a name or an address that can be looked up."""
    if ":" not in host and not _NUMBERS.fullmatch(host):
        return len(host) <= 253 and _NAME.fullmatch(host) is not None
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_plain(url: str) -> bool:
    odd = any(not "!" <= character <= "~" or character in "?#\\" for character in url)
    return not odd and len(url) <= _LONGEST_URL


def require_base_url(url: str) -> str:
    """Return `url` in its plain form; raise ConfigurationError where no key may be sent to it.

    Plain http is accepted for loopback only, since anyone on the way could read the key.
    """
    hint = "it looks like https://host/v1 (--base-url or NSCALE_BASE_URL)"
    shown = re.sub(r"//.*@", "//", url, flags=re.DOTALL)[:200]  # without a password
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"the base URL {shown!r} is not valid", hint=hint) from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or url != url.strip():
        raise ConfigurationError(f"the base URL {shown!r} is not an http(s) address", hint=hint)
    if "@" in parts.netloc:
        raise ConfigurationError("the base URL holds a user name or password", hint=hint)
    bracketed = "[" in parts.netloc  # as an IPv6 address is, and nothing else
    if bracketed != (":" in host) or not _is_host(host) or not _is_plain(url):
        raise ConfigurationError(f"the base URL {shown!r} is not valid", hint=hint)
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"the base URL uses plain http, which would show your key to the network: {shown}",
            hint="use https; plain http is for this machine only (127.0.0.1, localhost)",
        )
    return (parts.scheme + url[len(parts.scheme) :]).rstrip("/")
