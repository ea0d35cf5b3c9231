"""What every whole file needs of the system: to be read with a bound, written to the last byte."""

import os
import select
import stat
import time
from pathlib import Path

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
CREATE |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
OWNER_ONLY = 0o600
# Without O_NONBLOCK, a FIFO that nobody writes to would be waited for.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_READ |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_PIECE_BYTES = 1024 * 1024


def read_bounded(path: Path, limit: int, *, wait_seconds: float = 0.0) -> bytes:
    """Return what is at `path`, but no more than `limit` bytes and one, which shows that it is.

    What is no regular file, such as a FIFO, is given `wait_seconds` to end; with none it is not
    read at all. Raises OSError.
    """
    descriptor = os.open(path, _READ)
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if not regular and not wait_seconds:
            raise OSError(None, "it is no regular file")
        deadline = time.monotonic() + wait_seconds
        data = bytearray()
        while len(data) <= limit:
            if not regular:
                _wait(descriptor, deadline)
            piece = os.read(descriptor, min(_PIECE_BYTES, limit + 1 - len(data)))
            if not piece:
                break
            data += piece
        return bytes(data)
    finally:
        os.close(descriptor)


def is_at(path: Path, state: os.stat_result) -> bool:
    """Return whether at `path` is the file that `state` is of."""
    try:
        return os.path.samestat(path.stat(), state)
    except FileNotFoundError:
        return False


def _wait(descriptor: int, deadline: float) -> None:
    """Return when there is something to read, or the end; raise OSError after the deadline."""
    readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
    if not readable:
        raise OSError(None, "nothing more came through it")


def write_whole(descriptor: int, data: bytes | bytearray) -> None:
    """Write `data` into a new file, and return when it is on the disk; raise OSError if not."""
    write_all(descriptor, data)
    if os.fstat(descriptor).st_size != len(data):
        raise OSError(None, "the file is shorter than what was written")
    os.fsync(descriptor)


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Write `data` to the last byte; raise OSError where it is not taken."""
    rest = memoryview(data)
    while rest:
        count = os.write(descriptor, rest)
        if not count:
            raise OSError(None, "it takes no more bytes")
        rest = rest[count:]
