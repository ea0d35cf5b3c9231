"""One process at a time: locks that the system takes back however their owners end."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nscale_cli.storage.disk import OWNER_ONLY, is_at

_MAX_OWNER_BYTES = 100
_TRIES, _PAUSE_SECONDS = 3, 0.02
_FIRST_SLICE_SECONDS, _MAX_SLICE_SECONDS = 0.005, 0.25
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


def wait_for(descriptor: int, max_seconds: float, *, shared: bool = False) -> None:
    """Return when the lock of an open file is this process's; raise OSError if it never is."""
    deadline, seconds = time.monotonic() + max_seconds, _FIRST_SLICE_SECONDS
    while not take(descriptor, shared=shared):
        if time.monotonic() > deadline:
            raise OSError(None, "another program has it locked")
        time.sleep(seconds)
        # Many that wait must not be in the way of the one that has it.
        seconds = min(2 * seconds, _MAX_SLICE_SECONDS)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), OWNER_ONLY)


@contextmanager
def directory_locked(directory: Path, max_seconds: float, *, shared: bool) -> Iterator[None]:
    """Hold a directory against others that do so, unless all of them share it; leave no file.

    Where that cannot be done (Windows, some file systems of a network, another program that has
    it for longer than `max_seconds`), nothing is held.
    """
    descriptor = None
    try:
        with suppress(OSError):
            descriptor = os.open(directory, os.O_RDONLY)
            wait_for(descriptor, max_seconds, shared=shared)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


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

    def take(descriptor: int, *, shared: bool = False) -> bool:  # noqa: ARG001 - as elsewhere
        """Return whether the lock of an open file is this process's now; none is shared."""
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def take(descriptor: int, *, shared: bool = False) -> bool:
        """Return whether the lock of an open file is this process's now, alone or shared."""
        import errno
        import fcntl

        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True
