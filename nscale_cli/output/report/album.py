"""The pictures of a run, each read once: for the sheet, for the page, and for its hash."""

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nscale_cli.output.report.cells import Cell
from nscale_cli.output.report.pictures import PictureUnreadable, perceptual_hash, read
from nscale_cli.output.report.thumbnails import Shown, Thumbnails, embedded

if TYPE_CHECKING:
    from PIL import Image

_HASHED_SIDE = 128  # pixels, of which a hash needs only a few


class Album:
    """Reads the pictures of cells, and keeps of each a hash and a thumbnail, until it is closed.

    `side`: the longest side, in pixels, that is needed beside thumbnails. `embed`: what is shown
    are originals. `thumbnails`: whether anything is to be shown at all.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        *,
        side: int = 0,
        embed: bool = False,
        thumbnails: bool = True,
    ) -> None:
        """Read nothing yet."""
        self._cells = [cell for cell in cells if cell.image is not None]
        self._thumbnails = Thumbnails(len(self._cells))
        self._side, self._embed = side, embed
        self._keeps = thumbnails and not embed
        self._seen: set[str] = set()
        self.hashes: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Use it until the context is left."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget the thumbnails."""
        self._thumbnails.close()

    def read(self, cell: Cell) -> "Image.Image":
        """Return the picture of a cell; raise PictureUnreadable."""
        self._seen.add(cell.row)
        least = self._thumbnails.side if self._keeps else _HASHED_SIDE
        picture = _read(cell, max(self._side, least))
        self.hashes[cell.row] = perceptual_hash(picture)
        if self._keeps:
            self._thumbnails.add(cell.row, picture)
        return picture

    def read_all(self) -> None:
        """Read what has not been read."""
        for cell in self._cells:
            if cell.row not in self._seen:
                with suppress(PictureUnreadable):
                    self.read(cell)

    def read_alike(self) -> None:
        """Read all, and make them equally large: a size could tell on a model."""
        sizes = [cell.true_size for cell in self._cells if cell.true_size]
        smallest = min((max(size.width, size.height) for size in sizes), default=1)
        self._thumbnails.limit(smallest)
        self.read_all()

    def shown(self, cell: Cell) -> Shown | None:
        """Return a cell's picture as the page has it; None where there is none."""
        if self._embed and cell.image is not None:
            return embedded(cell.image)
        return self._thumbnails.shown(cell.row)


def _read(cell: Cell, side: int) -> "Image.Image":
    if cell.image is None or cell.image.path is None:
        raise PictureUnreadable("there is no file")
    return read(cell.image.path, side)
