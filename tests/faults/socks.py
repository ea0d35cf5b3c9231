"""A SOCKS5 proxy on loopback, as RFC 1928 and 1929 have it, that carries or refuses."""

import contextlib
import select
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self

_VERSION, _PASSWORD, _CONNECT = 5, 2, 1
_NO_ADDRESS = bytes([1, 0, 0, 0, 0, 0, 0])  # IPv4, nothing, port 0


class SocksProxy:
    """Counts its connections; `reply` is the code it answers CONNECT with, 0 for a way."""

    def __init__(self, *, reply: int = 0) -> None:
        """Take a port; nothing is answered yet."""
        self.reply, self.asked, self.carried = reply, 0, bytearray()
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                proxy.answer(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, client: socket.socket) -> None:
        """Speak with one client."""
        with contextlib.suppress(OSError):
            client.recv(64)  # the methods that it offers
            client.sendall(bytes([_VERSION, _PASSWORD]))
            client.recv(512)  # user and password
            client.sendall(bytes([1, 0]))
            request = client.recv(512)
            assert request[:2] == bytes([_VERSION, _CONNECT])
            self.asked += 1
            client.sendall(bytes([_VERSION, self.reply, 0]) + _NO_ADDRESS)
            if self.reply == 0:
                self._carry(client, int.from_bytes(request[-2:]))

    def _carry(self, client: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as far:
            ends = {client: far, far: client}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    self.carried += data
                    ends[end].sendall(data)
