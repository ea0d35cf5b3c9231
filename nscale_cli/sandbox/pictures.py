"""The sandbox's pictures: posters drawn from a prompt, plainly marked as not the real thing."""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, ...]  # red, green, blue, and alpha where it is translucent
SMALLEST_TYPE = 9  # pixels; below this letters are not readable
PALETTES = [  # top, low, light, far and near, as in _Canvas
    "3a1c5c ff9a62 fff0c4 d0626f 22112f",
    "0b1440 5f6fb8 fdf3c9 41509a 080d26",
    "0f4c6c f9c795 fff3d6 5d93a0 0a2436",
    "6a4391 ffb5a0 fff4e0 c4749c 2a1946",
    "e06f55 ffdc98 fffbe8 c47a5c 3a1a2c",
    "10262f 4fb0a0 f4f7d0 2f7f80 061a20",
]
PALETTES_OF_A_MODEL = 3  # neighbours among them
HALF_FIR = "0,-1 .06,-.77 .03,-.8 .12,-.54 .07,-.57 .18,-.31 .1,-.34 .24,-.09 .24,.1 0,.1"
ROOFS = ["-.5,0 .5,0", "-.5,0 .5,-.5", "-.5,0 -.3,-.3 -.05,-.3 0,-1.6 .05,-.3 .3,-.3 .5,0"]
PANE, KEY = "-.25,0 .25,0 .25,.7 -.25,.7", "0,0 .004,0 .004,1 0,1"
KEY_WITH_SHARP = "-.018,0 .022,0 .022,.08 .004,.08 .004,1 0,1 0,.08 -.018,.08"


