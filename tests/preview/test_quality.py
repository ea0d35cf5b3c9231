"""Previews look like the picture: what a terminal shows of them is measured against it."""

import re
from collections.abc import Callable
from statistics import mean
from typing import NamedTuple

import pytest
from PIL import Image, ImageChops, ImageOps

from tools.bench import pictures
from tools.bench.preview import Row, quality
from tools.bench.raster import CELL, COURIER_PRIME, Theme
from tools.bench.renderers import ASCII, BLOCKS, STYLES, Renderer, ascii_magic

pytestmark = pytest.mark.slow


class Floor(NamedTuple):
    """What a style has to reach: SSIM and PSNR (dB) on average, and r in each picture."""

    ssim: float
    psnr: float
    r: float


PLAIN, HALVES = "ASCII, no colour", "half blocks, 256 colours"
# A little under what is measured.
FLOORS = {
    PLAIN: Floor(0.04, 6.5, 0.6),
    ASCII: Floor(0.605, 20.9, 0.99),
    f"{ASCII}, 256 colours": Floor(0.58, 19.1, 0.95),
    HALVES: Floor(0.81, 21.1, 0.95),
    BLOCKS: Floor(0.91, 27.8, 0.99),
    "kitty": Floor(0.99, 90, 0.99),
    "iterm2": Floor(0.99, 41, 0.99),
    "sixel": Floor(0.98, 36, 0.99),
}


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    """Pictures that are hard in different ways: edges, soft shapes, detail on each scale."""
    return [pictures.checks(), pictures.face(), pictures.clouds()]


def shortfalls(renderer: Renderer, drawn: list[Image.Image], floor: Floor) -> list[str]:
    """Return what of the renderer's work is under the floor."""
    rows: list[Row] = [quality(renderer, [picture], COURIER_PRIME) for picture in drawn]
    found = {
        "ssim": (mean(row.ssim for row in rows), floor.ssim),
        "psnr": (mean(row.psnr for row in rows), floor.psnr),
        "r on dark": (min(row.r_dark for row in rows), floor.r),
        "r on light": (min(row.r_light for row in rows), floor.r),
    }
    return [f"{name}: {value} < {least}" for name, (value, least) in found.items() if value < least]


@pytest.mark.parametrize("name", STYLES)
def test_each_style_comes_near_to_the_picture(name: str, drawn: list[Image.Image]) -> None:
    """Structure, colours and brightness are there, on a dark and on a light terminal."""
    assert not shortfalls(STYLES[name], drawn, FLOORS[name])


def test_coloured_cells_show_what_ascii_magic_itself_does_not(drawn: list[Image.Image]) -> None:
    """On the same cells, ascii-magic's eight colours keep hardly any of the structure."""
    ours, theirs = (
        quality(renderer, drawn, COURIER_PRIME) for renderer in (STYLES[ASCII], ascii_magic)
    )
    assert ours.ssim > 5 * theirs.ssim
    assert ours.psnr > theirs.psnr + 10


def exchanged(picture: Image.Image) -> Image.Image:
    """Return the picture with red for blue."""
    red, green, blue = picture.split()
    return Image.merge("RGB", (blue, green, red))


SPOILERS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "red for blue": exchanged,
    "dark for light": ImageOps.invert,
    "left for right": ImageOps.mirror,
    "a column late": lambda picture: ImageChops.offset(picture, CELL[0], 0),
    "a row late": lambda picture: ImageChops.offset(picture, 0, CELL[1]),
}


@pytest.mark.parametrize("spoiler", SPOILERS)
@pytest.mark.parametrize("name", [ASCII, BLOCKS])
def test_a_spoiled_picture_is_noticed(name: str, spoiler: str, drawn: list[Image.Image]) -> None:
    """The measures fall below the floor where the picture that is drawn is another."""

    def spoiled(picture: Image.Image, theme: Theme) -> str:
        return STYLES[name](SPOILERS[spoiler](picture), theme)

    assert shortfalls(spoiled, drawn, FLOORS[name])


@pytest.mark.parametrize("name", [ASCII, BLOCKS])
def test_ink_in_the_place_of_paper_is_noticed(name: str, drawn: list[Image.Image]) -> None:
    """The measures fall below the floor where a style takes its two colours for one another."""

    def turned(picture: Image.Image, theme: Theme) -> str:
        text = STYLES[name](picture, theme)
        return re.sub(r"38;2;([0-9;]+);48;2;([0-9;]+)m", r"38;2;\2;48;2;\1m", text)

    assert shortfalls(turned, drawn, FLOORS[name])


def test_a_negative_of_plain_ascii_is_noticed(drawn: list[Image.Image]) -> None:
    """Without colour the ramp alone has to follow the picture, on either background."""

    def negative(picture: Image.Image, theme: Theme) -> str:
        return STYLES[PLAIN](ImageOps.invert(picture), theme)

    assert shortfalls(negative, drawn, FLOORS[PLAIN])
