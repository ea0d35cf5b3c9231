"""The pictures of a report: read one at a time at reduced scale, hashed, and encoded anew."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from nscale_cli.preview.canvas import PreviewUnavailable, load_within

if TYPE_CHECKING:
    from PIL import Image

HASH_BITS = 64
_HASH_SIDE = 8
_REDUCING_GAP = 1.2  # a third of the time, and no difference to be seen in a thumbnail
_NOISE = 2  # levels of grey
_QUALITY = 85


class PictureUnreadable(Exception):
    """The file is gone or holds no picture; the text says which."""


def read(path: Path, side: int) -> "Image.Image":
    """Return the picture in a file: RGB, upright, on white, at most `side` pixels a side."""
    try:
        return load_within(path, side, reducing_gap=_REDUCING_GAP)
    except PreviewUnavailable as problem:
        raise PictureUnreadable("the file is gone" if not path.exists() else str(problem)) from None


def perceptual_hash(picture: "Image.Image") -> int:
    """Return 64 bits that say where the picture grows lighter from left to right (dHash).

    By more than encoding does: a level sky would else be 64 bits of chance.
    """
    from PIL import Image

    grey = picture.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX)
    data, width = grey.tobytes(), _HASH_SIDE + 1
    pairs = (n for n in range(len(data)) if n % width < _HASH_SIDE)
    return sum((data[n + 1] - data[n] > _NOISE) << bit for bit, n in enumerate(pairs))


def distance(one: int, other: int) -> int:
    """Return how many bits of two hashes differ, 0 to 64."""
    return (one ^ other).bit_count()


def encode(picture: "Image.Image", side: int) -> bytes:
    """Return the picture as a JPEG file without metadata, at most `side` pixels a side."""
    small = picture.copy()
    small.thumbnail((side, side), reducing_gap=None)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()


def decode(data: bytes) -> "Image.Image":
    """Return the picture that `encode` made the bytes of."""
    from PIL import Image

    return Image.open(io.BytesIO(data), formats=["JPEG"])
