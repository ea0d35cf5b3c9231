"""The fault server itself: it ends with its test, and says so where it cannot."""

import itertools
import socket
import threading

import pytest

from tests.faults import raw_server
from tests.faults.gates import until
from tests.faults.raw_server import HOST, Connection, RawServer

_HOURS = 10_000.0
_REQUEST = b"POST /v1/images/generations HTTP/1.1\r\n\r\n"


def _drip(connection: Connection) -> None:
    connection.drip(itertools.repeat(b"x"), _HOURS)


def _asking(server: RawServer) -> socket.socket:
    """Return a client that has got the first byte of its answer."""
    client = socket.create_connection((HOST, server.port))
    client.sendall(_REQUEST)
    assert client.recv(1) == b"x"
    return client


def test_every_test_of_this_folder_is_marked(request: pytest.FixtureRequest) -> None:
    """So that `make test-fast` leaves it out."""
    assert request.node.get_closest_marker("fault")


def test_a_client_that_goes_away_ends_a_drip_at_once() -> None:
    """Not after the pause between two pieces."""
    with RawServer(scripts=[_drip]) as server:
        _asking(server).close()

        server.settled()


def test_the_end_of_a_test_ends_a_drip_at_once() -> None:
    """Also where the client stays, as a thread does that cannot be stopped."""
    with RawServer(scripts=[_drip]) as server:
        client = _asking(server)

    assert client.recv(1) == b""
    client.close()


def test_the_end_of_a_test_ends_the_wait_for_a_next_request() -> None:
    """A script may have ended, and its client may hold the connection still."""
    with RawServer(scripts=[lambda connection: connection.send(b"x")]) as server:
        client = _asking(server)

    assert client.recv(1) == b""
    client.close()


def test_a_script_that_does_not_end_fails_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on into the tests that follow."""
    monkeypatch.setattr(raw_server, "_MAX_JOIN_SECONDS", 0.1)
    let_go = threading.Event()
    server = RawServer(scripts=[lambda _: let_go.wait(60) and None]).__enter__()
    client = socket.create_connection((HOST, server.port))
    client.sendall(_REQUEST)
    until(lambda: server.played)

    with pytest.raises(AssertionError, match="does not end"):
        server.__exit__()

    let_go.set()
    client.close()
