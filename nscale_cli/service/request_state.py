"""One request to the service, as it happens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from nscale_cli.service.content_encodings import decompress
from nscale_cli.service.replies import Reply
from nscale_cli.service.reply_stream import MAX_TEXT_BYTES, too_large


class Sink(Protocol):
    """Where the body of a reply of success goes as it arrives, from the thread of the request."""

    def begin(self, reply: Reply, content_encodings: str) -> None:
        """Take the status and the headers; the body comes in pieces."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes off the wire; raise NscaleError where they are not wanted."""

    def finish(self) -> bytes:
        """Take note that all is here; return the body if it is to be read as a whole."""


class WholeBody:
    """A sink that keeps the body in memory, for what is small."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._content_encodings = ""

    def begin(self, reply: Reply, content_encodings: str) -> None:
        """Take the headers."""
        del reply
        self._content_encodings = content_encodings

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._body += chunk
        if len(self._body) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)

    def finish(self) -> bytes:
        """Return all of it, unpacked."""
        body = decompress(self._body, self._content_encodings, limit=MAX_TEXT_BYTES + 1)
        if len(body) > MAX_TEXT_BYTES:
            raise too_large(MAX_TEXT_BYTES)
        return bytes(body)


@dataclass(slots=True)
class RequestState:
    """What is known of a request: written by the thread that makes it, read by others.

    `sent`: a byte of the request may have reached the service; `on_sent` is told when all of it
    is on its way. `receiving`: a successful reply has begun, which `on_reply` is told, and its
    body goes to `sink`. Both are called from the thread of the request. `proxy`: the address of a
    proxy that has not opened the way to the service yet. `reply`: the whole answer.
    """

    on_sent: Callable[[], None] = lambda: None
    on_reply: Callable[[], None] = lambda: None
    sink: Sink = field(default_factory=WholeBody)
    sent: bool = False
    receiving: bool = False
    proxy: str | None = None
    reply: Reply | None = None
