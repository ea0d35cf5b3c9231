"""One process at a time: a lock that the system takes back however its owner ends."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nscale_cli.storage.disk import OWNER_ONLY, is_at

_MAX_OWNER_BYTES = 100
_TRIES, _PAUSE_SECONDS = 3, 0.02
# Windows locks bytes against being read, too, so the locked one is far behind the owner's words.
_LOCKED_BYTE = 1 << 30


class Locked(Exception):
    """Another process holds the lock; `owner` is what it wrote about itself, or empty."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner


@contextmanager
def locked(path: Path, *, owner: str) -> Iterator[None]:
    """Hold the lock file `path`; raise Locked at once where another process does.

    The file stays afterwards, unless its owner removes it meanwhile. Raises OSError where it
    cannot be written.
    """
    descriptor = _open(path)
    try:
        while True:
            if not _take_soon(descriptor):
                raise Locked(_read(descriptor))
            if is_at(path, os.fstat(descriptor)):
                break
            # Its last owner removed it between our opening and our taking it.
            os.close(descriptor)
            descriptor = _open(path)
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, owner.encode())
        yield
    finally:
        os.close(descriptor)  # which lets the lock go


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), OWNER_ONLY)


def owner_of(path: Path) -> str | None:
    """Return who holds the lock file `path`, or None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return None
    try:
        return None if take(descriptor) else _read(descriptor)
    finally:
        os.close(descriptor)


def _take_soon(descriptor: int) -> bool:
    # Somebody who only asks `owner_of` holds it for an instant.
    for _ in range(_TRIES):
        if take(descriptor):
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def _read(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, _MAX_OWNER_BYTES).decode(errors="replace")


if sys.platform == "win32":

    def take(descriptor: int) -> bool:
        """Return whether the lock of an open file is this process's now."""
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def take(descriptor: int) -> bool:
        """Return whether the lock of an open file is this process's now."""
        import errno
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True
