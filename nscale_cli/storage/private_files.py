"""Small files of the program's own: settings, keys, lists of models.

Each is replaced whole or not at all, for no other user to read. What is read, changed and written
is locked meanwhile.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from nscale_cli.errors import ConfigurationError
from nscale_cli.redact import excerpt
from nscale_cli.storage.disk import CREATE, OWNER_ONLY, write_whole
from nscale_cli.storage.lock import wait_for

_OWNER_ONLY_DIRECTORY = 0o700
_LOCK = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_MAX_LOCK_SECONDS = 60.0
_MAX_LINKS = 40


def replace_file(path: Path, data: bytes, *, keep_mode: bool = False) -> None:
    """Put `data` at `path`, at once; raise OSError where it cannot be done, with the old in place.

    The file is this user's alone; with `keep_mode` a file of this user keeps its mode. A link to
    a file stays one, if this user or root made it; one to anything else is itself replaced. What
    is no regular file (a device, a FIFO) is not.
    """
    target = _target(path)
    _make_directory(target.parent)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, CREATE, OWNER_ONLY)
    try:
        try:
            write_whole(descriptor, data)
            if keep_mode:
                _copy_mode(target, descriptor)
        finally:
            os.close(descriptor)
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
        wait_for(descriptor, _MAX_LOCK_SECONDS)
        yield
    finally:
        os.close(descriptor)  # which also gives the lock back


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold the file as `locked` does; raise ConfigurationError where it cannot be written."""
    try:
        with locked(path):
            yield
    except OSError as error:
        raise ConfigurationError(
            f"{excerpt(str(path))} cannot be written: {error.strerror}"
        ) from None


def _make_directory(directory: Path) -> None:
    directory.mkdir(mode=_OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Bring names that were given in `directory` to the disk, where the system can do that."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot, and need not
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":  # where a user's own directories are closed to others

    def is_private(_path: Path) -> bool:
        """Return whether no other user can read the file."""
        return True

    def _copy_mode(_source: Path, _descriptor: int) -> None:
        """Do nothing: there are no modes."""

    def _target(path: Path) -> Path:
        """Return what is to be replaced: the file behind a link, or what is at `path` itself."""
        return Path(os.path.realpath(path)) if path.is_file() else path

else:

    def is_private(path: Path) -> bool:
        """Return whether no other user can read the file."""
        state = path.stat()
        return _is_trusted(state) and not state.st_mode & 0o077

    def _copy_mode(source: Path, descriptor: int) -> None:
        """Give the open file the mode of this user's own `source`, if that is there."""
        if source.is_file() and source.stat().st_uid == os.geteuid():
            os.fchmod(descriptor, source.stat().st_mode & 0o777)

    def _target(path: Path) -> Path:
        """Return what is to be replaced: the file behind a link, or what is at `path` itself."""
        path = path.absolute()
        target = _followed(path) if path.is_file() else _followed(path.parent) / path.name
        try:
            mode = target.lstat().st_mode  # asked once: it may come and go meanwhile
        except (OSError, ValueError):
            return target
        if not (stat.S_ISLNK(mode) or stat.S_ISREG(mode)):
            raise OSError(None, "it is no regular file")
        return target

    def _followed(path: Path) -> Path:
        """Return `path` with its links followed; raise OSError at one that a stranger made."""
        done, rest, links = Path(path.anchor), [*reversed(path.parts[1:])], 0
        while rest:
            here = done / rest.pop()
            if not here.is_symlink():
                done = here
                continue
            links += 1
            if not _is_trusted(here.lstat()):
                raise PermissionError(None, f"the link {here} belongs to another user")
            if links > _MAX_LINKS:
                raise OSError(None, "too many links")
            to = here.readlink()
            done = Path(to.anchor) if to.is_absolute() else done
            rest += reversed(to.parts[1:] if to.is_absolute() else to.parts)
        return done

    def _is_trusted(state: os.stat_result) -> bool:
        """Return whether what it is of is this user's, or root's, who may do anything anyway."""
        return state.st_uid in (os.geteuid(), 0)
