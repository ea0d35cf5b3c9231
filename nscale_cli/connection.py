"""How the service is reached: its address, the key that pays, and the limits of a request."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from nscale_cli.addresses import require_base_url
from nscale_cli.errors import KeyRejected

_LONGEST_KEY = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential and the place it came from, which messages may name. Its repr hides it."""

    value: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot stand in an HTTP header, without repeating it."""
        if not self.value:
            raise KeyRejected(
                f"the API key from {self.source} is empty", hint="is the variable set?"
            )
        if not all("\x21" <= character <= "\x7e" for character in self.value):
            raise KeyRejected(
                f"the API key from {self.source} holds a character that no key has "
                "(a space, a line break or a letter outside ASCII)",
                hint="copy the key again, whole and alone",
            )
        if len(self.value) > _LONGEST_KEY:
            raise KeyRejected(
                f"the API key from {self.source} is too long to be one",
                hint="copy the key again, whole and alone",
            )

    def __repr__(self) -> str:
        """Show where the key came from, never the key."""
        return f"ApiKey(source={self.source!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A validated way to the service. `retries` are further tries after the first.

    `passing`: the service ends with this command, and nothing about it is worth keeping.
    """

    base_url: str
    api_key: ApiKey
    timeout_seconds: float
    retries: int
    retry_billed: bool = False
    passing: bool = False
    fetch_urls: bool = False

    def __post_init__(self) -> None:
        """Refuse an address that no key may be sent to."""
        object.__setattr__(self, "base_url", require_base_url(self.base_url))

    @property
    def host(self) -> str:
        """The service's host name, for messages."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def address(self) -> tuple[str, int]:
        """The service's host and port, to tell it from a proxy."""
        default = 80 if self.on_this_machine else 443
        return self.host, urlsplit(self.base_url).port or default

    @property
    def on_this_machine(self) -> bool:
        """Whether no request leaves this machine, so that no proxy or certificate is needed."""
        return self.base_url.startswith("http://")
