"""The pictures of a run, each read once: for the sheet, for the page, and for its hash.

The small ones inside a page are encoded anew, as large as the page's size allows.
"""

import base64
import io
from collections.abc import Iterable
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Self

from nscale_cli.output.report.cells import Cell
from nscale_cli.output.report.pictures import (
    PictureUnreadable,
    decode,
    encode,
    perceptual_hash,
    read,
)
from nscale_cli.request import SavedImage
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from PIL import Image

MAX_ON_PAGE = 400  # pictures
MAX_PAGE_BYTES = 25_000_000  # of pictures; reports beyond a hundred million bring browsers down
_SIDES = {24: 768, 100: 512, MAX_ON_PAGE: 320}  # by how many pictures are on the page, at most
_SMALLER = (512, 320, 240, 160, 96)
_IN_MEMORY = 32_000_000  # bytes; a page's pictures
_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_HASHED_SIDE = 128  # pixels, of which a hash needs only a few


@frozen
class Shown:
    """A picture as a page has it inside: a `data:` address, and its size in pixels."""

    src: str
    width: int
    height: int


class Thumbnails:
    """Keeps the thumbnails of a run, by the keys of their rows, until its pages are written."""

    def __init__(self, count: int) -> None:
        """Expect so many pictures."""
        on_page = min(count, MAX_ON_PAGE)
        self.side = next(side for most, side in _SIDES.items() if on_page <= most)
        self._most = MAX_PAGE_BYTES * max(1, -(-count // MAX_ON_PAGE))
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - lives as long as this does
        self._places: dict[str, tuple[int, int]] = {}
        self._total = 0

    def limit(self, smallest: int) -> None:
        """Make all thumbnails of one size, which a picture of `smallest` pixels can have, too."""
        if smallest < self.side:
            self.side = next((side for side in _SMALLER if side <= smallest), smallest)

    def add(self, row: str, picture: "Image.Image") -> None:
        """Take a picture of at least `side` pixels, or one that is itself smaller."""
        self._keep(row, encode(picture, self.side))
        smaller = [side for side in _SMALLER if side < self.side]
        while self._total * 4 > self._most * 3 and smaller:  # base64 makes four bytes of three
            self._shrink(smaller.pop(0))

    def shown(self, row: str) -> Shown | None:
        """Return a thumbnail as the page has it; None where the picture could not be read."""
        if row not in self._places:
            return None
        data = self._read(row)
        size = decode(data).size
        return Shown(src=_data_address(data, "jpeg"), width=size[0], height=size[1])

    def close(self) -> None:
        """Forget them all."""
        self._file.close()

    def _keep(self, row: str, data: bytes) -> None:
        start = self._file.seek(0, io.SEEK_END)
        self._file.write(data)
        self._places[row] = (start, len(data))
        self._total += len(data)

    def _read(self, row: str) -> bytes:
        start, length = self._places[row]
        self._file.seek(start)
        return self._file.read(length)

    def _shrink(self, side: int) -> None:
        """Make all pictures smaller, those of before and those to come."""
        self.side, self._total = side, 0
        for row in list(self._places):
            self._keep(row, encode(decode(self._read(row)), side))


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

    def __exit__(self, *_: object) -> None:
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
            return _embedded(cell.image)
        return self._thumbnails.shown(cell.row)


def _read(cell: Cell, side: int) -> "Image.Image":
    if cell.image is None or cell.image.path is None:
        raise PictureUnreadable("there is no file")
    return read(cell.image.path, side)


def _embedded(image: SavedImage) -> Shown | None:
    """Return an original, byte for byte, as a page has it; None where it cannot be read."""
    if image.path is None or image.size is None:
        return None
    try:
        data = image.path.read_bytes()
    except OSError:
        return None
    src = _data_address(data, image.format)
    return Shown(src=src, width=image.size.width, height=image.size.height)


def _data_address(data: bytes, image_format: str) -> str:
    """Return the `data:` address of an image's bytes."""
    return f"data:{_TYPES[image_format]};base64,{base64.b64encode(data).decode()}"
