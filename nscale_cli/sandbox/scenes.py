"""The scenes that the sandbox paints, and the canvas with its brushes."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random

    from PIL import Image, ImageDraw

Colour = tuple[int, ...]  # red, green, blue, and alpha where it is translucent
HALF_FIR = "0,-1 .06,-.77 .03,-.8 .12,-.54 .07,-.57 .18,-.31 .1,-.34 .24,-.09 .24,.1 0,.1"
ROOFS = ["-.5,0 .5,0", "-.5,0 .5,-.5", "-.5,0 -.3,-.3 -.05,-.3 0,-1.6 .05,-.3 .3,-.3 .5,0"]
PANE, KEY = "-.25,0 .25,0 .25,.7 -.25,.7", "0,0 .004,0 .004,1 0,1"
KEY_WITH_SHARP = "-.018,0 .022,0 .022,.08 .004,.08 .004,1 0,1 0,.08 -.018,.08"


class Canvas(NamedTuple):
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
        column = ramp.resize((1, round(horizon * side)), Image.Resampling.BILINEAR)
        self.picture.paste(column.resize((side, column.height), Image.Resampling.NEAREST))
        for _ in range(70 if sum(self.top) < 240 else 0):
            self.oval(chance.random(), chance.random() * horizon / 2, 0.002, (*self.light, 150))
        x, y = chance.uniform(0.25, 0.75), chance.uniform(0.25, 0.36)
        self.halo(x, y, radius * 4)
        self.oval(x, y, radius, self.light)
        return x

    def halo(self, x: float, y: float, radius: float) -> None:
        """Lay a light about (x, y) that fades away; of a large one, only what is seen is made."""
        from PIL import Image

        side, wide = self.picture.width, round(radius * 2 * self.picture.width)
        left, top = round((x - radius) * side), round((y - radius) * side)
        seen = (max(0, left), max(0, top), min(side, left + wide), min(side, top + wide))
        # The gradient grows with the distance from the centre and is 181 at the middle of an edge.
        fade = [round(max(0, 1 - v / 178) ** 1.5 * 200) for v in range(256)]
        scale = 256 / wide
        light = (
            Image.radial_gradient("L")
            .point(fade)
            .resize(
                (seen[2] - seen[0], seen[3] - seen[1]),
                box=tuple(
                    (v - start) * scale for v, start in zip(seen, (left, top) * 2, strict=True)
                ),  # type: ignore[arg-type]
            )
        )
        self.picture.paste(self.light, seen[:2], light)

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
        """Paint ranges behind a lake, with firs on the near shore."""
        x = self.sky(0.63, 0.085)
        for i in range(4):
            self.land(self.ridge(), 0.41 + 0.06 * i, 0.16 - 0.025 * i, self.layer(i / 4.5))
        self.water(0.63, x)
        self.firs(0.94, 0.12, self.near)

    def city(self) -> None:
        """Paint a skyline by the water."""
        x = self.sky(0.75, 0.11)
        for depth, i in product(range(3), range(12)):
            y = 0.75 - self.chance.uniform(0.2, 0.52 - 0.1 * depth)
            self.tower((i + self.chance.random() * 0.6) / 11, y, depth)
        self.water(0.75, x)

    def forest(self) -> None:
        """Paint firs on hills, the far ones pale."""
        self.sky(1, 0.1)
        for i in range(5):
            self.firs(0.5 + 0.115 * i, 0.1 + 0.055 * i, self.layer(i / 4))

    def sea(self) -> None:
        """Paint a boat and waves under a low light."""
        self.water(0.5, self.sky(0.5, 0.1))
        boat = self.chance.uniform(0.15, 0.85)
        self.shape(boat, 0.61, 0.1, "-.6,-.12 .7,-.12 .45,.3 -.4,.3", self.near)
        self.shape(boat, 0.61, 0.1, "0,-1.2 0,-.2 .6,-.2", self.light)
        for i in range(5):
            rolls, phase = self.chance.uniform(17, 25) - i * 2.8, self.chance.uniform(0, math.pi)
            line = [-abs(math.sin(phase + n / 160 * rolls)) for n in range(161)]
            self.land(line, 0.63 + 0.08 * i, 0.018 + 0.009 * i, self.layer(i / 4))

    def abstract(self) -> None:
        """Paint translucent fields and discs."""
        self.sky(1, 0.2)
        chance, colours = self.chance, (self.far, self.low, self.light, self.near, self.top)
        for i in range(5):
            self.land([chance.random(), chance.random()], 0.4 + 0.2 * i, 0.5, (*colours[i], 130))
        for i in range(14):
            self.oval(chance.random(), chance.random(), 1 / (4 + i), (*colours[i % 5], 180))

    def cat(self) -> None:
        """Paint a cat on a piano before a large moon."""
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
    Canvas.cat: "cat cats kitten piano",
    Canvas.city: "city cities futuristic skyline skyscraper town street",
    Canvas.forest: "forest forests tree trees wood woods jungle",
    Canvas.sea: "sea seas ocean oceans wave waves beach moon boat",
    Canvas.mountains: "mountain mountains sunset sunrise lake hill hills landscape",
    Canvas.abstract: "abstract painting pattern shapes",
}


def scene_of(prompt: str) -> Callable[[Canvas], None]:
    """Return the painter of the first scene the prompt names, else one chosen by its hash."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    named = (painter for painter, keywords in SCENES.items() if words & set(keywords.split()))
    return next(named, list(SCENES)[seed_of(prompt) % len(SCENES)])


def seed_of(*parts: str | int) -> int:
    """Return a large number that is always the same for the same parts."""
    # JSON keeps the parts apart and has an ASCII spelling even for lone surrogates.
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest())
