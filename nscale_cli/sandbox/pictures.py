"""The sandbox's pictures: posters drawn from a prompt, plainly marked as not the real thing."""

from __future__ import annotations

import hashlib
import io
import random
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from nscale_cli.sandbox.scenes import Canvas, scene_of, seed_of

if TYPE_CHECKING:
    from PIL import Image, ImageFont

SMALLEST_TYPE = 9  # pixels; below this letters are not readable
PALETTES = [  # top, low, light, far and near, as in Canvas
    "3a1c5c ff9a62 fff0c4 d0626f 22112f",
    "0b1440 5f6fb8 fdf3c9 41509a 080d26",
    "0f4c6c f9c795 fff3d6 5d93a0 0a2436",
    "6a4391 ffb5a0 fff4e0 c4749c 2a1946",
    "e06f55 ffdc98 fffbe8 c47a5c 3a1a2c",
    "10262f 4fb0a0 f4f7d0 2f7f80 061a20",
]
PALETTES_OF_A_MODEL = 3  # neighbours among them


def draw(
    *, prompt: str, model: str, width: int, height: int, index: int, seed: str = ""
) -> Image.Image:
    """Return the marked RGB picture, width x height pixels, that these arguments always give.

    A model is known by its look: colours and a style of its own.
    """
    from PIL import Image, ImageDraw, ImageOps

    # Twice the size gives smooth edges; the limits bound the cost of odd and large pictures.
    side = min(max(64, width * 2, height * 2), 3072)
    square = Image.new("RGB", (side, side))
    subject: tuple[str | int, ...] = (prompt, model, width, height, *([seed] if seed else []))
    chance = random.Random(seed_of(*subject, index))
    # Stepping by index keeps neighbouring pictures of one request from sharing a palette.
    own = seed_of(model) + (seed_of(*subject) + index) % PALETTES_OF_A_MODEL
    palette = PALETTES[own % len(PALETTES)]
    colours = [tuple(bytes.fromhex(colour)) for colour in palette.split()]
    canvas = Canvas(square, ImageDraw.Draw(square, "RGBA"), chance, *colours)
    scene_of(prompt)(canvas)
    picture = ImageOps.fit(square, (width, height), centering=(0.5, 0.4))
    picture = _style(model)(picture, canvas)
    _stamp(picture, prompt)
    return picture


def _plain(picture: Image.Image, canvas: Canvas) -> Image.Image:
    del canvas
    return picture


def _duotone(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """Print in the two colours that are darkest and lightest."""
    from PIL import ImageOps

    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    return ImageOps.colorize(grey, canvas.near, canvas.light, canvas.far)


def _outlined(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """Draw ink along the edges."""
    from PIL import Image, ImageFilter

    width = max(1, min(picture.size) // 160)
    edges = picture.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda v: 255 * (v > 24))
    ink = edges.filter(ImageFilter.MaxFilter(width // 2 * 2 + 1))
    return Image.composite(Image.new("RGB", picture.size, canvas.near), picture, ink)


def _tiled(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """Lay the picture out in square stones."""
    from PIL import Image

    del canvas
    stone = max(2, min(picture.size) // 48)
    few = (max(1, picture.width // stone), max(1, picture.height // stone))
    return picture.resize(few, Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)


def _hatched(picture: Image.Image, canvas: Canvas) -> Image.Image:
    """Lay level strokes over the darker half, as an engraving has them."""
    from PIL import Image

    period = max(2, min(picture.size) // 100)
    rows = [bytes([255 * (y % period < period // 2)]) for y in range(picture.height)]
    strokes = Image.frombytes("L", (1, picture.height), b"".join(rows)).resize(picture.size)
    dark = picture.convert("L").point(lambda v: 150 if v < 128 else 40)
    lines = Image.composite(dark, Image.new("L", picture.size), strokes)
    return Image.composite(Image.new("RGB", picture.size, canvas.light), picture, lines)


STYLES = (_duotone, _hatched, _outlined, _tiled, _plain)


def _style(model: str) -> Callable[[Image.Image, Canvas], Image.Image]:
    """Return the style of a model; those that the service is known to have differ in theirs."""
    return STYLES[hashlib.sha256(model.encode("utf-8", "replace")).digest()[5] % len(STYLES)]


def encode(picture: Image.Image, image_format: str) -> bytes:
    """Return the bytes of the picture as a "png", "jpeg" or "webp" file without metadata."""
    out = io.BytesIO()
    picture.save(out, image_format, quality=90)
    return out.getvalue()


def _stamp(picture: Image.Image, prompt: str) -> None:
    """Mark the bottom with the word SANDBOX and the prompt, each where there is room."""
    from PIL import ImageDraw, ImageFont

    width, height = picture.size
    size = max(SMALLEST_TYPE, min(width, height) // 16)
    font, small, pad = ImageFont.load_default(size), ImageFont.load_default(size * 0.55), size // 2
    if font.getlength("SANDBOX") + 2 * pad > width or size * 4 > height:
        return
    line = _shorten(prompt, small, width - 2 * pad) if size * 0.55 >= SMALLEST_TYPE else ""
    top = height - round(size * (2.5 if line else 1.7))
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.rectangle((0, top, width, height), fill=(8, 10, 20, 150))
    pen.text((pad, top + size * 0.85), "SANDBOX", fill="white", font=font, anchor="lm")
    pen.text((pad, top + size * 1.9), line, fill=(255, 255, 255, 190), font=small, anchor="lm")


def _shorten(prompt: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return the start of the prompt as one line, about width pixels at most."""
    # The built-in font has little beyond ASCII; decomposing keeps the letter under an accent.
    plain = unicodedata.normalize("NFKD", prompt[:1000]).encode("ascii", "ignore").decode()
    line = re.sub(r"[^!-~]+", " ", plain).strip()
    room = int(len(line) * width / max(1, font.getlength(line)))
    return line if len(line) <= room else line[: room - 1].rstrip() + "…"
