"""One file on the disk: written beside its name, whole before it gets it, and never torn.

The order is: a temporary file in the target's own directory, written, measured and synced; then
its final name, given without replacing; then the directory is synced. The last whole copy is
never deleted.
"""

import errno
import mmap
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from nscale_cli.storage.devices import DEVICE_DIRECTORIES
from nscale_cli.storage.disk import CREATE, write_all
from nscale_cli.storage.names import candidates
from nscale_cli.storage.private_files import sync_directory

_MAX_NUMBERED_NAMES = 100_000
_READ_BYTES = 1 << 20
_NO_REPLACING = 1  # RENAME_NOREPLACE, of Linux's renameat2
_unfinished: "set[PartFile]" = set()  # the files of saves under way
_leaving = threading.Lock()  # held by whoever removes a temporary file, or decides that it stays


class PartFile:
    """A file that is written in pieces under no name of its own, until it is whole and given one.

    Each method raises OSError where the disk fails. `is_whole` says that all of it is on disk, if
    not yet safe from a power cut.
    """

    def __init__(self, directory: Path, *, label: str = "", is_trial: bool = False) -> None:
        """Create an empty file in `directory` that no other program uses.

        By its `label` it is told from others after a crash. A trial never stays.
        """
        label, ending = f"{label}." if label else "", "trial" if is_trial else "part"
        self.path = directory / f".{label}{os.urandom(6).hex()}.{ending}"
        self._is_trial = is_trial
        self.byte_count = 0
        self.is_whole = False
        self._name: Path | None = None  # the final one
        self._stays = False
        self._descriptor: int | None = None
        _unfinished.add(self)
        try:
            self._descriptor = os.open(self.path, CREATE, 0o666)
        except OSError:
            _unfinished.discard(self)
            raise

    def write(self, piece: bytes | bytearray) -> None:
        """Add all of `piece`, and see that the disk has as much as was written."""
        assert self._descriptor is not None
        write_all(self._descriptor, piece)
        self.byte_count += len(piece)
        self._measure()

    def _measure(self) -> None:
        # A disk that claims more than it did is found out while the bytes can still be written
        # somewhere else.
        assert self._descriptor is not None
        if os.fstat(self._descriptor).st_size != self.byte_count:
            raise OSError(None, "the file is shorter than what was written")

    def complete(self) -> None:
        """Sync and close the file: from now on it is a whole copy."""
        if self._descriptor is None:
            return
        try:
            self._measure()
            self.is_whole = not self._is_trial
            os.fsync(self._descriptor)
        finally:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def publish(
        self, wanted: Path, *, replace: bool, numbered: bool, warn: Callable[[str], None]
    ) -> Path:
        """Give the whole file its final name, and return that.

        `replace`: an existing file gives way, at one instant. `numbered`: where the name is taken,
        the next free of `stem-2`, `stem-3` and so on is used. `warn` is told what could not be
        cleared away.
        """
        names = islice(candidates(wanted), _MAX_NUMBERED_NAMES) if numbered else [wanted]
        if replace:
            require_replaceable(wanted)
            self.path.replace(wanted)
            path = wanted
        else:
            path = _take_first_free(self.path, names)
        self._name = path
        self.discard()
        if os.path.lexists(self.path) and not self._stays:
            warn(f"{self.path}, a second copy of {path.name}, could not be removed")
        with suppress(OSError):  # its name is given; only a power cut could take it back
            sync_directory(path.parent)
        return path

    def read(self) -> Iterator[bytes]:
        """Yield what was written, in pieces, from the disk."""
        if self._descriptor is None:
            with (self._name or self.path).open("rb") as file:
                yield from iter(lambda: file.read(_READ_BYTES), b"")
            return
        position = 0
        while position < self.byte_count:
            # Behind that, there may be a part of what could not be written.
            length = min(_READ_BYTES, self.byte_count - position)
            piece = _read_at(position, length, self._descriptor)
            if not piece:
                raise OSError(None, "the file is shorter than what was written")
            position += len(piece)
            yield piece

    def mapped(self) -> mmap.mmap:
        """Return what was written as memory that the disk backs; only until it is complete."""
        assert self._descriptor is not None
        return mmap.mmap(self._descriptor, self.byte_count, access=mmap.ACCESS_READ)

    def leave(self) -> Path:
        """Return where the file is: under its name, or it stays, as the last whole copy."""
        with _leaving:
            if self._name is not None:
                return self._name
            self._stays = True
            _unfinished.discard(self)
        return self.path

    def discard(self) -> None:
        """Remove the file, unless somebody has been told that it is the last copy."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)
        with _leaving:
            if not self._stays:
                remove_quietly(self.path)
            _unfinished.discard(self)


def parts_in(directory: Path) -> dict[str, list[Path]]:
    """Return the labelled files in `directory` that were never given a name, by their labels."""
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            label, _, ending = entry.name.removeprefix(".").rpartition(".")[0].rpartition(".")
            if entry.name.startswith(".") and entry.name.endswith(".part") and label and ending:
                found.setdefault(label, []).append(Path(entry.path))
    return found


def publish_left(part: Path, wanted: Path) -> Path:
    """Give a whole file that a crash left without a name the first free of `wanted` and so on.

    Raises OSError where it cannot be done, with the file as it was.
    """
    path = _take_first_free(part, islice(candidates(wanted), _MAX_NUMBERED_NAMES))
    remove_quietly(part)
    sync_directory(path.parent)
    return path


def leave_whole_copies() -> list[Path]:
    """Remove what is half written, since the program ends; return the whole copies that stay."""
    left = []
    for part in list(_unfinished):
        if part.is_whole and os.path.lexists(part.path):
            left.append(part.leave())
        else:
            remove_quietly(part.path)
            _unfinished.discard(part)
    return left


def remove_quietly(path: Path) -> None:
    """Remove `path`, or leave it where that is not allowed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _read_at(position: int, length: int, descriptor: int) -> bytes:
    if sys.platform != "win32":
        return os.pread(descriptor, length, position)
    before = os.lseek(descriptor, 0, os.SEEK_CUR)  # where the next piece will be written
    try:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.read(descriptor, length)
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def require_replaceable(path: Path) -> None:
    """Raise FileExistsError where `path` is anything but a file, or a link: it is no image."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    system = path.parent in DEVICE_DIRECTORIES
    if system or not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
        raise FileExistsError(None, "it is no file that could be replaced")


def _take_first_free(temporary: Path, names: Iterable[Path]) -> Path:
    for name in names:
        try:
            _move_without_replacing(temporary, name)
        except FileExistsError:
            continue
        return name
    raise FileExistsError(None, "a file of that name appeared meanwhile")


def _move_without_replacing(temporary: Path, name: Path) -> None:
    if sys.platform == "win32":
        temporary.rename(name)  # on Windows a rename never replaces
        return
    try:
        os.link(temporary, name, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links (FAT, some FUSE and network mounts)
        if not _rename_without_replacing(temporary, name):
            _rename_while_nobody_else_does(temporary, name)


def _rename_without_replacing(temporary: Path, name: Path) -> bool:
    """Rename by the system's own call for it; return False where there is none, or it is refused.

    Linux: renameat2(2). macOS: renameatx_np(2).
    """
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    linux, macos = hasattr(library, "renameat2"), hasattr(library, "renameatx_np")
    if not (linux or macos):
        return False
    call = library.renameat2 if linux else library.renameatx_np
    here = -100 if linux else -2  # AT_FDCWD
    flag = _NO_REPLACING if linux else 4  # RENAME_EXCL
    if call(here, os.fsencode(temporary), here, os.fsencode(name), flag) == 0:
        return True
    if ctypes.get_errno() == errno.EEXIST:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    return False


def _rename_while_nobody_else_does(temporary: Path, name: Path) -> None:
    # Nothing is put under the name beforehand, which a kill would leave there empty. Other runs of
    # this program wait for the lock; another program has but the moment between the two calls.
    if sys.platform == "win32":  # where a rename replaces nothing
        raise NotImplementedError
    import fcntl

    descriptor = os.open(name.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network mount may know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        temporary.replace(name)
    finally:
        os.close(descriptor)
