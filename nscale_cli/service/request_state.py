"""One request to the service, as it happens."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nscale_cli.service.content_encodings import decompress
from nscale_cli.service.replies import Reply

MAX_REPLY_BYTES = 128 * 1024 * 1024


def _nobody() -> None:
    """Tell nobody."""


@dataclass(slots=True)
class RequestState:
    """What is known of a request: written by the thread that makes it, read by others.

    `sent`: a byte of the request may have reached the service; `on_sent` is told when all of it
    is on its way. `receiving`: a successful reply has begun, which `on_reply` is told. Both are
    called from the thread of the request. `proxy`: the address of a proxy that has not opened the
    way to the service yet. `reply`: the whole answer.
    """

    on_sent: Callable[[], None] = _nobody
    on_reply: Callable[[], None] = _nobody
    sent: bool = False
    receiving: bool = False
    proxy: str | None = None
    body: bytearray = field(default_factory=bytearray)
    content_encodings: str = ""
    reply: Reply | None = None

    @property
    def arrived(self) -> bytearray:
        """What has arrived of a successful reply, as far as it can be decompressed."""
        # A copy, because the thread that makes the request may still be adding to it.
        return decompress(bytearray(self.body), self.content_encodings, limit=MAX_REPLY_BYTES)
