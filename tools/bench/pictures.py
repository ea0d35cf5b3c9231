"""The pictures that previews are measured on: all drawn here, but one photograph."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import ascii_magic
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from nscale_cli.sandbox import pictures as sandbox

SIDE = 800  # pixels: 80 cells of 10
_TEXT = (
    "The quick brown fox jumps over the lazy dog. 0123456789",
    "Pack my box with five dozen liquor jugs!",
    "Sphinx of black quartz, judge my vow.",
)
_PROMPTS = ("A sunset over mountains", "A city skyline at night", "A cat playing the piano")


def all_pictures() -> dict[str, Image.Image]:
    """Return the pictures by name, each of SIDE x SIDE pixels, RGB."""
    pictures = {prompt: _sandboxed(prompt) for prompt in _PROMPTS}
    drawn: list[Callable[[], Image.Image]] = [colours, greys, text, lines, checks, face, clouds]
    pictures |= {drawing.__name__: drawing() for drawing in drawn}
    # ascii-magic's package (MIT) has a photograph in its tests; it is only read, never copied.
    photograph = Path(ascii_magic.__file__).parent / "tests" / "lion.jpg"
    if photograph.exists():
        with Image.open(photograph) as lion:
            pictures["photograph"] = ImageOps.fit(lion.convert("RGB"), (SIDE, SIDE))
    return pictures


def _sandboxed(prompt: str) -> Image.Image:
    return sandbox.draw(prompt=prompt, model="any", width=SIDE, height=SIDE, index=0)


def colours() -> Image.Image:
    """Draw every hue, from black through full colour to white."""
    hue = Image.linear_gradient("L").rotate(90).resize((SIDE, SIDE))
    light = Image.linear_gradient("L").resize((SIDE, SIDE))
    full = Image.new("L", (SIDE, SIDE), 255)
    vivid = Image.merge("HSV", (hue, full, full)).convert("RGB")
    shade = Image.merge("RGB", [light.point(lambda value: min(255, 2 * value))] * 3)
    tint = Image.merge("RGB", [light.point(lambda value: max(0, 2 * value - 255))] * 3)
    return ImageChops.lighter(ImageChops.multiply(vivid, shade), tint)


def greys() -> Image.Image:
    """Draw black at the edge to white in the middle, without an edge between."""
    return ImageOps.invert(Image.radial_gradient("L")).resize((SIDE, SIDE)).convert("RGB")


def text() -> Image.Image:
    """Draw a page of text, each line larger than the last."""
    picture = Image.new("RGB", (SIDE, SIDE), "#fbf7ee")
    pen, y, size = ImageDraw.Draw(picture), 16.0, 14.0
    while y < SIDE:
        line = _TEXT[round(size) % len(_TEXT)]
        pen.text((16, y), line, fill="#1b1b2a", font=ImageFont.load_default(size))
        y, size = y + size * 1.3, size * 1.2
    return picture


def lines() -> Image.Image:
    """Draw fine lines in colours, at every angle."""
    picture = Image.new("RGB", (SIDE * 2, SIDE * 2), "#10131c")
    pen, middle = ImageDraw.Draw(picture), SIDE
    for step in range(72):
        angle = math.tau * step / 72
        end = (middle + 2 * SIDE * math.cos(angle), middle + 2 * SIDE * math.sin(angle))
        pen.line((middle, middle, *end), fill=f"hsl({step * 5}, 90%, 65%)", width=5)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def checks() -> Image.Image:
    """Draw tiles in bold colours, from large to tiny, across the borders of cells."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    pen, chance = ImageDraw.Draw(picture), random.Random(7)
    top, side = -5, 133
    while top < SIDE:
        for left in range(-7, SIDE, side):
            colour = f"hsl({chance.randrange(360)}, 80%, {chance.randrange(10, 90)}%)"
            pen.rectangle((left, top, left + side - 2, top + side - 2), fill=colour)
        top, side = top + side, max(17, side * 6 // 7)
    return picture


def face() -> Image.Image:
    """Draw a portrait: soft skin, hair, eyes, a mouth."""
    picture = Image.new("RGB", (SIDE, SIDE), "#7d93a6")
    pen = ImageDraw.Draw(picture)
    for box, colour in [
        ((150, 660, 650, 1100), "#39424e"),  # shoulders
        ((330, 560, 470, 740), "#c99274"),  # neck
        ((205, 90, 595, 600), "#3b2417"),  # hair
        ((240, 150, 560, 650), "#e3b291"),  # face
        ((225, 100, 575, 290), "#3b2417"),  # fringe
        ((270, 450, 360, 520), "#e59f8c"),  # cheeks
        ((440, 450, 530, 520), "#e59f8c"),
        ((355, 535, 445, 575), "#a3473f"),  # mouth
        ((375, 400, 425, 490), "#d29f7e"),  # nose
    ]:
        pen.ellipse(box, fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(6))
    pen = ImageDraw.Draw(picture)
    for x in (320, 480):
        pen.ellipse((x - 40, 355, x + 40, 400), fill="#f6f1ec", outline="#2a1a12", width=4)
        pen.ellipse((x - 19, 358, x + 19, 396), fill="#4c6b4a")
        pen.ellipse((x - 9, 368, x + 9, 386), fill="#0c0c0c")
        pen.arc((x - 55, 310, x + 55, 400), 205, 335, fill="#2f1c12", width=11)
    pen.line((355, 555, 445, 555), fill="#6d2a26", width=4)
    return picture.filter(ImageFilter.GaussianBlur(1))


def clouds() -> Image.Image:
    """Draw noise on every scale, as skies and stones have it."""
    chance, bands = random.Random(11), []
    for _ in range(3):
        band = Image.new("L", (SIDE, SIDE), 128)
        for size, share in ((3, 0.5), (7, 0.5), (17, 0.4), (50, 0.3), (160, 0.25)):
            noise = Image.frombytes("L", (size, size), chance.randbytes(size * size))
            band = Image.blend(band, noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC), share)
        bands.append(ImageOps.autocontrast(band, cutoff=1))
    return Image.merge("RGB", bands)
