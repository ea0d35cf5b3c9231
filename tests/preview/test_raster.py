"""The bench's terminal of pixels shows what a terminal shows, and measures as its sources say."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from nscale_cli.preview import pixels
from nscale_cli.preview.canvas import Canvas
from tools.bench.measures import correlation, psnr, ssim
from tools.bench.raster import CELL, DARK, LIGHT, Pixels, mask_of, rasterise

RED, BLUE = (255, 0, 0), (0, 0, 255)
RED_ON_BLUE = "\x1b[38;2;255;0;0;48;2;0;0;255m"
WIDTH, HEIGHT = CELL


def block(red_at: Callable[[int, int], bool]) -> list[list[tuple[int, int, int]]]:
    """Return one cell that is red where `red_at` (x, y) says, else blue."""
    return [[RED if red_at(x, y) else BLUE for x in range(WIDTH)] for y in range(HEIGHT)]


@pytest.mark.parametrize(
    ("character", "red_at"),
    [
        (" ", lambda x, y: False),
        ("█", lambda x, y: True),
        ("▀", lambda x, y: y < 10),
        ("▄", lambda x, y: y >= 10),
        ("▌", lambda x, y: x < 5),
        ("▐", lambda x, y: x >= 5),
        ("▘", lambda x, y: x < 5 and y < 10),
        ("▝", lambda x, y: x >= 5 and y < 10),
        ("▖", lambda x, y: x < 5 and y >= 10),
        ("▗", lambda x, y: x >= 5 and y >= 10),
        ("▚", lambda x, y: (x < 5) == (y < 10)),
        ("▞", lambda x, y: (x < 5) != (y < 10)),
        ("▛", lambda x, y: x < 5 or y < 10),
        ("▙", lambda x, y: x < 5 or y >= 10),
        ("▂", lambda x, y: y >= 15),
        ("▆", lambda x, y: y >= 5),
    ],
)
def test_a_block_is_a_rectangle_of_ink(character: str, red_at: Callable[[int, int], bool]) -> None:
    """Block characters are drawn to the pixel."""
    assert np.array_equal(rasterise(RED_ON_BLUE + character), block(red_at))


@pytest.mark.parametrize(
    ("escape", "colour"),
    [
        ("38;2;1;2;3", (1, 2, 3)),
        ("38;5;9", (255, 0, 0)),
        ("38;5;16", (0, 0, 0)),
        ("38;5;110", (135, 175, 215)),
        ("38;5;232", (8, 8, 8)),
        ("38;5;255", (238, 238, 238)),
        ("31", (205, 0, 0)),
        ("94", (92, 92, 255)),
        ("48;5;110;7", (135, 175, 215)),
        ("102;7", (0, 255, 0)),
        ("31;39", DARK.ink),
        ("31;0", DARK.ink),
    ],
)
def test_each_way_to_name_a_colour_is_understood(escape: str, colour: tuple[int, int, int]) -> None:
    """Exact colours, xterm's 256, the sixteen, inverse and defaults."""
    assert (rasterise(f"\x1b[{escape}m█") == colour).all()


def test_an_unset_colour_is_the_terminals_own() -> None:
    """A space is black on a dark terminal and white on a light one."""
    assert not rasterise(" ", DARK).any()
    assert (rasterise(" ", LIGHT) == 255).all()


def test_lines_become_rows_of_cells() -> None:
    """A short line is filled with the terminal's paper."""
    shown = rasterise("\x1b[?25l\x1b[31m██\x1b[0m\n\x1b[32m█\x1b[0m\n")
    assert shown.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert not shown[HEIGHT:, WIDTH:].any()


def test_characters_have_the_shape_of_their_font() -> None:
    """An M has more ink than a full stop, which stands at the bottom."""
    assert mask_of("M").sum() > 5 * mask_of(".").sum() > 0
    assert not mask_of(".")[: HEIGHT // 2].any()


@pytest.mark.parametrize(
    ("style", "least_psnr"), [(pixels.kitty, 99), (pixels.iterm2, 30), (pixels.sixel, 30)]
)
def test_the_payload_of_a_pixel_protocol_is_decoded(
    style: Callable[[Image.Image, Canvas], list[str]], least_psnr: float
) -> None:
    """What kitty, iTerm2 and sixel carry comes back as it was."""
    picture = Image.radial_gradient("L").resize((200, 200)).convert("RGB")
    picture.paste((250, 30, 60), (20, 30, 90, 100))
    canvas = Canvas(columns=80, lines=40, colours=2**24, cell_pixels=CELL)
    shown = rasterise("\n".join(style(picture, canvas)))
    assert shown.shape == (200, 200, 3)
    assert psnr(shown, np.asarray(picture)) >= least_psnr


def noise(seed: int) -> Pixels:
    """Return a picture of random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (160, 160, 3), np.uint8)


def test_a_picture_is_as_near_as_can_be_to_itself() -> None:
    """Structure, colours and brightness are all there."""
    one = noise(1)
    assert ssim(one, one) == pytest.approx(1)
    assert psnr(one, one) == 99
    assert correlation(one, one) == pytest.approx(1)


def test_a_negative_has_the_opposite_correlation() -> None:
    """Dark for light is -1, and structure against structure."""
    one = noise(2)
    assert correlation(one, 255 - one) == pytest.approx(-1)
    assert ssim(one, 255 - one) < -0.5


def test_two_plain_surfaces_differ_by_the_formula_alone() -> None:
    """Without structure SSIM is its term of brightness, and PSNR that of the one difference."""
    one, other = (np.full((160, 160, 3), value, np.uint8) for value in (100, 120))
    c1 = (0.01 * 255) ** 2
    assert ssim(one, other) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))
    assert psnr(one, other) == pytest.approx(20 * np.log10(255 / 20))


def test_noise_is_unlike_other_noise() -> None:
    """Two random pictures have nothing in common."""
    assert abs(ssim(noise(3), noise(4))) < 0.1
    assert abs(correlation(noise(3), noise(4))) < 0.3
