"""The small pictures inside a page: encoded anew, as large as the page's size allows."""

import base64
import io
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from nscale_cli.output.report.pictures import decode, encode
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
        return Shown(src=data_address(data, "jpeg"), width=size[0], height=size[1])

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


def embedded(image: SavedImage) -> Shown | None:
    """Return an original, byte for byte, as a page has it; None where it cannot be read."""
    if image.path is None or image.size is None:
        return None
    try:
        data = image.path.read_bytes()
    except OSError:
        return None
    src = data_address(data, image.format)
    return Shown(src=src, width=image.size.width, height=image.size.height)


def data_address(data: bytes, image_format: str) -> str:
    """Return the `data:` address of an image's bytes."""
    return f"data:{_TYPES[image_format]};base64,{base64.b64encode(data).decode()}"
