"""One request to the service, as it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nscale_cli.service.replies import Reply


class Sink(Protocol):
    """Where the body of a reply of success goes as it arrives, from the thread of the request."""

    def begin(self, reply: Reply, content_encodings: str) -> None:
        """Take the status and the headers; the body comes in pieces."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes off the wire; raise NscaleError where they are not wanted."""

    def finish(self) -> bytes:
        """Take note that all is here; return the body if it is to be read as a whole."""


@dataclass(slots=True)
class RequestState:
    """What is known of a request: written by the thread that makes it, read by others.

    `may_send` is asked before the first byte; False: the request was given up meanwhile, and is
    not sent. `sent`: a byte of it may have reached the service; `on_sent` is told when all of it
    is on its way. `receiving`: a successful reply has begun, which `on_reply` is told, and its
    body goes to `sink`. Both are called from the thread of the request. `proxy`: the address of a
    proxy that has not opened the way to the service yet. `reply`: the whole answer.
    """

    may_send: Callable[[], bool] = lambda: True
    on_sent: Callable[[], None] = lambda: None
    on_reply: Callable[[], None] = lambda: None
    sink: Sink | None = None
    sent: bool = False
    receiving: bool = False
    proxy: str | None = None
    reply: Reply | None = None
