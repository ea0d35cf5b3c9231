"""A server in a process of its own whose every answer takes as long, however many wait for one.

Usage: python -m tools.bench.waiting SECONDS SIZE COUNT AT_ONCE

Prints its address; ends with stdin. Where AT_ONCE is not 0, it answers 429 at once while so many
wait already.
"""

import asyncio
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from tools.bench.replay import reply

try:
    import uvloop

    run = uvloop.run
except ImportError:  # there is none for Windows
    run = asyncio.run

_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
_TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True, kw_only=True)
class _Service:
    """What all connections share: how long an answer takes, what it is, and how many wait."""

    seconds: float
    answer: bytes
    at_once: float
    under_way: int = 0

    def order(self, transport: asyncio.Transport) -> None:
        if self.under_way >= self.at_once:
            transport.write(_TOO_MANY)
            return
        self.under_way += 1
        asyncio.get_running_loop().call_later(self.seconds, self._answer, transport)

    def _answer(self, transport: asyncio.Transport) -> None:
        self.under_way -= 1
        transport.write(self.answer)


class _Connection(asyncio.Protocol):
    """Answers each POST after a while with the same bytes, and all else at once with 404."""

    def __init__(self, service: _Service) -> None:
        self._service, self._received = service, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._received = b""
        if head.startswith(b"POST "):
            self._service.order(self._transport)
        else:
            self._transport.write(_NOT_FOUND)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(seconds: float, body: bytes, at_once: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answer = head.encode() + b"\r\n" + body
    service = _Service(seconds=seconds, answer=answer, at_once=at_once or math.inf)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def waiting(seconds: float, size: str, count: int = 1, at_once: int = 0) -> Iterator[str]:
    """Yield the base URL of a server process that answers after so many seconds."""
    command = [sys.executable, "-m", "tools.bench.waiting"]
    with subprocess.Popen(
        [*command, *map(str, (seconds, size, count, at_once))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


if __name__ == "__main__":
    run(_serve(float(sys.argv[1]), reply(sys.argv[2], int(sys.argv[3])), int(sys.argv[4])))
