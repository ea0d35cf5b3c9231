"""A page of the images that were made before: one file that needs no network."""

import os
from collections.abc import Sequence
from contextlib import suppress
from os import fsencode
from pathlib import Path
from urllib.parse import quote

from nscale_cli.errors import UsageError
from nscale_cli.output.report.album import MAX_ON_PAGE, Album
from nscale_cli.output.report.cells import Axis, Cell, Kind, Run, State
from nscale_cli.output.report.grid import arrange
from nscale_cli.output.report.page import Content, pages
from nscale_cli.output.result import Result
from nscale_cli.request import SavedImage, Size
from nscale_cli.storage.history import HistoryEntry
from nscale_cli.storage.names import text_of
from nscale_cli.storage.replace import replace_whole
from nscale_cli.terminal.context import Environment
from nscale_cli.values import frozen

MAX_IMAGES = MAX_ON_PAGE
_NO_LINK = "#"


@frozen
class HistoryPage(Result):
    """A page that was written."""

    command = "history page"
    page: Path
    entries: Sequence[HistoryEntry]
    open_viewer: bool = False

    def notes(self) -> Sequence[str]:
        """Say what is on it."""
        count = len(self.entries)
        said = [f"{count} image{'' if count == 1 else 's'} on the page"]
        gone = sum(not _is_there(entry) for entry in self.entries)
        return [*said, f"{gone} of them cannot be shown: their files are gone"] if gone else said

    def lines(self) -> Sequence[str]:
        """Return where it is."""
        return [str(self.page)]

    def data(self) -> dict[str, object]:
        """Return the same for a script."""
        return {"page": text_of(self.page), "images": [entry.id for entry in self.entries]}

    def show(self, environment: Environment) -> None:
        """Open it, where that was asked for."""
        if self.open_viewer:
            from nscale_cli.preview.show import open_images

            open_images([self.page], environment.terminal)


def write_page(entries: Sequence[HistoryEntry], path: Path, *, home: Path | None) -> None:
    """Write the page; raise UsageError where it cannot be written.

    It names no place in the user's home directory, but as seen from its own.
    """
    run = _run(entries)
    directory = path.parent
    with Album(run.cells) as album:
        album.read_all()
        content = Content(
            directory=directory,
            shown=album.shown,
            link=lambda image: _link(image, directory, home),
        )
        (_, text), *_ = pages(arrange(run), content)
    try:
        replace_whole(path, text.encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _run(entries: Sequence[HistoryEntry]) -> Run:
    """Return the entries as a report sees them: each a row of its own, told by its prompt."""
    prompts = [f"{entry.id}: {entry.prompt}" for entry in entries]
    models = list(dict.fromkeys(entry.model for entry in entries))
    return Run(
        title="Images made before",
        axes=(
            Axis(kind=Kind.ROW, name="image", values=tuple(prompts)),
            Axis(kind=Kind.MODEL, name="model", values=tuple(models)),
        ),
        cells=tuple(
            Cell(
                row=str(entry.id),
                at=(number, models.index(entry.model)),
                state=State.SAVED,
                asked=_asked(entry),
                image=SavedImage(
                    path=entry.path,
                    format=entry.format,
                    size=entry.size,
                    byte_count=entry.byte_count,
                    sha256=entry.sha256,
                ),
                seconds=entry.seconds,
                cost_usd=entry.cost_usd,
            )
            for number, entry in enumerate(entries)
        ),
    )


def _asked(entry: HistoryEntry) -> Size | None:
    with suppress(UsageError):
        return Size.parse(entry.requested_size or "")
    return None


def _is_there(entry: HistoryEntry) -> bool:
    return entry.path is not None and os.path.isfile(entry.path)  # noqa: PTH113 - it may raise


def _link(image: Path, directory: Path, home: Path | None) -> str:
    """Return the way from the page to an image, unless it names the user's home directory."""
    try:
        way = Path(os.path.relpath(image, directory))
    except ValueError:  # another drive of Windows
        return _NO_LINK
    if home is not None and image.is_relative_to(home) and not directory.is_relative_to(home):
        return _NO_LINK
    return quote(fsencode(way.as_posix()))
