"""Small files of the program's own: settings, keys, lists of models.

Each is replaced whole or not at all, for no other user to read. What is read, changed and written
is locked meanwhile.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from nscale_cli.storage.disk import CREATE, OWNER_ONLY, write_whole
from nscale_cli.storage.lock import take

_OWNER_ONLY_DIRECTORY = 0o700
_LOCK = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_MAX_LOCK_SECONDS = 30.0
_SLICE_SECONDS = 0.01


def replace_file(path: Path, data: bytes, *, keep_mode: bool = False) -> None:
    """Put `data` at `path`, at once; raise OSError where it cannot be done, with the old in place.

    The file is its owner's alone; with `keep_mode` an old one keeps its mode. A symbolic link to
    a file stays one; a link to anything else (a device, nothing at all) is itself replaced.
    """
    target = _target(path)
    _make_directory(target.parent)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, CREATE, OWNER_ONLY)
    try:
        try:
            write_whole(descriptor, data)
        finally:
            os.close(descriptor)
        if keep_mode and target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode) & 0o777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file at `path` against other programs that do so, too; raise OSError.

    The lock is on a file beside it, which stays: were it removed, the next two could each hold
    one of that name.
    """
    target = _target(path)
    _make_directory(target.parent)
    descriptor = os.open(target.with_name(f".{target.name}.lock"), _LOCK, OWNER_ONLY)
    try:
        _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # which also gives the lock back


def _wait_for_lock(descriptor: int) -> None:
    deadline = time.monotonic() + _MAX_LOCK_SECONDS
    while not take(descriptor):
        if time.monotonic() > deadline:
            raise OSError(None, "another program has it locked")
        time.sleep(_SLICE_SECONDS)


def _target(path: Path) -> Path:
    """Return what is to be replaced: the file behind a link, or what is at `path` itself."""
    return Path(os.path.realpath(path)) if path.is_file() else path


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=_OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Bring names that were given in `directory` to the disk, where the system can do that."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot, and need not
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
