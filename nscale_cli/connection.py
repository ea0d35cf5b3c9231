"""How the service is reached: its address, the key that pays, and the limits of a request."""

import re
from urllib.parse import urlsplit

from nscale_cli.errors import AuthenticationError, ConfigurationError
from nscale_cli.values import frozen

_MAX_KEY = 8192
_MAX_URL = 2000
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
    return not odd and len(url) <= _MAX_URL


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


@frozen
class ApiKey:
    """A credential and the place it came from, which messages may name. Its repr hides it."""

    value: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot stand in an HTTP header, without repeating it."""
        if not self.value:
            raise AuthenticationError(
                f"the API key from {self.source} is empty", hint="is the variable set?"
            )
        if not all("\x21" <= character <= "\x7e" for character in self.value):
            raise AuthenticationError(
                f"the API key from {self.source} holds a character that no key has "
                "(a space, a line break or a letter outside ASCII)",
                hint="copy the key again, whole and alone",
            )
        if len(self.value) > _MAX_KEY:
            raise AuthenticationError(
                f"the API key from {self.source} is too long to be one",
                hint="copy the key again, whole and alone",
            )

    def __repr__(self) -> str:
        """Show where the key came from, never the key."""
        return f"ApiKey(source={self.source!r})"


@frozen
class Connection:
    """A validated way to the service. `retries` are extra tries after the first.

    `ephemeral`: the service ends with this command, and nothing about it is worth keeping.
    """

    base_url: str
    api_key: ApiKey
    timeout_seconds: float
    retries: int
    retry_billed: bool = False
    ephemeral: bool = False
    fetch_urls: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", require_base_url(self.base_url))

    @property
    def host(self) -> str:
        """The service's host name, for messages."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def address(self) -> tuple[str, int]:
        """The service's host and port, to tell it from a proxy."""
        default = 80 if self.uses_plain_http else 443
        return self.host, urlsplit(self.base_url).port or default

    @property
    def uses_plain_http(self) -> bool:
        """Whether no request leaves this machine, so that no proxy or certificate is needed."""
        return self.base_url.startswith("http://")