class _Canvas(NamedTuple):
    """A square picture in progress; places and sizes on it are shares of its side."""

    picture: Image.Image
    pen: ImageDraw.ImageDraw
    chance: random.Random
    top: Colour  # the sky overhead
    low: Colour  # the sky at the horizon
    light: Colour
    far: Colour
    near: Colour

    def layer(self, share: float) -> Colour:
        """Return the colour at a share of the way from far to near."""
        return tuple(round(a + (b - a) * share) for a, b in zip(self.far, self.near, strict=True))

    def oval(self, x: float, y: float, radius: float, fill: Colour, flat: float = 1) -> None:
        """Fill an oval about (x, y), flat times as high as wide."""
        box = (x - radius, y - radius * flat, x + radius, y + radius * flat)
        self.pen.ellipse([v * self.picture.width for v in box], fill=fill)

    def shape(self, x: float, y: float, size: float, corners: str, fill: Colour) -> None:
        """Fill a polygon of "dx,dy" corners, in sizes from (x, y); a negative size mirrors it."""
        side, pairs = self.picture.width, (map(float, pair.split(",")) for pair in corners.split())
        points = [((x + dx * size) * side, (y + dy * abs(size)) * side) for dx, dy in pairs]
        self.pen.polygon(points, fill=fill)

    def land(self, line: list[float], y: float, swing: float, fill: Colour) -> None:
        """Fill all below a line of heights, in swings above y, spread over the width."""
        side, step = self.picture.width, self.picture.width / (len(line) - 1)
        outline = [(i * step, (y - v * swing) * side) for i, v in enumerate(line)]
        self.pen.polygon([*outline, (side, side), (0, side)], fill=fill)

    def ridge(self) -> list[float]:
        """Return a jagged line of 129 heights, about -1 to 1, by midpoint displacement."""
        line = [self.chance.uniform(-0.6, 0.6) for _ in range(3)]
        for swing in (0.9, 0.45, 0.22, 0.11, 0.06, 0.03):
            middles = [(a + b) / 2 + self.chance.uniform(-swing, swing) for a, b in pairwise(line)]
            line = [v for pair in zip(line, middles, strict=False) for v in pair] + line[-1:]
        return line

    def sky(self, horizon: float, radius: float) -> float:
        """Paint a sky down to the horizon, starry when dark; return the x of its sun or moon."""
        from PIL import Image, ImageOps

        chance, side = self.chance, self.picture.width
        ramp = ImageOps.colorize(Image.linear_gradient("L").resize((1, 256)), self.top, self.low)
        self.picture.paste(ramp.resize((side, round(horizon * side)), Image.Resampling.BILINEAR))
        for _ in range(70 if sum(self.top) < 240 else 0):
            self.oval(chance.random(), chance.random() * horizon / 2, 0.002, (*self.light, 150))
        x, y, reach = chance.uniform(0.25, 0.75), chance.uniform(0.25, 0.36), radius * 4
        # The gradient grows with the distance from the centre and is 181 at the middle of an edge.
        fade = [round(max(0, 1 - v / 178) ** 1.5 * 200) for v in range(256)]
        halo = Image.radial_gradient("L").point(fade).resize((round(reach * 2 * side),) * 2)
        self.picture.paste(self.light, (round((x - reach) * side), round((y - reach) * side)), halo)
        self.oval(x, y, radius, self.light)
        return x

    def water(self, horizon: float, x: float) -> None:
        """Mirror what is above the horizon in still water, with glints under a light at x."""
        from PIL import Image, ImageOps

        chance, side, edge = self.chance, self.picture.width, round(horizon * self.picture.width)
        mirror = ImageOps.flip(self.picture.crop((0, 0, side, edge))).resize((side, side - edge))
        tinted = Image.blend(mirror, Image.new("RGB", mirror.size, self.layer(0.4)), 0.5)
        self.picture.paste(tinted, (0, edge))
        for depth in [i / 34 for i in range(1, 34)]:
            across = x + 0.09 * chance.uniform(-1, 1) * (0.3 + depth)
            radius = (0.015 + 0.05 * depth) * chance.uniform(0.3, 1)
            self.oval(across, horizon + depth * (1 - horizon), radius, (*self.light, 130), 0.07)

    def firs(self, y: float, tall: float, fill: Colour) -> None:
        """Fill uneven land from y down and plant it with firs about as high as tall."""
        line, count = self.ridge(), round(3.3 / tall)
        for x in [(i + self.chance.random()) / count for i in range(count)]:
            size = tall * self.chance.uniform(0.6, 1.1)
            for half in (-size, size):
                self.shape(x, y - line[round(x * 128)] * 0.05, half, HALF_FIR, fill)
        self.land(line, y, 0.05, fill)

    def tower(self, x: float, y: float, depth: int) -> None:
        """Draw a building with its roof at (x, y), its windows lit unless it is far, depth 0."""
        chance, wide = self.chance, self.chance.uniform(0.06, 0.12)
        corners = chance.choice(ROOFS) + " .5,9 -.5,9"
        self.shape(x, y, wide * chance.choice((-1, 1)), corners, self.layer(depth / 2))
        cell, lit = wide / chance.uniform(4.2, 6), (*self.light, 60 + 90 * depth)
        for column, row in product((-1.5, -0.5, 0.5, 1.5), range(int((0.7 - y) / cell))):
            if depth and chance.random() < 0.45:
                self.shape(x + column * cell, y + (row * 1.25 + 0.6) * cell, cell, PANE, lit)

    def mountains(self) -> None:
        x = self.sky(0.63, 0.085)
        for i in range(4):
            self.land(self.ridge(), 0.41 + 0.06 * i, 0.16 - 0.025 * i, self.layer(i / 4.5))
        self.water(0.63, x)
        self.firs(0.94, 0.12, self.near)

    def city(self) -> None:
        x = self.sky(0.75, 0.11)
        for depth, i in product(range(3), range(12)):
            y = 0.75 - self.chance.uniform(0.2, 0.52 - 0.1 * depth)
            self.tower((i + self.chance.random() * 0.6) / 11, y, depth)
        self.water(0.75, x)

    def forest(self) -> None:
        self.sky(1, 0.1)
        for i in range(5):
            self.firs(0.5 + 0.115 * i, 0.1 + 0.055 * i, self.layer(i / 4))

    def sea(self) -> None:
        self.water(0.5, self.sky(0.5, 0.1))
        boat = self.chance.uniform(0.15, 0.85)
        self.shape(boat, 0.61, 0.1, "-.6,-.12 .7,-.12 .45,.3 -.4,.3", self.near)
        self.shape(boat, 0.61, 0.1, "0,-1.2 0,-.2 .6,-.2", self.light)
        for i in range(5):
            rolls, phase = self.chance.uniform(17, 25) - i * 2.8, self.chance.uniform(0, math.pi)
            line = [-abs(math.sin(phase + n / 160 * rolls)) for n in range(161)]
            self.land(line, 0.63 + 0.08 * i, 0.018 + 0.009 * i, self.layer(i / 4))

    def abstract(self) -> None:
        self.sky(1, 0.2)
        chance, colours = self.chance, (self.far, self.low, self.light, self.near, self.top)
        for i in range(5):
            self.land([chance.random(), chance.random()], 0.4 + 0.2 * i, 0.5, (*colours[i], 130))
        for i in range(14):
            self.oval(chance.random(), chance.random(), 1 / (4 + i), (*colours[i % 5], 180))

    def cat(self) -> None:
        near, x = self.near, self.sky(1, 0.28)
        for i in range(121):
            bend = 0.1 + i / 600 - 0.07 * math.sin(i / 20)
            self.oval(x + (bend if x < 0.5 else -bend), 0.68 - i / 333, 0.02, near)
        self.oval(x, 0.63, 0.14, near, 1.8)
        self.oval(x, 0.36, 0.125, near, 0.8)
        self.land([0, 0], 0.68, 0, self.layer(0.6))
        self.land([0, 0], 0.71, 0, self.light)
        for i in range(17):
            self.shape(i / 16, 0.71, 1, KEY if i % 7 in (2, 6) else KEY_WITH_SHARP, near)
        for side in (-1, 1):
            self.shape(x, 0.36, side, ".118,-.03 .11,-.17 .03,-.09", near)
            self.oval(x + side * 0.05, 0.36, 0.021, self.light)
            self.oval(x + side * 0.05, 0.36, 0.012, near)
            self.oval(x + side * 0.09, 0.7, 0.04, near)


