"""One request to the service, as it happens."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nscale_cli.service.decode import decompress
from nscale_cli.service.replies import Reply

MAX_REPLY_BYTES = 128 * 1024 * 1024


@dataclass(slots=True)
class RequestState:
    """What is known of a request: written by the thread that makes it, read by the one that waits.

    `sent`: a byte of the request may have reached the service; `on_sent` is told when all of it
    is on its way. `arriving`: a successful reply has begun, which `on_reply` is told. Both are
    called from that other thread. `proxy`: the address of a proxy that has not opened the way to
    the service yet.
    """

    on_sent: Callable[[], None] = lambda: None
    on_reply: Callable[[], None] = lambda: None
    sent: bool = False
    receiving: bool = False
    proxy: str | None = None
    body: bytearray = field(default_factory=bytearray)
    content_encodings: str = ""
    reply: Reply | None = None
    failure: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def arrived(self) -> bytearray:
        """What has arrived of a successful reply, as far as it can be unpacked."""
        return decompress(self.body, self.content_encodings, limit=MAX_REPLY_BYTES)
