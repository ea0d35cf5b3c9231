"""A service that knows of each order what it sent, and how much of that had arrived when."""

import contextlib
import functools
import json
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.conftest import as_base64, photo, reply_of
from tests.faults.raw_server import Connection, RawServer, Received, Script, response

_PIECES = 24
_AFTER_HEADER = 33  # of a PNG: its signature and its IHDR chunk


@functools.cache
def picture(name: str) -> bytes:
    """Return a PNG of some 240 kB unlike any of another name."""
    chunk = b"tEXtComment\0" + name.encode()
    checked = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return photo()[:_AFTER_HEADER] + checked + photo()[_AFTER_HEADER:]


@dataclass(slots=True)
class Sale:
    """One order and its reply, `sent` bytes of which are sent and, as last seen, `taken` taken."""

    prompt: str
    key: str
    images: list[bytes]
    reply: bytes
    connection: Connection | None = None
    sent: int = 0
    taken: int = 0

    @classmethod
    def of(cls, request: Received) -> "Sale":
        """Return what is sold to whoever asks so."""
        asked = json.loads(request.body)
        prompt = asked["prompt"]
        images = [picture(f"{prompt} {number}") for number in range(asked["n"])]
        reply = response(reply_of(*({"b64_json": as_base64(image)} for image in images)))
        key = request.header("idempotency-key") or ""
        return cls(prompt=prompt, key=key, images=images, reply=reply)

    @property
    def begun(self) -> bool:
        """Whether the reply is under way, and so the order is billed."""
        return self.sent > 0

    def ends(self) -> Iterator[int]:
        """Yield after how many bytes of the reply each image is whole."""
        for image in self.images:
            text = as_base64(image).encode()
            yield self.reply.index(text) + len(text)

    def arrived(self) -> list[bytes]:
        """Return the images that the client's system has taken over whole by now, or more."""
        if self.connection is None:
            return []
        sent = self.sent  # before the look at what is on its way, so that this is never too much
        with contextlib.suppress(OSError, ValueError):  # the client has gone
            self.taken = sent - self.connection.untaken()
        ends = zip(self.images, self.ends(), strict=True)
        return [image for image, end in ends if end <= self.taken]

    def send(self, connection: Connection, *, until: int | None = None, seconds: float = 0) -> None:
        """Send the reply, or its first `until` bytes, in pieces that take so long in all."""
        self.connection = connection
        data = self.reply[:until]
        step = max(1, len(data) // _PIECES)
        for start in range(self.sent, len(data), step):
            connection.pause(seconds / _PIECES)
            piece = data[start : start + step]
            connection.send(piece)
            self.sent += len(piece)


Serve = Callable[[Sale, Connection], None]


@dataclass(slots=True)
class Shop(RawServer):
    """Sells to everybody, each order as `serve` says."""

    serve: Serve = field(default=lambda sale, connection: sale.send(connection))
    sales: list[Sale] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_under_way: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def script_for(self, request: Received) -> Script:
        """Open a sale, and count how many are open at once."""
        self.requests.append(request)
        sale = Sale.of(request)
        self.sales.append(sale)
        self.attempts[sale.prompt] += 1
        return lambda connection: self._sell(sale, connection)

    def _sell(self, sale: Sale, connection: Connection) -> None:
        with self._counting:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.serve(sale, connection)
        finally:
            with self._counting:
                self.under_way -= 1


def whole_in(folder: Path, image: bytes) -> list[Path]:
    """Return the files below `folder` that hold the image: as it is, or within a kept reply."""
    text = as_base64(image).encode()
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if data == image or (path.suffix == ".json" and text in data):
                found.append(path)
    return found
