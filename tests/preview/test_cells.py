"""Characters and blocks: what stands in each cell, and in which colours."""

import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nscale_cli.preview import blocks, characters
from nscale_cli.preview.canvas import Canvas
from nscale_cli.preview.colour import RESET, nearest_of_256, sgr
from nscale_cli.preview.draw import Renderer
from tests.preview.conftest import picture

RGB = st.tuples(*[st.integers(0, 255)] * 3)
INK = 0.14  # of a cell, that a character covers
SHARES = {" ": 0.0, "▀": 0.5, "▌": 0.5, "▚": 0.5} | dict.fromkeys("▘▝▖▗", 0.25)
SHARES |= {glyph: count / 8 for count, glyph in enumerate("▁▂▃▄▅▆▇", start=1)}


def canvas(colours: int = 2**24, *, light: bool = False) -> Canvas:
    """Return a canvas of 40 x 20 cells."""
    return Canvas(columns=40, lines=20, colours=colours, light=light)


def screen_of(lines: list[str]) -> pyte.Screen:
    """Return a terminal that has shown the lines."""
    screen = pyte.Screen(80, 40)
    pyte.Stream(screen).feed("\r\n".join(lines))
    return screen


def rgb(hexadecimal: str) -> tuple[int, ...]:
    """Return pyte's colour as numbers."""
    return tuple(bytes.fromhex(hexadecimal))


@pytest.mark.parametrize("colours", [2**24, 256])
@pytest.mark.parametrize("render", [blocks.render, characters.render])
def test_every_line_is_as_wide_as_the_picture_and_ends_without_colour(
    render: Renderer, colours: int
) -> None:
    """So that nothing after it is coloured."""
    lines = render(picture(400, 300), canvas(colours))

    assert len(lines) == 15
    for line in lines:
        assert line.endswith(RESET)
        assert len(re.sub(r"\x1b\[[0-9;]*m", "", line)) == 40
        assert ("\x1b[38;2;" in line) is (colours > 256)
        assert ("\x1b[38;5;" in line) is (colours == 256)


def test_quadrants_show_four_pixels_a_cell_exactly() -> None:
    """Where four pixels have two colours, one character shows them."""
    drawn = Image.new("RGB", (8, 2), "white")
    for x, y in [(0, 0), (3, 1), (4, 0), (4, 1)]:
        drawn.putpixel((x, y), (255, 0, 0))

    row = screen_of(blocks.render(drawn, canvas())).buffer[0]

    assert [row[x].data for x in range(4)] == ["▘", "▗", "▌", " "]
    assert {(rgb(row[x].fg), rgb(row[x].bg)) for x in range(3)} == {((255, 0, 0), (255, 255, 255))}


def test_half_blocks_show_two_pixels_a_cell() -> None:
    """With 256 colours, the character is always the upper half."""
    drawn = Image.new("RGB", (4, 4), (255, 0, 0))
    drawn.paste((0, 0, 255), (0, 2, 4, 4))

    lines = blocks.render(drawn, Canvas(columns=40, lines=20, colours=256, cell_pixels=(2, 4)))

    assert lines == [sgr((255, 0, 0), (0, 0, 255), 256) + "▀▀" + RESET]


@pytest.mark.parametrize("render", [blocks.render, characters.render])
def test_a_cell_has_the_mean_colour_of_its_part_of_the_picture(render: Renderer) -> None:
    """That is what makes it recognisable, on a dark and on a light terminal."""
    drawn = picture(400, 400)
    screen = screen_of(render(drawn, canvas()))
    small = drawn.resize((40, 20), Image.Resampling.BOX)

    for y in range(20):
        for x in range(40):
            cell = screen.buffer[y][x]
            share = INK if render is characters.render else SHARES[cell.data]
            seen = [
                share * ink + (1 - share) * paper
                for ink, paper in zip(rgb(cell.fg), rgb(cell.bg), strict=True)
            ]
            assert seen == pytest.approx(small.getpixel((x, y)), abs=40)


def test_plain_characters_are_dense_where_it_is_bright() -> None:
    """On a dark terminal ink is light; on a light one it is the other way round."""
    drawn = Image.linear_gradient("L").rotate(90).resize((40, 40)).convert("RGB")

    dark, light = (characters.render(drawn, canvas(0, light=light)) for light in (False, True))

    assert all("\x1b" not in line for line in dark + light)
    assert all(line.isascii() and len(line) == 40 for line in dark + light)
    blank_left = dark[0][:5].count(" ") > dark[0][-5:].count(" ")
    assert blank_left is (light[0][:5].count(" ") < light[0][-5:].count(" "))
    assert dark != light


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1), (3, 2)])
@pytest.mark.parametrize("colours", [0, 256, 2**24])
@pytest.mark.parametrize("render", [blocks.render, characters.render])
def test_odd_shapes_stay_within_the_canvas(
    render: Renderer, size: tuple[int, int], colours: int
) -> None:
    """ascii-magic alone raises an error, or fills thousands of lines."""
    lines = render(picture(*size), canvas(colours))

    assert 1 <= len(lines) <= 20
    assert all(1 <= len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 40 for line in lines)


@given(RGB)
def test_the_nearest_of_256_colours_is_near(colour: tuple[int, int, int]) -> None:
    """None of xterm's own colours, 16 to 255, is nearer."""
    steps = (0, 95, 135, 175, 215, 255)
    table = {16 + 36 * r + 6 * g + b: (steps[r], steps[g], steps[b])
             for r in range(6) for g in range(6) for b in range(6)}  # fmt: skip
    table |= {232 + grey: (8 + 10 * grey,) * 3 for grey in range(24)}

    def error(number: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(table[number], colour, strict=True))

    assert error(nearest_of_256(colour)) == min(map(error, table))
