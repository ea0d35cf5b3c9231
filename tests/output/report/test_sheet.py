"""Sheets as PNG files."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from nscale_cli.output.report.cells import Cell, Run, State
from nscale_cli.output.report.fonts import Fonts
from nscale_cli.output.report.grid import arrange
from nscale_cli.output.report.pictures import read
from nscale_cli.output.report.sheet import draw
from nscale_cli.output.report.sheet_layout import Place, Sheet, lay_out
from tests.output.report.runs import MODELS, REFUSED, changed, drawn, make_run


def laid_out(run: Run) -> Sheet:
    """Return the one sheet of a run."""
    return lay_out(arrange(run), Fonts({}, directories=()))[0]


def picture_of(sheet: Sheet) -> Image.Image:
    """Return the sheet as it is drawn."""

    def picture(cell: Cell) -> Image.Image:
        assert cell.image is not None and cell.image.path is not None
        return read(cell.image.path, 512)

    return Image.open(io.BytesIO(draw(sheet, picture)))


def crop(picture: Image.Image, place: Place) -> Image.Image:
    """Return what is drawn in a place."""
    return picture.crop((place.x, place.y, place.x + place.width, place.y + place.height))


def test_each_picture_stands_in_its_place(tmp_path: Path) -> None:
    """Scaled as a whole, and hidden by nothing."""
    run = drawn(make_run(models=MODELS, sizes=("300x200",), prompts="ab"), tmp_path)
    sheet = laid_out(run)
    picture = picture_of(sheet)

    assert picture.size == (sheet.width, sheet.height)
    for place in sheet.places:
        assert place.cell is not None and place.cell.image is not None
        with Image.open(str(place.cell.image.path)) as original:
            assert crop(picture, place).tobytes() == original.convert("RGB").tobytes()


def test_failed_and_unsent_cells_look_different_from_each_other(tmp_path: Path) -> None:
    """One is hatched grey, the other is an empty frame of dashes."""
    run = drawn(changed(make_run(models=MODELS), {0: REFUSED, 1: State.NOT_SENT}), tmp_path)
    sheet = laid_out(run)
    picture = picture_of(sheet)
    below_text = [crop(picture, place).crop((2, 120, 300, 380)) for place in sheet.places[:2]]

    assert len(below_text[0].getcolors() or ()) > 1
    assert below_text[1].getcolors() == [(298 * 260, (255, 255, 255))]
    left_edge = crop(picture, sheet.places[1]).crop((0, 0, 1, 384)).getcolors() or ()
    assert len(left_edge) == 2


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_picture_that_cannot_be_read_leaves_a_place_that_says_so(
    tmp_path: Path, content: bytes | None
) -> None:
    """A report is drawn all the same."""
    run = drawn(make_run(), tmp_path)
    before = picture_of(laid_out(run))
    assert run.cells[0].image is not None and run.cells[0].image.path is not None
    run.cells[0].image.path.unlink()
    if content is not None:
        run.cells[0].image.path.write_bytes(content)
    sheet = laid_out(run)
    after = picture_of(sheet)

    assert crop(after, sheet.places[0]).tobytes() != crop(before, sheet.places[0]).tobytes()
    assert crop(after, sheet.places[1]).tobytes() == crop(before, sheet.places[1]).tobytes()
    colours = {colour for _, colour in crop(after, sheet.places[0]).getcolors(100_000) or ()}
    assert (0x59, 0x63, 0x6E) in colours  # the ink of its words


def test_a_long_thin_picture_is_drawn(tmp_path: Path) -> None:
    """Nothing becomes less than a pixel."""
    run = drawn(make_run(sizes=("4000x3", "3x4000")), tmp_path)

    assert min(min(p.width, p.height) for p in laid_out(run).places) == 1
    picture_of(laid_out(run))


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """A report that is drawn again changes nothing in a repository."""
    run = replace(drawn(make_run(), tmp_path), title="Foxes")

    assert picture_of(laid_out(run)).tobytes() == picture_of(laid_out(run)).tobytes()
