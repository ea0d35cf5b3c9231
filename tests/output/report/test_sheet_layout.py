"""Where everything stands on a sheet: facts about sizes and places, not pixels."""

from dataclasses import replace
from itertools import combinations

import pytest

from nscale_cli.output.report.cells import Run, State
from nscale_cli.output.report.fonts import OWN_FONT, Fonts, width
from nscale_cli.output.report.grid import arrange
from nscale_cli.output.report.sheet_layout import (
    MAX_PIXELS,
    MAX_SIDE,
    MIN_CELL,
    Place,
    Sheet,
    Text,
    lay_out,
)
from tests.output.report.runs import MODELS, REFUSED, TIMEOUT, changed, make_run, with_size

PROMPTS = ("A red fox", "A blue bird", "A green frog", "A sea")


def sheets_of(run: Run, cell: int = 384, **axes: list[str]) -> tuple[Sheet, ...]:
    """Lay a run out with no font but ours, which every machine has."""
    return lay_out(arrange(run, **axes), Fonts({}, directories=()), cell=cell)


def sheet_of(run: Run, cell: int = 384) -> Sheet:
    """Lay a run out on the one sheet that it must fit on."""
    (sheet,) = sheets_of(run, cell)
    return sheet


def said(sheet: Sheet) -> list[str]:
    """Return all texts of a sheet, a line each."""
    return [line for text in sheet.texts for line in text.lines]


