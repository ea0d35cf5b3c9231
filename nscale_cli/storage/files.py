"""The disk: checks before paying, saves that never replace or tear, and rescue when a place fails.

The order of a save is: a temporary file in the target's own folder, written whole, measured and
synced; then its final name, given without replacing. The last whole copy is never deleted.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.storage.names import Target, candidates

_MAX_NUMBERED_NAMES = 100_000
_unfinished: set[Path] = set()  # the temporary files of saves under way
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_CREATE |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_DEVICE_DIRECTORIES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


class SaveFailed(OSError):
    """A save that failed with all of the data on disk: in `copy`, under no name of its own."""

    def __init__(self, failure: Exception, copy: Path) -> None:
        """Fail as `failure` did."""
        reason = getattr(failure, "strerror", None) or type(failure).__name__
        super().__init__(getattr(failure, "errno", None), reason)
        self.copy = copy


def require_saveable(target: Target, *, count: int, force: bool, make_directories: bool) -> None:
    """Raise UsageError where the images could not be saved as asked."""
    directories = set()
    for index in range(1, count + 1):
        path = target.path(index=index, image_format="png", sha256="0" * 64)
        if target.exact and os.path.lexists(path) and not _is_device(path) and not force:
            raise UsageError(
                f"{path} exists; nothing was sent",
                hint="choose another name, or replace it with --force",
            )
        if not _is_device(path):
            directories.add(path.parent)
    for directory in directories:
        _require_directory(directory)
        if make_directories:
            _make_directory(directory)


def _require_directory(directory: Path) -> None:
    """Raise UsageError where `folder` is not, and could not become, a place to write files in."""
    place = next(place for place in (directory, *directory.parents) if os.path.lexists(place))
    if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir() raises behind a closed folder
        raise UsageError(f"{place} is not a folder; nothing was sent")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(
            f"the folder {place} is not writable; nothing was sent",
            hint="choose another with -o FOLDER/",
        )


def _make_directory(directory: Path) -> None:
    """Make `folder` and try it out: permissions alone do not tell (read-only, quota, /proc)."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _whole_copy(b"nscale", directory / "trial") as trial:
            pass
        if os.path.lexists(trial):
            raise OSError(None, f"{trial.name} is in it and cannot be removed")
    except OSError as error:
        if isinstance(error, SaveFailed):
            remove_quietly(error.copy)
        raise UsageError(
            f"the folder {directory} cannot be written to: {error.strerror}; nothing was sent",
            hint="choose another with -o FOLDER/",
        ) from None


def _is_device(path: Path) -> bool:
    # A link is followed only where the system keeps its own (/dev/stdout): anybody else may have
    # put it there while the image was being made.
    try:
        mode = (path.stat() if path.parent in _DEVICE_DIRECTORIES else path.lstat()).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def save(
    data: bytes | bytearray,
    wanted: Path,
    *,
    replace: bool,
    numbered: bool,
    warn: Callable[[str], None] = lambda _: None,
) -> Path:
    """Save `data` at `wanted` and return where it is; raise OSError if it is not there.

    `replace`: an existing file gives way, at one instant. `numbered`: where the name is taken,
    the next free of `stem-2`, `stem-3` and so on is used. `warn` is told what could not be
    cleared away. A SaveFailed error has left a whole copy behind, for `rescue` to use or remove.
    """
    if _is_device(wanted):
        _write_device(data, wanted)
        return wanted
    with _whole_copy(data, wanted) as temporary:
        names = islice(candidates(wanted), _MAX_NUMBERED_NAMES) if numbered else [wanted]
        if replace:
            temporary.replace(wanted)
            path = wanted
        else:
            path = _take_first_free(temporary, names)
    if os.path.lexists(temporary):
        warn(f"{temporary}, a second copy of {path.name}, could not be removed")
    return path


def _write_device(data: bytes | bytearray, device: Path) -> None:
    # Without O_NONBLOCK, a FIFO that nobody reads would hold a paid image for ever.
    descriptor = os.open(device, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        _write_all(file.fileno(), data)


@contextmanager
def _whole_copy(data: bytes | bytearray, wanted: Path) -> Iterator[Path]:
    """Yield a synced temporary file beside `wanted` that holds all of `data`.

    It is removed in the end, except where a failure, which becomes SaveFailed, finds it whole.
    """
    temporary = wanted.with_name(f".{os.urandom(6).hex()}.part")
    _unfinished.add(temporary)
    created = whole = False
    try:
        descriptor = os.open(temporary, _CREATE, 0o666)
        created = True
        try:
            _write_all(descriptor, data)
            whole = os.fstat(descriptor).st_size == len(data)
            if not whole:
                raise OSError(None, "the file is shorter than what was written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    except Exception as failure:  # a signal is none: remove_unfinished() follows it
        if whole:
            _unfinished.discard(temporary)
            raise SaveFailed(failure, temporary) from None
        if created:
            remove_quietly(temporary)
        _unfinished.discard(temporary)
        raise
    remove_quietly(temporary)
    _unfinished.discard(temporary)


def remove_unfinished() -> None:
    """Remove what a save left behind that a signal broke off."""
    while _unfinished:
        remove_quietly(_unfinished.pop())


def remove_quietly(path: Path) -> None:
    """Remove `path`, or leave it where that is not allowed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        count = os.write(descriptor, rest)
        if not count:
            raise OSError(None, "it takes no more bytes")
        rest = rest[count:]


def _take_first_free(temporary: Path, names: Iterable[Path]) -> Path:
    for name in names:
        try:
            _move_without_replacing(temporary, name)
        except FileExistsError:
            continue
        return name
    raise FileExistsError(None, "a file of that name appeared meanwhile")


def _move_without_replacing(temporary: Path, name: Path) -> None:
    if os.name == "nt":
        temporary.rename(name)  # on Windows a rename never replaces
        return
    try:
        os.link(temporary, name, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (FAT): claim the name first, then move onto the claim.
        os.close(os.open(name, _CREATE, 0o666))
        try:
            temporary.replace(name)
        except OSError:
            name.unlink()
            raise
