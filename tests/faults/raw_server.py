"""A server on a raw loopback socket that can break HTTP in any way, and counts what reached it."""

import contextlib
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
_MAX_DRIP_SECONDS = 60.0
_MAX_JOIN_SECONDS = 10.0


@dataclass(slots=True)
class Received:
    """A request as it came off the wire. `body` is whole, by its Content-Length."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        """The request line's first word."""
        return self.head.split(b" ", 1)[0].decode("latin-1")

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None


class Connection:
    """One accepted connection, with the words in which a fault is written."""

    def __init__(self, client: socket.socket, stopping: threading.Event) -> None:
        """Take the socket over."""
        self._client, self._stopping = client, stopping

    def send(self, data: bytes) -> None:
        """Send bytes; a client that has gone is fine."""
        with contextlib.suppress(OSError):
            self._client.sendall(data)

    def drip(self, pieces: Iterator[bytes], pause_seconds: float) -> None:
        """Send the pieces one by one until the client goes away, which ends a pause at once."""
        end = time.monotonic() + _MAX_DRIP_SECONDS
        with contextlib.suppress(OSError):
            for piece in pieces:
                self._client.sendall(piece)
                if self._has_gone(pause_seconds) or time.monotonic() > end:
                    return

    def _has_gone(self, pause_seconds: float) -> bool:
        """Pause, and return early and True where the client, or the test, has ended."""
        spoke, _, _ = select.select([self._client], [], [], pause_seconds)
        return self._stopping.is_set() or (bool(spoke) and not self._client.recv(65536))

    def hang(self) -> None:
        """Say nothing until the client goes away or the test ends."""
        with contextlib.suppress(OSError):
            self._client.settimeout(0.05)
            while not self._stopping.is_set():
                try:
                    if not self._client.recv(65536):
                        return
                except TimeoutError:
                    continue

    def tunnel(self, port: int) -> None:
        """Pass bytes on between the client and a port of this machine until one side ends."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)) as far:
            ends = {self._client: far, far: self._client}
            while not self._stopping.is_set():
                for end in select.select(list(ends), [], [], 0.05)[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    def pause(self, seconds: float) -> None:
        """Let what was sent reach the other side."""
        self._stopping.wait(seconds)

    def wait_until_read(self) -> None:
        """Return when the program has read all that was sent."""
        if sys.platform != "linux":
            self.pause(0.5)
            return
        ports = [
            f"{end[1]:04X}" for end in (self._client.getpeername(), self._client.getsockname())
        ]
        unread = True
        while unread and not self._stopping.wait(0.01):
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            queues = [row[4] for row in rows if [end.split(":")[1] for end in row[1:3]] == ports]
            unread = any(not queue.endswith(":00000000") for queue in queues)

    def untaken(self) -> int:
        """Return how many bytes that were sent the other side's system has not taken yet."""
        import fcntl
        import termios

        count = bytearray(struct.calcsize("i"))
        fcntl.ioctl(self._client.fileno(), termios.TIOCOUTQ, count)  # Linux: SIOCOUTQ
        return int(struct.unpack("i", count)[0])

    def close(self) -> None:
        """End the connection with a FIN."""
        self._client.close()

    def reset(self) -> None:
        """End the connection with an RST in place of a FIN."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()


Script = Callable[[Connection], None]


@dataclass(slots=True)
class RawServer:
    """Answers the n-th request with the n-th script; the last one stays. `tls` makes it https.

    Questions for the list of models are no part of the script: each is answered by `models`.
    """

    port: int = 0
    tls: ssl.SSLContext | None = None
    scripts: list[Script] = field(default_factory=list)
    models: Script = field(default_factory=lambda: _no_models)
    requests: list[Received] = field(default_factory=list)
    queries: list[Received] = field(default_factory=list)
    connections: int = 0
    failed_handshakes: int = 0
    played: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket = field(init=False)
    _clients: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Listen on `port`, or on a free one."""
        self._listener = socket.create_server((HOST, self.port), backlog=64)
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        """The address to give to --base-url."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{HOST}:{self.port}/v1"

    @property
    def posts(self) -> int:
        """How many requests could have been billed."""
        return sum(request.method == "POST" for request in self.requests)

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._start(self._accept)
        return self

    def __exit__(self, *failure: object) -> None:
        """End every connection, and see that its thread ends."""
        self.stopping.set()
        _join(self._threads[:1])  # from here on no connection is added
        self._listener.close()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads, writes or pauses
        _join(self._threads[1:])

    def settled(self) -> Self:
        """Return the server once every connection that a client has left is done with."""
        with self._starting:
            threads = self._threads[1:]
        _join(threads)
        return self

    def script_for(self, request: Received) -> Script:
        """Take note of a request and return how it is answered."""
        self.requests.append(request)
        return self.scripts[min(len(self.requests), len(self.scripts)) - 1]

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._starting:
            self._threads.append(thread)
            thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                client, _ = self._listener.accept()
                self.connections += 1
                self._start(self._serve, self._opened(client))

    def _opened(self, accepted: socket.socket) -> socket.socket:
        """Return the connection, which `__exit__` can end; its TLS handshake is still to come."""
        accepted.settimeout(_MAX_DRIP_SECONDS)
        client = (
            self.tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
            if self.tls
            else accepted
        )
        self._clients.append(client)
        return client

    def _is_secure(self, client: socket.socket) -> bool:
        """Return whether the TLS handshake succeeded, where there is to be one."""
        try:
            if isinstance(client, ssl.SSLSocket):
                client.do_handshake()
        except OSError:
            self.failed_handshakes += 1
            return False
        return True

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if not self._is_secure(client):
                return
            while (request := read_request(client)) is not None:
                if request.head.startswith(b"GET /v1/models "):
                    self.queries.append(request)
                    self.models(Connection(client, self.stopping))
                    return
                script = self.script_for(request)
                self.played += 1
                script(Connection(client, self.stopping))


def _join(threads: list[threading.Thread]) -> None:
    """Wait for the threads, and fail where one does not end: it would act in a later test."""
    for thread in threads:
        thread.join(_MAX_JOIN_SECONDS)
        assert not thread.is_alive(), "a connection of the server does not end"


def _no_models(connection: Connection) -> None:
    connection.send(response(b"{}", 404, "Connection: close"))


def read_request(client: socket.socket) -> Received | None:
    """Read one whole request, or None where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(Received(head, b"").header("content-length") or 0)
    while len(body) < length:
        piece = client.recv(65536)
        if not piece:
            return None
        body += piece
    return Received(head, body)


def response(
    body: bytes = b"", status: int = 200, *headers: str, content_type: str = "application/json"
) -> bytes:
    """Return a well-formed HTTP/1.1 response."""
    lines = [
        f"HTTP/1.1 {status} Status",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answers(
    body: bytes = b"", status: int = 200, *headers: str, content_type: str = "application/json"
) -> Script:
    """Return the script that sends a well-formed response."""
    data = response(body, status, *headers, content_type=content_type)
    return lambda connection: connection.send(data)


class CountedPieces(Iterator[bytes]):
    """The same bytes without end, and how often they were asked for."""

    def __init__(self, piece: bytes) -> None:
        """Start at none."""
        self.sent, self._piece = 0, piece

    def __next__(self) -> bytes:
        """Return the piece once more."""
        self.sent += 1
        return self._piece


def pouring(head: bytes, pieces: Iterable[bytes] = ()) -> Script:
    """Return the script that sends pieces as fast as they are taken, and ends the connection."""

    def script(connection: Connection) -> None:
        connection.send(head)
        connection.drip(iter(pieces), 0)
        connection.close()

    return script