def box_of(part: Place | Text) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what is drawn."""
    if isinstance(part, Place):
        return part.x, part.y, part.x + part.width, part.y + part.height
    wide = max(width(line, part.font, part.size) for line in part.lines)
    return part.x, part.y, part.x + wide, part.y + part.height


def require_well_set(sheet: Sheet) -> None:
    """Assert that nothing leaves the sheet, nothing lies on another, and all can be read."""
    for part in (*sheet.texts, *sheet.places):
        left, top, right, bottom = box_of(part)
        assert left >= 0 and top >= 0 and right <= sheet.width and bottom <= sheet.height, part
    assert min(text.size for text in sheet.texts) >= 14
    inside = {
        id(text)
        for text in sheet.texts
        for place in sheet.places
        if (place.cell is None or place.cell.state is not State.SAVED)
        and place.x < text.x < place.x + place.width
        and place.y < text.y < place.y + place.height
    }
    parts = [*sheet.places, *(text for text in sheet.texts if id(text) not in inside)]
    boxes = [(box_of(part), part) for part in parts]
    for (a, one), (b, other) in combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one, other)


def test_one_prompt_and_two_models_are_two_pictures_under_their_names() -> None:
    """The prompt is the title, what does not vary stands below, and a caption under each."""
    sheet = sheet_of(make_run())

    assert (sheet.width, sheet.height) == (872, 604)
    assert said(sheet) == [
        "A red fox",
        "512x512 · 2 saved · about $0.002",
        MODELS[0],
        MODELS[1],
        "1.0 s · 512x512 · $0.001",
        "2.0 s · 512x512 · $0.001",
    ]
    assert [(p.x, p.width, p.height) for p in sheet.places] == [(40, 384, 384), (448, 384, 384)]
    assert len({place.y for place in sheet.places}) == 1


def test_headings_stand_over_their_columns_and_labels_beside_their_rows() -> None:
    """Three models, four prompts."""
    run = make_run(models=MODELS, prompts=PROMPTS)
    sheet = sheet_of(run)
    texts = {text.lines[0]: text for text in sheet.texts}

    for place in sheet.places:
        assert place.cell is not None
        assert texts[MODELS[place.cell.at[0]]].x == place.x
        assert texts[PROMPTS[place.cell.at[2]]].y == place.y - 3
        assert texts[PROMPTS[place.cell.at[2]]].x == 40
    assert len(sheet.places) == 12


@pytest.mark.parametrize(
    "run",
    [
        make_run(models=["a"]),
        make_run(models=[f"vendor-{n}/model-of-a-long-name-{n}" for n in range(20)], prompts="ab"),
        make_run(sizes=("1024x512", "512x1024", "512x512", "64x64"), prompts=PROMPTS[:2]),
        make_run(prompts=["x" * 200, "word " * 40, "/-_." * 50], models=["m" * 200, "n/" * 100]),
        make_run(fields={"seed": "123", "negative_prompt": ["blurry " * 50, ""]}, prompts="abc"),
        make_run(models=["a"], prompts=[f"prompt {n}" for n in range(11)]),
        make_run(samples=4, sizes=("8x8", "9000x100"), prompts=PROMPTS[:3]),
        make_run(prompts=["\x1b[31m\u202e\x00", "<script>", "a\nb\tc"]),
    ],
    ids=["1x1", "20 models", "mixed", "long", "nested", "gallery", "samples", "hostile"],
)
@pytest.mark.parametrize("cell", [96, 200, 384])
def test_nothing_overlaps_or_leaves_the_sheet(run: Run, cell: int) -> None:
    """Also where some failed, and some are not sent."""
    last = len(run.cells) - 1
    require_well_set(sheet_of(run, cell))
    require_well_set(sheet_of(changed(run, {0: TIMEOUT, last: State.NOT_SENT}), cell))


def test_pictures_are_scaled_down_and_never_up_or_cropped() -> None:
    """Each keeps its shape, within the cell."""
    run = make_run(sizes=("1024x512", "100x200"), models=MODELS[:1])
    shapes = [(place.width, place.height) for place in sheet_of(run).places]

    assert shapes == [(384, 192), (100, 200)]


def test_a_picture_of_another_size_than_was_asked_for_says_so() -> None:
    """The caption has the true size, then the one asked for."""
    sheet = sheet_of(with_size(make_run(), 0, "256x128"))

    assert "1.0 s · 256x128 (asked 512x512)" in said(sheet)
    assert (sheet.places[0].width, sheet.places[0].height) == (256, 128)


def test_a_failed_cell_says_why_and_what_it_cost() -> None:
    """No cell is ever missing."""
    run = changed(make_run(models=MODELS), {0: TIMEOUT, 1: REFUSED, 2: State.NOT_SENT})
    sheet = sheet_of(run)

    assert [text.lines for text in sheet.texts[5:]] == [
        ("timeout",),
        ("may be billed",),
        ("refused",),
        ("not billed",),
        ("not sent",),
    ]
    assert len(sheet.places) == 3


def test_a_cell_never_asked_for_is_not_missing_either() -> None:
    """A directory that grew by parts has gaps."""
    run = make_run(models=MODELS, prompts=PROMPTS)
    sheet = sheet_of(replace(run, cells=run.cells[1:]))

    assert len(sheet.places) == 12 and sheet.places[0].cell is None
    assert "not asked" in said(sheet)


@pytest.mark.slow
def test_cells_shrink_until_the_sheet_is_within_its_limits() -> None:
    """Four hundred pictures are one sheet of at most 40 megapixels."""
    run = make_run(models=[f"m/{n}" for n in range(20)], prompts=[f"p {n}" for n in range(20)])
    sheet = sheet_of(run)

    assert max(sheet.width, sheet.height) <= MAX_SIDE
    assert MAX_PIXELS / 2 < sheet.width * sheet.height <= MAX_PIXELS
    assert MIN_CELL < sheet.places[0].width < 384 and len(sheet.places) == 400


@pytest.mark.slow
@pytest.mark.parametrize(("models", "prompts"), [(100, 3), (3, 400), (90, 90)])
def test_what_no_sheet_can_hold_becomes_several(models: int, prompts: int) -> None:
    """Each has cells of the smallest size, headings of its own, and no cell is lost."""
    run = make_run(
        models=[f"m/{n}" for n in range(models)], prompts=[f"p {n}" for n in range(prompts)]
    )
    sheets = sheets_of(run)
    cells = [place.cell for sheet in sheets for place in sheet.places]

    assert len(sheets) > 1 and all(sheet.fits for sheet in sheets)
    assert len(cells) == len(set(cells)) == models * prompts
    for sheet in sheets:
        first = sheet.places[0].cell
        assert first is not None and max(p.width for p in sheet.places) == MIN_CELL
        assert {f"m/{first.at[0]}", f"p {first.at[2]}"} <= set(said(sheet))


TWENTY = tuple(f"vendor-{n}/some-long-model-name-{n}" for n in range(20))
LONG = "A fox that walks over the snow in the light of a morning. " * 4
# Sheets that were looked at: their sizes, up to what a version of FreeType does to a letter.
SEEN = {
    "3x4": (make_run(models=MODELS, prompts=PROMPTS), (1401, 1921)),
    "20 models": (make_run(models=TWENTY, prompts=PROMPTS[:2]), (7507, 964)),
    "mixed": (
        make_run(sizes=("1024x512", "512x1024", "512x512"), prompts=PROMPTS[:2]),
        (2231, 1077),
    ),
    "a failed row": (
        changed(make_run(models=MODELS, prompts=PROMPTS[:2]), {1: REFUSED, 3: REFUSED, 5: TIMEOUT}),
        (1391, 1023),
    ),
    "long": (
        make_run(models=("v/" + "m-" * 99, "v" * 200), prompts=(LONG[:200], "x" * 200)),
        (1175, 1087),
    ),
    "400 cells": (
        make_run(models=TWENTY, prompts=[f"p {n}" for n in range(20)], sizes=("256x256",)),
        (5715, 6407),
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_sheet_is_as_large_as_when_it_was_looked_at(name: str) -> None:
    """Of each kind one; a change of these figures is to be looked at again."""
    run, size = SEEN[name]
    sheet = sheet_of(run)

    assert (sheet.width, sheet.height) == pytest.approx(size, abs=8)
    assert len(sheet.places) == len(run.cells)


def test_pictures_that_lie_and_stand_share_the_upper_edge_of_their_row() -> None:
    """Each in a column as wide as it needs, its caption right below it."""
    sheet = sheet_of(SEEN["mixed"][0])
    captions = [text for text in sheet.texts if " s · " in text.lines[0]]

    shapes = [(place.width, place.height) for place in sheet.places[:3]]
    assert shapes == [(384, 192), (192, 384), (384, 384)]
    assert len({place.y for place in sheet.places}) == 2
    below = [(place.x, place.y + place.height) for place in sheet.places]
    assert [(text.x, text.y - y) for text, (_, y) in zip(captions, below, strict=True)] == [
        (x, 5) for x, _ in below
    ]


def test_labels_of_200_characters_keep_to_three_lines() -> None:
    """A prompt ends in an ellipsis; an id has it in the middle, and keeps its end."""
    sheet = sheet_of(SEEN["long"][0])
    labels = [text.lines for text in sheet.texts if text.size == 17]

    assert [len(lines) for lines in labels] == [3, 3, 3, 3]
    assert all("…" in "".join(lines) for lines in labels)
    assert labels[0][-1].endswith("m-") and labels[2][-1].endswith("…")


def test_a_row_in_which_all_failed_is_as_high_as_one_of_pictures() -> None:
    """So that columns can be followed over it."""
    sheet = sheet_of(SEEN["a failed row"][0])

    assert {(place.width, place.height) for place in sheet.places} == {(384, 384)}
    assert [said(sheet).count(word) for word in ("refused", "timeout", "may be billed")] == [
        2,
        1,
        1,
    ]


def test_a_gallery_labels_each_picture() -> None:
    """Where one model draws eleven prompts, they follow each other."""
    sheet = sheet_of(make_run(models=["a/b"], prompts=[f"prompt {n}" for n in range(11)]))

    assert said(sheet)[:2] == ["11 prompts", "a/b · 512x512 · 11 saved · about $0.011"]
    assert said(sheet)[2:4] == ["prompt 0", "1.0 s · 512x512 · $0.001"]
    assert len({place.y for place in sheet.places}) == 3


def test_a_prompt_that_no_font_has_is_called_by_its_number() -> None:
    """On the sheet of a machine without fonts for its script."""
    sheet = sheet_of(make_run(prompts=["A red fox", "红狐狸", "مرحبا"]))

    assert {"A red fox", "prompt 2", "prompt 3"} <= set(said(sheet))
    assert {text.font for text in sheet.texts} == {OWN_FONT}


def test_hostile_text_is_spelled_out() -> None:
    """No control character or override reaches the drawing."""
    lines = " ".join(said(sheet_of(make_run(prompts=["\x1b[31m\u202eevil\x00", "b"]))))

    assert r"\x1b[31m" in lines and r"\u202eevil\x00" in lines


def test_a_prompt_of_ten_megabytes_is_no_trouble() -> None:
    """Only its start is ever looked at."""
    sheet = sheet_of(make_run(prompts=["word " * 2_000_000, "x" * 10_000_000]))

    assert sum(len(line) for line in said(sheet)) < 1000
