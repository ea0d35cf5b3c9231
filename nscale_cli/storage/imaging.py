"""Pictures as Pillow gives them: fit to be drawn, or saved in another format."""

import io
import warnings
from typing import TYPE_CHECKING

from nscale_cli.errors import Incomplete

if TYPE_CHECKING:
    from PIL import Image as PillowImage

_OPTIONS: dict[str, dict[str, object]] = {
    "png": {},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"quality": 95},
}
READABLE = ("PNG", "JPEG", "WEBP")


def convert(data: bytes, image_format: str) -> bytes:
    """Return the picture in `data` as png (without loss), jpeg or webp; raise Incomplete if not.

    A JPEG has no transparency: it is drawn on white.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    target = io.BytesIO()
    try:
        with warnings.catch_warnings():
            # Pillow warns of a large image on stderr; it refuses by itself one that is too large.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=READABLE) as picture:
                profile = _rgb_profile(picture)
                shown = in_eight_bits(ImageOps.exif_transpose(picture))
        if image_format == "jpeg":
            shown = on_white(shown)
        shown.save(target, format=image_format, icc_profile=profile, **_OPTIONS[image_format])
    except Exception as error:
        # Pillow raises nearly anything on a broken image: ValueError, SyntaxError, MemoryError.
        damaged = isinstance(error, UnidentifiedImageError)  # whose text holds an address in memory
        reason = "it is damaged" if damaged else str(error) or type(error).__name__
        raise Incomplete(f"it could not be converted: {reason}") from None
    return target.getvalue()


def _rgb_profile(picture: "PillowImage.Image") -> bytes | None:
    """Return the colour profile, unless it describes grey or CMYK, which is not what is saved."""
    profile = picture.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile[16:20] == b"RGB " else None


def in_eight_bits(picture: "PillowImage.Image") -> "PillowImage.Image":
    """Return the picture as L, RGB or RGBA, modes that each format can be made from."""
    if picture.mode.startswith("I"):
        # 16 bits of grey, which convert() would cut off at 255 instead of scaling.
        return picture.point(lambda value: value * (1 / 257)).convert("L")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "L" else "RGB")


def on_white(picture: "PillowImage.Image") -> "PillowImage.Image":
    """Return an L, RGB or RGBA picture without transparency."""
    from PIL import Image

    if picture.mode != "RGBA":
        return picture
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")
