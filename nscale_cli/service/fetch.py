"""Images that a reply only gives the address of: fetched where a profile asks for that.

The address comes from the service, so it is not trusted: https to a public address only, no
redirect, no key, no proxy, and limits in size and time.
"""

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

from nscale_cli.redact import excerpt
from nscale_cli.service.decode import Item
from nscale_cli.terminal.time import run_with_timeout

MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 60.0
_SILENCE_SECONDS = 15.0
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that is routed on the Internet (RFC 4291)
_ISATAP = (0x00005EFE, 0x02005EFE)  # before the IPv4 address at the end (RFC 5214)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; 64:ff9b:1::/48 is for local use


class _NotFetched(Exception):
    """The text says why."""


def fetch_image(url: str) -> Item:
    """Return the bytes at `url`, an image or not, or why there are none; never raises."""
    try:
        return Item(data=run_with_timeout(MAX_SECONDS, lambda: _fetch(url)))
    except Exception as error:  # whatever a stranger's server brings about
        reason = excerpt(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        return Item(reason=f"{excerpt(url)} was not fetched: {reason}")


def _fetch(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise _NotFetched("it is no plain https address")
    connection = _Pinned(parts.hostname, parts.port or 443, timeout=_SILENCE_SECONDS)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers={"Accept": "image/*", "User-Agent": "nscale"})
        with connection.getresponse() as reply:
            if reply.status != 200:
                raise _NotFetched(f"the answer was {reply.status}")
            data = reply.read(MAX_BYTES + 1)
    finally:
        connection.close()
    if len(data) > MAX_BYTES:
        raise _NotFetched(f"it is larger than {MAX_BYTES >> 20} MiB")
    return data


class _Pinned(http.client.HTTPSConnection):
    """Connects to the very address that was found to be public: a second lookup could differ."""

    def connect(self) -> None:
        address = _public_address(self.host, self.port)
        plain = socket.create_connection((address, self.port), timeout=self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _public_address(host: str, port: int) -> str:
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for address in found:
        if not _is_public(address):
            raise _NotFetched(f"{excerpt(host, 80)} is not a public address")
    return min(found)


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_routed(parsed)
    translated = _translated(parsed)
    outer = _is_routed(translated) if translated else _is_routed(parsed)
    return outer and (not _is_isatap(parsed) or _is_routed(_last_four_bytes(parsed)))


def _is_routed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    known = address.version == 4 or address in _GLOBAL_UNICAST
    return known and address.is_global and not address.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address to which a request for this IPv6 address would be handed on."""
    if address in _NAT64:
        return _last_four_bytes(address)
    return address.ipv4_mapped or address.sixtofour


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    """Return whether the router of a tunnel inside some network would unpack the last bytes."""
    return int(address) >> 32 & 0xFFFFFFFF in _ISATAP


def _last_four_bytes(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