SCENES = {
    _Canvas.cat: "cat cats kitten piano",
    _Canvas.city: "city cities futuristic skyline skyscraper town street",
    _Canvas.forest: "forest forests tree trees wood woods jungle",
    _Canvas.sea: "sea seas ocean oceans wave waves beach moon boat",
    _Canvas.mountains: "mountain mountains sunset sunrise lake hill hills landscape",
    _Canvas.abstract: "abstract painting pattern shapes",
}


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
    chance = random.Random(_seed(*subject, index))
    # Stepping by index keeps neighbouring pictures of one request from sharing a palette.
    own = _seed(model) + (_seed(*subject) + index) % PALETTES_OF_A_MODEL
    palette = PALETTES[own % len(PALETTES)]
    colours = [tuple(bytes.fromhex(colour)) for colour in palette.split()]
    canvas = _Canvas(square, ImageDraw.Draw(square, "RGBA"), chance, *colours)
    _scene(prompt)(canvas)
    picture = ImageOps.fit(square, (width, height), centering=(0.5, 0.4))
    picture = _style(model)(picture, canvas)
    _stamp(picture, prompt)
    return picture


def _plain(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    del canvas
    return picture


def _duotone(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    """Print in the two colours that are darkest and lightest."""
    from PIL import ImageOps

    grey = ImageOps.autocontrast(picture.convert("L"), cutoff=1)
    return ImageOps.colorize(grey, canvas.near, canvas.light, canvas.far)


def _outlined(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    """Draw ink along the edges."""
    from PIL import Image, ImageFilter

    width = max(1, min(picture.size) // 160)
    edges = picture.convert("L").filter(ImageFilter.FIND_EDGES).point(lambda v: 255 * (v > 24))
    ink = edges.filter(ImageFilter.MaxFilter(width // 2 * 2 + 1))
    return Image.composite(Image.new("RGB", picture.size, canvas.near), picture, ink)


def _tiled(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    """Lay the picture out in square stones."""
    from PIL import Image

    del canvas
    stone = max(2, min(picture.size) // 48)
    few = (max(1, picture.width // stone), max(1, picture.height // stone))
    return picture.resize(few, Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)


def _hatched(picture: Image.Image, canvas: _Canvas) -> Image.Image:
    """Lay level strokes over the darker half, as an engraving has them."""
    from PIL import Image

    period = max(2, min(picture.size) // 100)
    rows = [bytes([255 * (y % period < period // 2)]) for y in range(picture.height)]
    strokes = Image.frombytes("L", (1, picture.height), b"".join(rows)).resize(picture.size)
    dark = picture.convert("L").point(lambda v: 150 if v < 128 else 40)
    lines = Image.composite(dark, Image.new("L", picture.size), strokes)
    return Image.composite(Image.new("RGB", picture.size, canvas.light), picture, lines)


STYLES = (_duotone, _hatched, _outlined, _tiled, _plain)


def _style(model: str) -> Callable[[Image.Image, _Canvas], Image.Image]:
    """Return the style of a model; those that the service is known to have differ in theirs."""
    return STYLES[hashlib.sha256(model.encode("utf-8", "replace")).digest()[5] % len(STYLES)]


def encode(picture: Image.Image, image_format: str) -> bytes:
    """Return the bytes of the picture as a "png", "jpeg" or "webp" file without metadata."""
    out = io.BytesIO()
    picture.save(out, image_format, quality=90)
    return out.getvalue()


def _seed(*parts: str | int) -> int:
    # JSON keeps the parts apart and has an ASCII spelling even for lone surrogates.
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest())


def _scene(prompt: str) -> Callable[[_Canvas], None]:
    """Return the painter of the first scene the prompt names, else one chosen by its hash."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    named = (painter for painter, keywords in SCENES.items() if words & set(keywords.split()))
    return next(named, list(SCENES)[_seed(prompt) % len(SCENES)])


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
