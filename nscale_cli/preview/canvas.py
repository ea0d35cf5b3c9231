"""What there is to draw on, and the pictures that are fit for it."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.preview.colour import Rgb
from nscale_cli.storage.imaging import READABLE, in_eight_bits, on_white
from nscale_cli.values import frozen

if TYPE_CHECKING:
    from PIL import Image

MAX_COLUMNS = 80
LINES_LEFT_FREE = 4
GAP_COLUMNS = 2  # between pictures that stand side by side
# Decoding more takes seconds and several hundred MiB. The WebP decoder holds them four times.
_MAX_PIXELS = {"PNG": 34_000_000, "JPEG": 34_000_000, "MPO": 34_000_000, "WEBP": 17_000_000}
_MAX_BYTES = 100_000_000
_DRAFT_PIXELS_PER_COLUMN = 16
_MAX_DRAFT_PIXELS = 4096


class PreviewUnavailable(Exception):
    """The image cannot be shown; the text says why."""


@frozen
class Canvas:
    """The part of a terminal that a preview may fill, in character cells.

    `colours` is 0, 256 or 2**24. `cell_pixels` is the (width, height) of a cell in pixels where
    the terminal told it. `light` says that the background is light.
    """

    columns: int
    lines: int
    colours: int = 0
    cell_pixels: tuple[int, int] | None = None
    light: bool = False

    @property
    def cell_ratio(self) -> float:
        """How many times higher than wide a cell is; about 2 where the terminal did not tell."""
        if self.cell_pixels is None:
            return 2.0
        return min(4.0, max(1.0, self.cell_pixels[1] / self.cell_pixels[0]))

    @property
    def most_pixels(self) -> int:
        """A side of the largest picture that can be of use: more would only be thrown away."""
        width = self.cell_pixels[0] if self.cell_pixels else 0
        return min(_MAX_DRAFT_PIXELS, self.columns * max(_DRAFT_PIXELS_PER_COLUMN, width))

    def cells_for(self, width: int, height: int, *, pixels_per_column: int) -> tuple[int, int]:
        """Return the (columns, rows) that a picture of `width` x `height` pixels fills.

        It fits, keeps its shape, and is never larger than `pixels_per_column` allows: a small
        picture stays small.
        """
        scale = min(
            self.columns / width,
            self.lines * self.cell_ratio / height,
            1 / pixels_per_column,
        )
        rows = round(height * scale / self.cell_ratio)
        return max(1, round(width * scale)), max(1, min(rows, self.lines))


def load(path: Path, canvas: Canvas) -> "Image.Image":
    """Return the picture in the file: RGB, upright, on white where it is transparent.

    Only the first frame of an animation, and no larger than `canvas` may need. Raises
    PreviewUnavailable for whatever cannot be read or decoded, or is too large to be worth it.
    """
    return load_within(path, canvas.most_pixels)


def load_within(path: Path, most: int, *, reducing_gap: float = 2.0) -> "Image.Image":
    """Return the picture in the file as `load` does, at most `most` pixels a side.

    A smaller `reducing_gap` (1 or more) is faster, and less exact.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings would go to stderr
            return _load(path, most, reducing_gap)
    except PreviewUnavailable:
        raise
    except OSError as error:
        if error.strerror:
            raise PreviewUnavailable(f"it cannot be read ({error.strerror})") from None
        raise _undecodable(error) from None
    except Exception as error:
        # Pillow raises nearly anything on a broken image: ValueError, SyntaxError, MemoryError.
        raise _undecodable(error) from None


def _undecodable(error: Exception) -> PreviewUnavailable:
    return PreviewUnavailable(f"it cannot be decoded ({type(error).__name__})")


def _load(path: Path, most: int, reducing_gap: float) -> "Image.Image":
    from PIL import Image, ImageOps

    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > _MAX_BYTES:
            raise PreviewUnavailable(f"it is larger than {_MAX_BYTES // 1_000_000} MB")
        with Image.open(file, formats=READABLE) as opened:
            if opened.width * opened.height > _MAX_PIXELS[str(opened.format)]:
                raise PreviewUnavailable(f"{opened.width}x{opened.height} is too large")
            opened.draft("RGB", (most, most))  # a large JPEG is decoded smaller, and sooner
            # Pillow cannot shrink 16 bits of grey before they are 32.
            picture = opened.convert("I") if opened.mode.startswith("I;") else opened
            picture.thumbnail((most, most), reducing_gap=reducing_gap)
            upright = in_eight_bits(ImageOps.exif_transpose(picture))
            return on_white(upright).convert("RGB")


def shrink(picture: "Image.Image", width: int, height: int) -> "Image.Image":
    """Return the picture at exactly `width` x `height` pixels, each the mean of what it covers."""
    from PIL import Image

    return picture.resize((width, height), Image.Resampling.BOX)


def rgb_rows(picture: "Image.Image") -> list[list[Rgb]]:
    """Return the colours of an RGB picture's pixels, a list for each row."""
    data, width = picture.tobytes(), picture.width
    pixels = list(zip(data[::3], data[1::3], data[2::3], strict=True))
    return [pixels[start : start + width] for start in range(0, len(pixels), width)]
