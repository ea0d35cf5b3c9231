"""A server in a process of its own that repeats stored replies: never what is measured.

Usage: python -m tools.bench.replay   (prints one address for each of LATENCIES; ends with stdin)
"""

import base64
import io
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL import Image

from nscale_cli.sandbox.scenarios import Answer
from nscale_cli.sandbox.server import ReceivedRequest, Sandbox

LATENCIES = (0.0, 0.5)  # seconds
# Noise in three bits of each colour makes a file as large as a photograph's.
_NOISE = bytes(value & 7 for value in range(256))


class Replay(Sandbox):
    """Draws each size once, then only repeats itself."""

    def __init__(self, latency_seconds: float, replies: dict[tuple[str, int], bytes]) -> None:
        """Answer after `latency_seconds`, with what is in `replies` or comes to be."""
        super().__init__()
        self._latency, self._replies, self._lock = latency_seconds, replies, threading.Lock()

    def answer(self, request: ReceivedRequest) -> Answer:
        """Return the stored reply of that size and number."""
        if request.method != "POST":
            return super().answer(request)
        asked = json.loads(request.body)
        key = (asked["size"], asked["n"])
        with self._lock:
            if key not in self._replies:
                self._replies[key] = reply(*key)
        return Answer(body=self._replies[key], delay_seconds=self._latency)


def reply(size: str, count: int) -> bytes:
    """Return a reply with `count` pictures of that size."""
    width, height = map(int, size.split("x"))
    noise = random.Random(1).randbytes(width * height * 3).translate(_NOISE)
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(file, "PNG", compress_level=1)
    item = {"b64_json": base64.b64encode(file.getvalue()).decode()}
    return json.dumps({"created": 1, "data": [item] * count}).encode()


@contextmanager
def serving() -> Iterator[list[str]]:
    """Yield the base URLs of a server process, one for each of LATENCIES."""
    command = [sys.executable, "-m", "tools.bench.replay"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        yield [server.stdout.readline().strip() for _ in LATENCIES]
        server.stdin.close()


def main() -> None:
    """Serve until standard input ends."""
    replies: dict[tuple[str, int], bytes] = {}
    with ExitStack() as stack:
        for latency in LATENCIES:
            print(stack.enter_context(Replay(latency, replies)).base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
