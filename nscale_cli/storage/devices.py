"""Devices and FIFOs as places for images: they are written to as they are, and never replaced."""

import errno
import os
import select
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nscale_cli.storage.names import Target

MAX_STANDSTILL_SECONDS = 30.0  # of a device or pipe that takes no byte
DEVICE_DIRECTORIES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def goes_to_device(target: Target) -> bool:
    """Return whether `target` is a character device or a FIFO, which is written to as it is.

    Only the very name that the user gave can be that: anywhere else a FIFO is a taken name.
    """
    if not target.is_one_name:
        return False
    path = target.path(index=1, image_format="png", sha256="")
    # A link is followed only where the system keeps its own (/dev/stdout): anybody else may have
    # put it there while the image was being made.
    try:
        mode = (path.stat() if path.parent in DEVICE_DIRECTORIES else path.lstat()).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def write_device(pieces: Iterable[bytes | bytearray], device: Path) -> None:
    """Write to a device or a FIFO that is there; raise OSError if it does not take all of it.

    A FIFO that nobody reads fails at once, one whose reader stands still after a while.
    """
    descriptor = os.open(device, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                _wait_until_writable(descriptor)
                with suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _wait_until_writable(descriptor: int) -> None:
    if sys.platform == "win32":  # where nothing was opened without waiting
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(MAX_STANDSTILL_SECONDS * 1000):
        raise TimeoutError(errno.ETIMEDOUT, f"it took nothing for {MAX_STANDSTILL_SECONDS:g} s")
