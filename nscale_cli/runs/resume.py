"""What a resumed run does with each row: what may have been paid for is not bought again."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256
from itertools import count
from pathlib import Path

from nscale_cli.request import SavedImage
from nscale_cli.runs.plan import PlannedRow, RunDirectory
from nscale_cli.runs.row_names import split_path, target_of
from nscale_cli.runs.states import RowHistory, RowState
from nscale_cli.service.decode import flaw_of, sniff
from nscale_cli.storage.disk import read_bounded
from nscale_cli.storage.files import parts_in, publish_left, remove_quietly
from nscale_cli.storage.names import EXTENSIONS, Target, disk_path, text_of
from nscale_cli.values import frozen

_MAX_IMAGE_BYTES = 512 * 1024 * 1024


class Action(StrEnum):
    """What happens to a row when a run goes on."""

    SEND = "send"
    SEND_AGAIN = "send_again"  # with the idempotency key of the request that may have been billed
    KEEP = "keep"  # saved, and the files are there
    LEAVE = "leave"  # listed, and left alone


@frozen
class ResumeOptions:
    """What the user allows. `redo` are ids, keys or numbers of rows to buy once more."""

    redo: frozenset[str] = frozenset()
    retry_refused: bool = False
    retry_billed: bool = False


@frozen
class Decision:
    """What happens to a row; where it is left alone, why, and what can be done about it."""

    action: Action
    why: str = ""
    hint: str = ""


def decide(
    planned: PlannedRow, history: RowHistory, options: ResumeOptions, run: RunDirectory
) -> Decision:
    """Return what happens to a row with this history. Adopt what a crash left before this."""
    if names_of(planned) & options.redo:
        return Decision(action=Action.SEND)
    state = history.state
    if state in (RowState.NOT_SENT, RowState.NOT_BILLED):
        return Decision(action=Action.SEND)
    if state is RowState.SAVED:
        gone = missing_files(history, run)
        if not gone:
            return Decision(action=Action.KEEP)
        return _leave(f"saved, but {text_of(gone[0])} is gone", "buy it again with --redo")
    if state is RowState.PAID:
        return _leave(f"paid for, but {history.message}", "buy it again with --redo")
    if state is RowState.REFUSED:
        if options.retry_refused:
            return Decision(action=Action.SEND)
        return _leave(f"refused: {history.message}", "send it again with --retry-refused")
    if options.retry_billed:
        return Decision(action=Action.SEND_AGAIN)
    what = "sent, and then the run was cut off" if history.open else history.message
    return _leave(
        f"may have been billed: {what}", "look at your usage page, then --retry-billed or --redo"
    )


def _leave(why: str, hint: str) -> Decision:
    return Decision(action=Action.LEAVE, why=why, hint=hint)


def names_of(planned: PlannedRow) -> set[str]:
    """Return what a row may be called with --redo: its id, its key, its number."""
    return {planned.key, str(planned.number)} | ({planned.row.id} if planned.row.id else set())


def saved_paths(history: RowHistory, run: RunDirectory) -> Iterator[Path]:
    """Yield where the row's images were saved."""
    for image in history.images:
        yield run.path / disk_path(str(image.get("path", "")))


def missing_files(history: RowHistory, run: RunDirectory) -> list[Path]:
    """Return where images of the row were saved that are not there any more."""
    return [path for path in saved_paths(history, run) if not os.path.lexists(path)]


def free_path(planned: PlannedRow, run: RunDirectory) -> str:
    """Return the row's path, or one beside it where something is in the way already.

    No other row can be given it, so that after a crash it is known whose image is there.
    """
    path = planned.path
    stem, suffix = split_path(path)
    own = f"-{planned.label}"
    for number in count(1):
        if not is_taken(path, planned.request.count, run):
            break
        path = f"{stem}{own}{suffix}" if number == 1 else f"{stem}{own}-{number}{suffix}"
    return path


def is_taken(path: str, images: int, run: RunDirectory) -> bool:
    """Return whether something is where one of so many images of a row would go."""
    if "{hash}" in path:  # which tells each image from all others
        return False
    target = target_of(run.path, path)
    return any(
        os.path.lexists(target.path(index=index, image_format=name, sha256=""))
        for index in range(1, images + 1)
        for name in EXTENSIONS
    )


class LeftByCrash:
    """Finds what requests have left whose end is not known: images under their names, or parts.

    A name appears with a whole image behind it or not at all, and it was free when the request
    was sent; so what is there now was made by it. A part is a file that had no name yet: one that
    is whole is given its name, any other is removed.
    """

    def __init__(self, run: RunDirectory) -> None:
        """Look for nothing yet. Only the owner of the run's rows may do so."""
        self._run = run
        self._parts: dict[Path, dict[str, list[Path]]] = {}

    def images_of(self, planned: PlannedRow, history: RowHistory) -> list[SavedImage]:
        """Return the images of the row that are there, as many as they are."""
        if history.state is not RowState.MAYBE_BILLED or not history.path:
            return []
        target = target_of(self._run.path, history.path)
        indexes = range(1, planned.request.count + 1)
        found = [self._image(planned, target, index) for index in indexes]
        return [image for image in found if image is not None]

    def _image(self, planned: PlannedRow, target: Target, index: int) -> SavedImage | None:
        directory = target.known_directory(index)
        if directory not in self._parts:
            self._parts[directory] = parts_in(directory)
        image = _named_image(target, index)
        for part in self._parts[directory].pop(f"{planned.label}.{index}", ()):
            found = _image_at(part)
            if found is None or (image is not None and image.sha256 == found.sha256):
                remove_quietly(part)  # half of an image, or a second copy of it
            elif image is None and target.format in (None, found.format):
                path = target.path(index=index, image_format=found.format, sha256=found.sha256)
                with suppress(OSError):
                    image = replace(found, path=publish_left(part, path))
        return image


def _named_image(target: Target, index: int) -> SavedImage | None:
    if "{hash}" in target.template:
        return None
    paths = (target.path(index=index, image_format=name, sha256="") for name in EXTENSIONS)
    return next(filter(None, map(_image_at, paths)), None)


def _image_at(path: Path) -> SavedImage | None:
    """Return the image at `path`, if there is one and all of it is there."""
    try:
        data = read_bounded(path, _MAX_IMAGE_BYTES)
    except OSError:
        return None
    image_format, size = sniff(data)
    if image_format is None or flaw_of(data, image_format) is not None:
        return None
    return SavedImage(
        path=path,
        format=image_format,
        size=size,
        byte_count=len(data),
        sha256=sha256(data).hexdigest(),
    )
