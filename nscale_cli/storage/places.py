"""Whether images can be saved as asked: looked at first, and tried out just before paying."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from nscale_cli.errors import UsageError
from nscale_cli.storage.devices import goes_to_device
from nscale_cli.storage.files import PartFile, require_replaceable
from nscale_cli.storage.names import Target

_ANOTHER = "choose another with -o FOLDER/"


def check(target: Target, *, count: int, force: bool) -> None:
    """Raise UsageError where the images could not be saved as asked; only look, make nothing."""
    if target.exact and not goes_to_device(target):
        for index in range(1, count + 1):
            path = target.path(index=index, image_format="png", sha256="")
            _require_free(path, force=force)
    for directory in _directories(target, count):
        _require_directory(directory)


def prepare(target: Target, *, count: int) -> Sequence[Path]:
    """Make the directories of the images and try them out; raise UsageError where one fails.

    Return those that were not there before, for `remove_directories`, should nothing be sent.
    """
    made: list[Path] = []
    try:
        for directory in _directories(target, count):
            _require_directory(directory)
            _make_directory(directory, made)
    except BaseException:
        remove_directories(made)
        raise
    return made


def remove_directories(made: Sequence[Path]) -> None:
    """Remove the directories that `prepare` made, as far as nothing is in them."""
    for directory in reversed(made):
        with suppress(OSError):
            directory.rmdir()


def _require_free(path: Path, *, force: bool) -> None:
    if not os.path.lexists(path):
        return
    if not force:
        raise UsageError(
            f"{path} exists; nothing was sent",
            hint="choose another name, or replace it with --force",
        )
    try:
        require_replaceable(path)
    except FileExistsError as error:
        raise UsageError(
            f"{path}: {error.strerror}; nothing was sent", hint="choose another name"
        ) from None


def _directories(target: Target, count: int) -> Iterable[Path]:
    """Return each directory that is known before the images are, once."""
    if goes_to_device(target):
        return ()
    return dict.fromkeys(target.known_directory(index) for index in range(1, count + 1))


def _require_directory(directory: Path) -> None:
    """Raise UsageError where `directory` is not, and could not become, a place to write files."""
    place = next(place for place in (directory, *directory.parents) if os.path.lexists(place))
    if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir() raises behind a closed directory
        raise UsageError(f"{place} is not a folder; nothing was sent")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"the folder {place} is not writable; nothing was sent", hint=_ANOTHER)


def _make_directory(directory: Path, made: list[Path]) -> None:
    """Make `directory` and try it out: permissions alone do not tell (read-only, quota, /proc)."""
    missing = [place for place in (directory, *directory.parents) if not os.path.lexists(place)]
    try:
        for place in reversed(missing):
            with suppress(FileExistsError):  # another run makes it at the same time
                place.mkdir()
                made.append(place)
        _try_out(directory)
    except OSError as error:
        raise UsageError(
            f"the folder {directory} cannot be written to: {error.strerror}; nothing was sent",
            hint=_ANOTHER,
        ) from None


def _try_out(directory: Path) -> None:
    trial = PartFile(directory, is_trial=True)
    try:
        trial.write(b"nscale")
        trial.complete()
    finally:
        trial.discard()
    if os.path.lexists(trial.path):
        raise OSError(None, f"{trial.path.name} is in it and cannot be removed")
