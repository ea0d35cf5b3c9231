"""What this process asks of the system: the interpreter's own audit events, as a proof."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
PROCESSES = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")

_watched: dict[str, list[str]] = {}


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event in _watched:
        _watched[event].append(f"{event} {arguments[-1]!r}")


sys.addaudithook(_hear)  # which cannot be taken back, and is silent while nothing is watched


@contextmanager
def audited(events: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the list of the events that happen within, in any thread."""
    seen: list[str] = []
    _watched.update(dict.fromkeys(events, seen))
    try:
        yield seen
    finally:
        for event in events:
            del _watched[event]
