"""A server in a process of its own whose every answer takes as long, however many wait for one.

Usage: python -m tools.bench.waiting SECONDS SIZE   (prints its address; ends with stdin)
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from tools.bench.replay import reply

try:
    import uvloop

    run = uvloop.run
except ImportError:  # there is none for Windows
    run = asyncio.run

_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"


class _Connection(asyncio.Protocol):
    """Answers each POST after a while with the same bytes, and all else at once with 404."""

    def __init__(self, seconds: float, answer: bytes) -> None:
        self._seconds, self._answer, self._received = seconds, answer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._received = b""
        if head.startswith(b"POST "):
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds, self._transport.write, self._answer)
        else:
            self._transport.write(_NOT_FOUND)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(seconds: float, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answer = head.encode() + b"\r\n" + body
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(seconds, answer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def waiting(seconds: float, size: str) -> Iterator[str]:
    """Yield the base URL of a server process that answers after so many seconds."""
    command = [sys.executable, "-m", "tools.bench.waiting", str(seconds), size]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


if __name__ == "__main__":
    run(_serve(float(sys.argv[1]), reply(sys.argv[2], 1)))
