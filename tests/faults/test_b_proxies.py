"""Proxies: the right way is taken, a wrong one costs nothing, and the password is never shown."""

import gc
import socket
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.conftest import KEY, Cli, FakeClock, Outcome
from tests.faults.audit import NETWORK, audited
from tests.faults.conftest import context_of, require_failure
from tests.faults.raw_server import Connection, RawServer, Script
from tests.faults.socks import SocksProxy

pytestmark = pytest.mark.usefixtures("no_network_settings")
Buy = Callable[..., Outcome]
Injected = Callable[[bool, str], None]
PASSWORD = "hunter2-hunter2"


@pytest.fixture
def proxy(secure: RawServer) -> Iterator[RawServer]:
    """A proxy that leads to `secure`."""

    def script(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        connection.tunnel(secure.port)

    with RawServer(scripts=[script]) as server:
        yield server


def address_of(proxy: RawServer) -> str:
    """Return what HTTPS_PROXY is set to, with a password."""
    return f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.usefixtures("trusted")
def test_a_proxy_carries_what_it_cannot_read(
    buy: Buy,
    secure: RawServer,
    proxy: RawServer,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    """The control: a tunnel for each request, and the proxy never sees the key."""
    monkeypatch.setenv(variable, address_of(proxy))

    outcome = buy(secure)

    assert outcome.exit_code == 0
    assert secure.posts == 1
    assert 1 <= len(proxy.requests) <= 2  # for the image, and for its price
    for request in proxy.requests:
        assert request.head.startswith(b"CONNECT 127.0.0.1:%d " % secure.port)
        assert (request.header("proxy-authorization") or "").startswith("Basic ")
        assert KEY.encode() not in request.head
    assert secure.requests[0].header("proxy-authorization") is None


@pytest.mark.parametrize(
    ("value", "direct"),
    [
        ("127.0.0.1", True),
        ("*", True),
        ("127.0.0.0/8", True),
        ("example.com, 127.0.0.1", True),
        ("127.0.0.1:{port}", True),
        ("example.com", False),
        ("10.0.0.0/8", False),
        ("[", False),
        ("", False),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_no_proxy_names_the_hosts_that_need_none(
    buy: Buy,
    secure: RawServer,
    proxy: RawServer,
    injected: Injected,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    direct: bool,
) -> None:
    """Addresses, networks, everything; what is no host at all is ignored."""
    monkeypatch.setenv("HTTPS_PROXY", address_of(proxy))
    monkeypatch.setenv("NO_PROXY", value.format(port=secure.port))

    assert buy(secure).exit_code == 0

    assert secure.posts == 1
    injected((proxy.connections == 0) is direct, f"NO_PROXY={value}")


def saying(line: bytes) -> Script:
    """Return the script of a proxy that answers CONNECT with a status and no tunnel."""
    return lambda connection: connection.send(
        b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("name", "script", "message"),
    [
        ("407", saying(b"407 Proxy Authentication Required"),
         "the proxy refused to connect to 127.0.0.1 (407 Proxy Authentication Required)"),
        ("403", saying(b"403 Forbidden"),
         "the proxy refused to connect to 127.0.0.1 (403 Forbidden)"),
        ("502", saying(b"502 \x1b]0;title\x07"),
         "the proxy refused to connect to 127.0.0.1 (502"),
        ("close", Connection.close, "the proxy 127.0.0.1:{port} was not reached: no connection"),
        ("reset", Connection.reset, "the proxy 127.0.0.1:{port} was not reached"),
        ("not a proxy", lambda connection: connection.send(b"SSH-2.0-OpenSSH\r\n\r\n"),
         "the proxy 127.0.0.1:{port} was not reached: no connection"),
        ("silent", Connection.hang, "127.0.0.1 was not reached within 1 s"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_opens_no_way_has_cost_nothing(
    buy: Buy,
    secure: RawServer,
    injected: Injected,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    script: Script,
    message: str,
) -> None:
    """The message is about the proxy, and never holds its password."""
    with RawServer(scripts=[script]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", address_of(proxy))
        outcome = buy(secure, "--timeout", "1")

    assert require_failure(outcome, 7, "no").startswith(message.format(port=proxy.port))
    assert PASSWORD not in outcome.stderr
    if name != "silent":  # of which nobody can tell whether it is the proxy or the network
        assert "hint: check HTTPS_PROXY" in outcome.stderr
    assert secure.connections == 0
    injected(proxy.played == proxy.connections == 1, f"proxy: {name}")


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_is_not_there_is_named(
    buy: Buy,
    secure: RawServer,
    injected: Injected,
    sleeps: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the service, which nobody tried to reach."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")

    outcome = buy(secure)

    message = require_failure(outcome, 7, "no")
    assert message == f"the proxy 127.0.0.1:{port} was not reached: connection refused"
    assert "hint: check HTTPS_PROXY, which names it, or unset it" in outcome.stderr
    assert PASSWORD not in outcome.stderr
    injected(len(sleeps.sleeps) == 2 and secure.connections == 0, "proxy: refused")


def socks_address(port: int) -> str:
    """Return what a variable is set to, with a password."""
    return f"socks5://user:{PASSWORD}@127.0.0.1:{port}"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.usefixtures("trusted")
def test_a_socks_proxy_carries_what_it_cannot_read(
    buy: Buy, secure: RawServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """One image, one request, and no key in what it saw."""
    with SocksProxy() as proxy:
        monkeypatch.setenv(variable, socks_address(proxy.port))
        outcome = buy(secure)

    assert outcome.exit_code == 0, outcome.stderr
    assert secure.posts == 1
    assert proxy.asked >= 1
    assert KEY.encode() not in proxy.carried and b"authorization" not in proxy.carried.lower()


@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings("ignore:unclosed")  # the library leaves it to be collected
def test_a_socks_proxy_that_opens_no_way_has_cost_nothing(
    buy: Buy, secure: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its variable is named, its password is not."""
    with SocksProxy(reply=2) as proxy:  # not allowed by the ruleset
        monkeypatch.setenv("ALL_PROXY", socks_address(proxy.port))
        outcome = buy(secure)

    message = require_failure(outcome, 7, "no")
    assert message.startswith("the proxy refused to connect to 127.0.0.1 (Proxy Server could not")
    assert "hint: check ALL_PROXY, and the proxy's user and password" in outcome.stderr
    assert PASSWORD not in outcome.stderr
    gc.collect()
    injected(proxy.asked == 1 and secure.connections == 0, "SOCKS proxy: refused")


@pytest.mark.usefixtures("trusted")
def test_a_socks_proxy_that_is_not_there_is_named(
    buy: Buy, secure: RawServer, injected: Injected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the service."""
    with SocksProxy() as gone:
        pass
    monkeypatch.setenv("HTTPS_PROXY", socks_address(gone.port))

    outcome = buy(secure)

    message = require_failure(outcome, 7, "no")
    assert message == f"the proxy 127.0.0.1:{gone.port} was not reached: connection refused"
    assert "hint: check HTTPS_PROXY, which names it, or unset it" in outcome.stderr
    injected(gone.asked == 0 and secure.connections == 0, "SOCKS proxy: gone")


@pytest.mark.usefixtures("trusted")
def test_a_certificate_behind_a_proxy_is_the_services(
    buy: Buy,
    secure: RawServer,
    proxy: RawServer,
    injected: Injected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the tunnel stands, a failure is no longer the proxy's."""
    monkeypatch.setenv("HTTPS_PROXY", address_of(proxy))
    secure.tls = context_of(trustme.CA().issue_cert("127.0.0.1"))

    message = require_failure(buy(secure), 7, "no")

    assert message.startswith("127.0.0.1 was not reached: its certificate is not trusted")
    assert secure.posts == 0
    injected(secure.settled().failed_handshakes == 1, "bad certificate behind a proxy")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "garbage://{at}",
        "http://{at}:port",
        "socks4://{at}:1080",
        "http://[::1",
    ],
)
def test_a_proxy_setting_that_cannot_be_used_is_named(
    cli: Cli, injected: Injected, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Before any connection, and without the password in it."""
    monkeypatch.setenv(variable, value.format(at=f"user:{PASSWORD}@127.0.0.1"))

    with audited(NETWORK) as seen:
        outcome = cli(
            "images", "generate", "cat", "--base-url", "https://127.0.0.1:9/v1", "-a", KEY
        )

    message = require_failure(outcome, 3, "no")
    assert message == f"the proxy that {variable} names cannot be used"
    assert PASSWORD not in outcome.stderr
    injected(seen == [], f"{variable}={value}")
