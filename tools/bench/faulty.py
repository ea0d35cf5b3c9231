"""A server in a process of its own with limits, pauses and faults, which counts what it answers.

Usage: python -m tools.bench.faulty SIZE AT_ONCE

Prints its address. When stdin ends it prints its counts as JSON, and ends. Of a hundred prompts
three fail, always the same ones: one is refused, one meets an error, one gets half a reply. Above
AT_ONCE requests under way it answers 429; after each BURST of requests it asks all to wait a
second; and at each STALL it answers nobody for two.
"""

import asyncio
import json
import random
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from tools.bench.replay import reply
from tools.bench.waiting import run

BURST, STALL, STALL_SECONDS = 500, 2500, 2.0
_FASTEST, _SLOWEST = 0.05, 0.25  # seconds
SAVED, CUT, REFUSED, FAILED, LIMITED = "saved", "cut", "refused", "failed", "limited"
_FAULTS = {0: REFUSED, 1: FAILED, 2: CUT}  # by a prompt's number of a hundred
_STATUS = {
    REFUSED: "400 Bad Request",
    FAILED: "500 Internal Server Error",
    LIMITED: "429 Too Many Requests",
}


@dataclass(slots=True, kw_only=True)
class _Service:
    """What all connections share, and the counts: of requests by answer, and by key."""

    image: bytes
    at_once: int
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    under_way: int = 0
    posts: int = 0
    stalled_until: float = 0.0
    answered: Counter[str] = field(default_factory=Counter)
    saved_by_prompt: Counter[str] = field(default_factory=Counter)

    def order(self, transport: asyncio.Transport, prompt: str) -> None:
        """Take a request, and answer it now or later."""
        self.posts += 1
        now = asyncio.get_running_loop().time()
        if self.posts % STALL == 0:
            self.stalled_until = now + STALL_SECONDS
        if self.posts % BURST == 0:
            self._answer(transport, LIMITED, "Retry-After: 1\r\n")
        elif self.under_way >= self.at_once:
            self._answer(transport, LIMITED)
        else:
            self.under_way += 1
            seconds = self.chance.uniform(_FASTEST, _SLOWEST) + max(0, self.stalled_until - now)
            asyncio.get_running_loop().call_later(seconds, self._finish, transport, prompt)

    def _finish(self, transport: asyncio.Transport, prompt: str) -> None:
        self.under_way -= 1
        fault = _FAULTS.get(zlib.crc32(prompt.encode()) % 100, SAVED)
        if fault == SAVED:
            self.saved_by_prompt[prompt] += 1
        self._answer(transport, fault)

    def _answer(self, transport: asyncio.Transport, what: str, header: str = "") -> None:
        self.answered[what] += 1
        body = self.image if what in (SAVED, CUT) else b'{"error": {"message": "a fault"}}'
        head = f"HTTP/1.1 {_STATUS.get(what, '200 OK')}\r\nContent-Type: application/json\r\n"
        head += f"{header}Content-Length: {len(body)}\r\n\r\n"
        transport.write(head.encode() + (body[: len(body) // 2] if what == CUT else body))
        if what == CUT:
            transport.close()

    def counts(self) -> dict[str, int]:
        """Return what was answered, and how many prompts got an image more than once."""
        twice = sum(count > 1 for count in self.saved_by_prompt.values())
        return {**self.answered, "posts": self.posts, "twice": twice}


class _Connection(asyncio.Protocol):
    """Reads one request after another. Prices are asked for by GET: it knows none."""

    def __init__(self, service: _Service) -> None:
        self._service, self._received = service, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-le")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        if not found or len(body) < length:
            return
        self._received = b""
        if head.startswith(b"POST "):
            self._service.order(self._transport, str(json.loads(body)["prompt"]))
        else:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")


async def _serve(service: _Service) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(service.counts()))


@dataclass(slots=True)
class FaultyServer:
    """The server's address; once it has ended, its counts."""

    base_url: str
    counts: dict[str, int] = field(default_factory=dict)


@contextmanager
def faulty(size: str, at_once: int) -> Iterator[FaultyServer]:
    """Yield a server process that takes so many requests at once."""
    command = [sys.executable, "-m", "tools.bench.faulty", size, str(at_once)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        server = FaultyServer(process.stdout.readline().strip())
        yield server
        process.stdin.close()
        server.counts = json.loads(process.stdout.read())


if __name__ == "__main__":
    run(_serve(_Service(image=reply(sys.argv[1], 1), at_once=int(sys.argv[2]))))
