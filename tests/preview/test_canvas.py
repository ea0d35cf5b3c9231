"""How large a picture is drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nscale_cli.preview.canvas import Canvas, rgb_rows, shrink
from tests.preview.conftest import picture

SIDES = st.integers(1, 20_000)


@given(
    width=SIDES,
    height=SIDES,
    columns=st.integers(1, 500),
    lines=st.integers(1, 200),
    cell=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 120)),
    per_column=st.sampled_from([1, 2, 10, 24]),
)
def test_a_picture_fits_and_is_never_enlarged(
    width: int,
    height: int,
    columns: int,
    lines: int,
    cell: tuple[int, int] | None,
    per_column: int,
) -> None:
    """At least one cell, at most the canvas, and no more columns than it has pixels for."""
    canvas = Canvas(columns=columns, lines=lines, cell_pixels=cell)

    across, down = canvas.cells_for(width, height, pixels_per_column=per_column)

    assert 1 <= across <= min(columns, max(1, width / per_column + 0.5))
    assert 1 <= down <= lines


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        ((512, 512), (72, 36)),
        ((1792, 1024), (80, 23)),
        ((1024, 1792), (41, 36)),
        ((1, 4000), (1, 36)),
        ((4000, 1), (80, 1)),
        ((10, 10), (10, 5)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_picture_keeps_its_shape(size: tuple[int, int], cells: tuple[int, int]) -> None:
    """On cells twice as high as wide."""
    canvas = Canvas(columns=80, lines=36)

    assert canvas.cells_for(*size, pixels_per_column=1) == cells


@pytest.mark.parametrize(
    ("cell", "ratio"),
    [(None, 2.0), ((10, 20), 2.0), ((8, 18), 2.25), ((9, 9), 1.0), ((20, 10), 1.0), ((1, 99), 4.0)],
)
def test_the_shape_of_a_cell_counts(cell: tuple[int, int] | None, ratio: float) -> None:
    """Within what a font can be: some terminals tell nonsense."""
    canvas = Canvas(columns=80, lines=100, cell_pixels=cell)

    assert canvas.cell_ratio == ratio
    assert canvas.cells_for(800, 800, pixels_per_column=1) == (80, round(80 / ratio))


@pytest.mark.parametrize(
    ("columns", "cell", "most"),
    [(80, None, 1280), (80, (24, 48), 1920), (1, None, 16), (10_000, (24, 48), 4096)],
)
def test_no_more_pixels_are_kept_than_can_be_shown(
    columns: int, cell: tuple[int, int] | None, most: int
) -> None:
    """Fine screens get more of them, up to a limit."""
    assert Canvas(columns=columns, lines=36, cell_pixels=cell).most_pixels == most


def test_a_pixel_is_the_mean_of_what_it_covers() -> None:
    """Nothing of the picture is skipped."""
    small = shrink(picture(64, 64), 1, 1)

    assert small.getpixel((0, 0)) == pytest.approx((127, 127, 96), abs=2)


def test_the_colours_of_a_picture_come_in_rows() -> None:
    """From left to right, from top to bottom."""
    drawn = picture(3, 2)

    rows = rgb_rows(drawn)

    assert rows == [[drawn.getpixel((x, y)) for x in range(3)] for y in range(2)]
